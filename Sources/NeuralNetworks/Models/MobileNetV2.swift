import Settings
public import TensorCore

/// MobileNet's second version (Sandler et al., 2018): blocks that widen, convolve each channel by itself, and
/// narrow again, with a residual connection between the narrow ends.
///
/// Names, shapes and initialization are torchvision's, so that the files of `mobilenet_v2` can be loaded.
public struct MobileNetV2: Layer {
  /// The stages: how much a block widens, its outputs, the number of blocks, the stride of the first.
  private static let plan = [
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
    (6, 320, 1, 1),
  ]

  /// The convolutions.
  package let features: Sequential
  /// The last layers.
  package let classifier: Sequential

  /// A network whose layers have `widthFactor` times the channels of the paper.
  ///
  /// The first layers are those of the paper for the stem `.imageNet`, which divides the size by 32; for
  /// small images, `.cifar`, the first two strides are 1.
  public init(
    widthFactor: Double = 1, stem: ResNet.Stem = .imageNet, channels: Int = 3, classes: Int = 1000,
    dropout: Double = 0.2
  ) {
    require(widthFactor > 0, "MobileNetV2: the width factor \(widthFactor) is not positive")
    /// A multiple of 8 that is near, and at most a tenth below.
    func rounded(_ channels: Double) -> Int {
      let near = max(8, Int(channels + 4) / 8 * 8)
      return Double(near) < 0.9 * channels ? near + 8 : near
    }
    let first = stem == .cifar ? 1 : 2
    var width = rounded(32 * widthFactor)
    var layers: [any Layer] = [
      NormalizedConvolution(channels, width, kernel: 3, stride: first)
    ]
    for (stage, (expansion, outputs, count, stride)) in MobileNetV2.plan.enumerated() {
      for block in 0..<count {
        let target = rounded(Double(outputs) * widthFactor)
        let step = block > 0 || stem == .cifar && stage == 1 ? 1 : stride
        layers.append(InvertedResidual(width, target, stride: step, expansion: expansion))
        width = target
      }
    }
    let last = rounded(1280 * max(1, widthFactor))
    features = Sequential(layers + [NormalizedConvolution(width, last, kernel: 1)])
    classifier = Sequential(
      Dropout(dropout),
      Linear(
        weight: Initializer.normal([classes, last], std: 0.01), bias: Initializer.zeros([classes])))
  }

  /// Applies the network to images `[N, channels, H, W]`.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    classifier(features(x).mean(axes: [2, 3]))
  }
}

/// A convolution without bias, batch normalization, and ReLU6 if it is `activated`.
package struct NormalizedConvolution: Layer {
  package let convolution: Conv2d
  package let normalization: BatchNorm2d

  init(_ inputs: Int, _ outputs: Int, kernel: Int, stride: Int = 1, groups: Int = 1) {
    convolution = plainConvolution(inputs, outputs, kernel, stride, groups)
    normalization = BatchNorm2d(outputs)
  }

  package var children: [(name: String, value: Any)] {
    [("0", convolution), ("1", normalization)]
  }

  package func callAsFunction(_ x: Tensor) -> Tensor {
    normalization(convolution, x, relu: false).clamped(0, 6)
  }
}

/// A convolution without bias, with the initialization of He and others for the outputs.
private func plainConvolution(
  _ inputs: Int, _ outputs: Int, _ kernel: Int, _ stride: Int, _ groups: Int
) -> Conv2d {
  let std = (2 / Double(outputs * kernel * kernel)).squareRoot()
  return Conv2d(
    weight: Initializer.normal([outputs, inputs / groups, kernel, kernel], std: std),
    stride: Size2d(stride), padding: Size2d(kernel / 2), groups: groups)
}

/// A 1x1 convolution that widens, one of each channel, and a 1x1 convolution that narrows.
package struct InvertedResidual: Layer {
  /// The convolution that widens, where one does, and that of each channel.
  package let convolutions: [NormalizedConvolution]
  /// The convolution that narrows, and its normalization.
  package let projection: Conv2d
  package let normalization: BatchNorm2d
  /// Whether the input is added.
  package let isResidual: Bool

  init(_ inputs: Int, _ outputs: Int, stride: Int, expansion: Int) {
    let hidden = inputs * expansion
    let wide = expansion == 1 ? [] : [NormalizedConvolution(inputs, hidden, kernel: 1)]
    convolutions =
      wide + [NormalizedConvolution(hidden, hidden, kernel: 3, stride: stride, groups: hidden)]
    projection = plainConvolution(hidden, outputs, 1, 1, 1)
    normalization = BatchNorm2d(outputs)
    isResidual = stride == 1 && inputs == outputs
  }

  package var children: [(name: String, value: Any)] {
    let parts = convolutions as [Any] + [projection, normalization]
    return parts.enumerated().map { ("conv.\($0.offset)", $0.element) }
  }

  package func callAsFunction(_ x: Tensor) -> Tensor {
    let y = convolutions.reduce(x) { $1($0) }
    return normalization(projection, y, adding: isResidual ? x : nil, relu: false)
  }
}

private struct MobileNetOptions: SettingsGroup {
  @Setting("factor of the channels of all layers", in: 0.05...16) var widthFactor = 1.0
  @Setting(shared: .dropout) var dropout: Double
}

extension ModelKind {
  /// `MobileNetV2`.
  static let mobileNetV2 = ModelKind(
    "mobilenetV2", .squareImages(atLeast: 1), MobileNetOptions()
  ) { shapes, options in
    MobileNetV2(
      widthFactor: options.widthFactor, stem: shapes.rows < 64 ? .cifar : .imageNet,
      channels: shapes.channels, classes: shapes.outputs, dropout: options.dropout)
  }
}
