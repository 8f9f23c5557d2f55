import Settings
public import TensorCore

/// U-Net (Ronneberger et al., 2015) with batch normalization: images `[N, channels, H, W]` become
/// `[N, outputs, H, W]`, numbers for each pixel.
///
/// Each of `depth` steps halves the size and doubles the channels; the way back doubles the size and sees
/// what was there on the way down. H and W are multiples of 2^depth. Names and shapes are those of
/// github.com/milesial/Pytorch-UNet without bilinear upsampling, for its depth of 4.
public struct UNet: Layer {
  /// The layers of full size.
  package let first: DoubleConvolution
  /// The layers behind each halving.
  package let down: [DoubleConvolution]
  /// The transposed convolutions that double the size, and the layers behind each.
  package let up: [(enlargement: Conv, layers: DoubleConvolution)]
  /// The last layer, a 1x1 convolution.
  package let output: Conv2d

  package typealias Conv = ConvTranspose2d

  /// A network whose layers of full size have `features` channels.
  public init(channels: Int = 3, outputs: Int, features: Int = 64, depth: Int = 4) {
    require(
      depth >= 0 && features > 0,
      "UNet: a depth of \(depth) and \(features) features are impossible")
    first = DoubleConvolution(channels, features)
    down = (0..<depth).map { DoubleConvolution(features << $0, features << ($0 + 1)) }
    up = (0..<depth).reversed().map { level in
      let width = features << level
      return (
        ConvTranspose2d(2 * width, width, kernel: 2, stride: 2),
        DoubleConvolution(2 * width, width)
      )
    }
    output = Conv2d(features, outputs, kernel: 1)
  }

  /// The parts with the names of Pytorch-UNet.
  public var children: [(name: String, value: Any)] {
    var children: [(name: String, value: Any)] = [("inc.double_conv", first.layers)]
    for (index, layers) in down.enumerated() {
      children.append(("down\(index + 1).maxpool_conv.1.double_conv", layers.layers))
    }
    for (index, step) in up.enumerated() {
      children.append(("up\(index + 1).up", step.enlargement))
      children.append(("up\(index + 1).conv.double_conv", step.layers.layers))
    }
    return children + [("outc.conv", output)]
  }

  /// Applies the network to images `[N, channels, H, W]`.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    let divisor = 1 << down.count
    require(
      x.shape.count == 4 && x.shape[2].isMultiple(of: divisor)
        && x.shape[3].isMultiple(of: divisor),
      "UNet: images [N, C, H, W] with H and W multiples of \(divisor) are needed, not \(x.shape)")
    var sizes = [first(x)]
    for layers in down { sizes.append(layers(MaxPool2d(2)(sizes.last!))) }
    var y = sizes.removeLast()
    for step in up {
      y = step.layers(.concatenated([sizes.removeLast(), step.enlargement(y)], axis: 1))
    }
    return output(y)
  }
}

/// Twice a 3x3 convolution, batch normalization and ReLU.
package struct DoubleConvolution {
  package let layers: Sequential

  init(_ inputs: Int, _ outputs: Int) {
    layers = Sequential(
      Conv2d(inputs, outputs, kernel: 3, padding: 1, bias: false), BatchNorm2d(outputs), ReLU(),
      Conv2d(outputs, outputs, kernel: 3, padding: 1, bias: false), BatchNorm2d(outputs), ReLU())
  }

  func callAsFunction(_ x: Tensor) -> Tensor { layers(x) }
}

private struct UNetOptions: SettingsGroup {
  @Setting("channels of the layers of full size", in: 1...4096) var features = 64
  @Setting("how often the size is halved; null for as often as it can, up to 4", in: 0...8)
  var depth: Int? = nil
}

extension ModelKind {
  /// `UNet` for values of each pixel: targets of as many numbers as there are pixels, or a multiple.
  static let unet = ModelKind("unet", .squareImages(atLeast: 2), UNetOptions()) {
    shapes, options throws(SettingError) in
    let pixels = shapes.rows * shapes.rows
    guard shapes.outputs.isMultiple(of: pixels) else {
      throw SettingError(
        "kind",
        "is unet, which gives numbers for each of \(shapes.rows) x \(shapes.rows) pixels; the data has targets of \(shapes.outputs) numbers or classes for an image: use values of the size of the image"
      )
    }
    let depth = options.depth ?? min(4, shapes.rows.trailingZeroBitCount)
    guard shapes.rows.isMultiple(of: 1 << depth) else {
      throw SettingError(
        "depth", "is \(depth): \(shapes.rows) rows cannot be halved that often")
    }
    return UNet(
      channels: shapes.channels, outputs: shapes.outputs / pixels, features: options.features,
      depth: depth)
  }
}
