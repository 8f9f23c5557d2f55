import Settings
public import TensorCore

/// Residual networks (He et al., 2015).
///
/// Names and shapes are torchvision's.
public struct ResNet: Layer {
  /// The first layers.
  public enum Stem: Sendable {
    /// A 3x3 convolution that keeps the size, for images of 32 rows.
    case cifar
    /// A 7x7 convolution and max pooling, which divide the size by 4, for images of 224 rows.
    case imageNet
  }

  /// The blocks of each stage for a depth, and whether they are bottlenecks.
  private static let plans: [Int: (blocks: [Int], isBottleneck: Bool)] = [
    18: ([2, 2, 2, 2], false), 34: ([3, 4, 6, 3], false), 50: ([3, 4, 6, 3], true),
  ]

  /// The first convolution.
  package let firstConvolution: Conv2d
  /// The normalization behind it.
  package let firstNormalization: BatchNorm2d
  /// The residual blocks, in four stages.
  package let stages: [Sequential]
  /// The last layer.
  package let output: Linear
  /// The first layers.
  package let stem: Stem

  /// A network of 18, 34 or 50 layers.
  public init(depth: Int, stem: Stem, channels: Int = 3, classes: Int = 1000) {
    guard let plan = ResNet.plans[depth] else {
      fatalError("ResNet: the depth must be 18, 34 or 50, not \(depth)")
    }
    self.stem = stem
    firstConvolution =
      stem == .cifar
      ? Conv2d(channels, 64, kernel: 3, padding: 1, bias: false)
      : Conv2d(channels, 64, kernel: 7, stride: 2, padding: 3, bias: false)
    firstNormalization = BatchNorm2d(64)
    var width = 64
    stages = zip(plan.blocks, [64, 128, 256, 512]).enumerated().map { index, stage in
      Sequential(
        (0..<stage.0).map { block -> any Layer in
          let block = ResidualBlock(
            width, stage.1, stride: block == 0 && index > 0 ? 2 : 1,
            isBottleneck: plan.isBottleneck)
          width = block.outputs
          return block
        })
    }
    output = Linear(width, classes)
  }

  /// The parts with torchvision's names.
  public var children: [(name: String, value: Any)] {
    [("conv1", firstConvolution), ("bn1", firstNormalization)]
      + stages.enumerated().map { ("layer\($0.offset + 1)", $0.element) } + [("fc", output)]
  }

  /// Applies the network to images `[N, channels, H, W]`.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    var x = firstNormalization(firstConvolution, x, relu: true)
    if stem == .imageNet { x = MaxPool2d(3, stride: 2, padding: 1)(x) }
    for stage in stages { x = stage(x) }
    return output(x.mean(axes: [2, 3]))
  }
}

/// Two 3x3 convolutions, or 1x1, 3x3 and 1x1 ones, with a residual connection.
package struct ResidualBlock: Layer {
  /// The convolutions in order.
  package let convolutions: [Conv2d]
  /// The normalization behind each.
  package let normalizations: [BatchNorm2d]
  /// What the input passes before it is added, where its shape changes.
  package let shortcut: Sequential?
  /// The channels that it gives.
  package let outputs: Int

  init(_ inputs: Int, _ width: Int, stride: Int, isBottleneck: Bool) {
    func convolution(_ inputs: Int, _ outputs: Int, _ size: Int, _ stride: Int) -> Conv2d {
      Conv2d(
        inputs, outputs, kernel: Size2d(size), stride: Size2d(stride), padding: Size2d(size / 2),
        bias: false)
    }
    outputs = isBottleneck ? 4 * width : width
    convolutions =
      isBottleneck
      ? [
        convolution(inputs, width, 1, 1), convolution(width, width, 3, stride),
        convolution(width, outputs, 1, 1),
      ] : [convolution(inputs, width, 3, stride), convolution(width, width, 3, 1)]
    normalizations = convolutions.map { BatchNorm2d($0.weight.shape[0]) }
    shortcut =
      stride == 1 && inputs == outputs
      ? nil : Sequential(convolution(inputs, outputs, 1, stride), BatchNorm2d(outputs))
  }

  package var children: [(name: String, value: Any)] {
    var children: [(name: String, value: Any)] = []
    for (index, pair) in zip(convolutions, normalizations).enumerated() {
      children += [("conv\(index + 1)", pair.0), ("bn\(index + 1)", pair.1)]
    }
    if let shortcut { children.append(("downsample", shortcut)) }
    return children
  }

  package func callAsFunction(_ x: Tensor) -> Tensor {
    var y = x
    let last = convolutions.count - 1
    for (convolution, normalization) in zip(convolutions, normalizations).prefix(last) {
      y = normalization(convolution, y, relu: true)
    }
    return normalizations[last](
      convolutions[last], y, adding: shortcut.map { $0(x) } ?? x, relu: true)
  }
}

extension ResNet {
  /// A network by name for each depth: `resnet18` to `resnet50`.
  static let kinds = plans.keys.sorted().map { depth in
    ModelKind("resnet\(depth)", .squareImages(atLeast: 1)) { shapes in
      ResNet(
        depth: depth, stem: shapes.rows < 64 ? .cifar : .imageNet, channels: shapes.channels,
        classes: shapes.outputs)
    }
  }
}
