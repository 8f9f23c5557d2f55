import Settings
import TensorCore

/// The small convolutional networks.
public enum ConvolutionalNetworks {
  /// LeNet-5 with ReLU and max pooling, for images of `size` rows and columns: two 5x5 convolutions with 6
  /// and 16 channels and three linear layers with 120, 84 and `classes` outputs.
  public static func leNet(channels: Int, size: Int, classes: Int) -> Sequential {
    // LeNet was designed for 32 rows: MNIST's 28 are padded.
    let padding = size < 32 ? 2 : 0
    let side = ((size + 2 * padding - 4) / 2 - 4) / 2
    require(side > 0, "leNet: images of \(size) rows are too small")
    return Sequential(
      Conv2d(channels, 6, kernel: 5, padding: Size2d(padding)), ReLU(), MaxPool2d(2),
      Conv2d(6, 16, kernel: 5), ReLU(), MaxPool2d(2), Flatten(),
      Linear(16 * side * side, 120), ReLU(), Linear(120, 84), ReLU(), Linear(84, classes))
  }

  /// Two 3x3 convolutions with 32 and 64 channels, max pooling and two linear layers with 128 and `classes`
  /// outputs: the network of PyTorch's MNIST example, by default without its dropout.
  public static func cnn(
    channels: Int, size: Int, classes: Int, dropout: Double = 0
  ) -> Sequential {
    let side = (size - 4) / 2
    require(side > 0, "cnn: images of \(size) rows are too small")
    var layers: [any Layer] = [
      Conv2d(channels, 32, kernel: 3), ReLU(), Conv2d(32, 64, kernel: 3), ReLU(), MaxPool2d(2),
      Flatten(), Linear(64 * side * side, 128), ReLU(),
    ]
    if dropout > 0 { layers.append(Dropout(dropout)) }
    layers.append(Linear(128, classes))
    return Sequential(layers)
  }
}

extension ModelKind {
  /// `ConvolutionalNetworks.leNet`.
  static let leNet = ModelKind("lenet", .squareImages(atLeast: 12)) { shapes in
    ConvolutionalNetworks.leNet(
      channels: shapes.channels, size: shapes.rows, classes: shapes.outputs)
  }

  /// `ConvolutionalNetworks.cnn`.
  static let cnn = ModelKind("cnn", .squareImages(atLeast: 6), DropoutOptions()) {
    shapes, options in
    ConvolutionalNetworks.cnn(
      channels: shapes.channels, size: shapes.rows, classes: shapes.outputs,
      dropout: options.dropout)
  }
}
