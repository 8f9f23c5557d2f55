import Settings
public import TensorCore

/// The networks of Simonyan and Zisserman (2014): 3x3 convolutions with max pooling between them, and
/// three linear layers.
///
/// Names and shapes are torchvision's.
public struct VGG: Layer {
  /// The convolutions, activations and poolings.
  public let features: Sequential
  /// The linear layers.
  public let classifier: Sequential

  /// The channels of the convolutions for each depth; 0 is a pooling.
  private static let plans: [Int: [Int]] = [
    11: [64, 0, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512, 0],
    13: [64, 64, 0, 128, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512, 0],
    16: [64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0],
    19: [
      64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0, 512, 512, 512, 512, 0,
    ],
  ]

  /// A network of 11, 13, 16 or 19 layers with weights.
  ///
  /// - Parameters:
  ///   - depth: The number of layers with weights.
  ///   - channels: The channels of an image.
  ///   - size: The rows and columns of an image, a multiple of 32.
  ///   - classes: The number of outputs.
  ///   - hidden: The width of the two hidden linear layers; 4096 in the paper.
  ///   - dropout: The dropout probability; 0.5 in the paper.
  public init(
    depth: Int, channels: Int = 3, size: Int = 224, classes: Int = 1000, hidden: Int = 4096,
    dropout: Double = 0.5
  ) {
    guard let plan = VGG.plans[depth] else {
      fatalError("VGG: the depth must be 11, 13, 16 or 19, not \(depth)")
    }
    require(size > 0 && size % 32 == 0, "VGG: images of \(size) rows; a multiple of 32 is needed")
    // He initialization, as in torchvision: with PyTorch's default for convolutions, activations vanish over
    // many layers, and deep networks without normalization do not start to learn.
    func convolution(_ inputs: Int, _ outputs: Int) -> Conv2d {
      let std = (2 / Double(outputs * 9)).squareRoot()
      return Conv2d(
        weight: Initializer.normal([outputs, inputs, 3, 3], std: std),
        bias: Initializer.zeros([outputs]), padding: 1)
    }
    var layers: [any Layer] = []
    var width = channels
    for outputs in plan {
      if outputs == 0 {
        layers.append(MaxPool2d(2))
      } else {
        layers += [convolution(width, outputs), ReLU()]
        width = outputs
      }
    }
    features = Sequential(layers)
    classifier = Sequential(
      Linear(512 * (size / 32) * (size / 32), hidden), ReLU(), Dropout(dropout),
      Linear(hidden, hidden), ReLU(), Dropout(dropout), Linear(hidden, classes))
  }

  /// Applies the network to images `[N, channels, size, size]`.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    classifier(features(x).flattened(from: 1))
  }
}

extension VGG {
  /// A network by name for each depth: `vgg11` to `vgg19`.
  static let kinds = plans.keys.sorted().map { depth in
    ModelKind("vgg\(depth)", .squareImages(atLeast: 32, multipleOf: 32), DropoutOptions()) {
      shapes, options in
      // The dense layers of the paper are for 1,000 classes of large images.
      VGG(
        depth: depth, channels: shapes.channels, size: shapes.rows, classes: shapes.outputs,
        hidden: shapes.rows < 224 ? 512 : 4096, dropout: options.dropout)
    }
  }
}
