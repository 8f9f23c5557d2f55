/// How an image of any size becomes a model's input, as in torchvision's evaluation: resized so that its
/// shorter side has `resize` pixels, then cut to its center.
public struct ImagePreparation: Sendable, Equatable, Codable {
  /// 1 (grey) or 3 (red, green, blue).
  public var channels: Int
  /// The height of the input.
  public var height: Int
  /// The width of the input.
  public var width: Int
  /// The shorter side after resizing, at least height and width; nil makes the image just cover the
  /// input.
  public var resize: Int?

  /// A preparation.
  public init(channels: Int, height: Int, width: Int, resize: Int? = nil) {
    (self.channels, self.height, self.width) = (channels, height, width)
    self.resize = resize
  }

  /// The preparation of images for inputs of a shape; nil if that is not one of images.
  package init?(inputShape: [Int]) {
    guard inputShape.count == 3, inputShape[0] == 1 || inputShape[0] == 3 else { return nil }
    self.init(channels: inputShape[0], height: inputShape[1], width: inputShape[2])
  }

  /// Whether the numbers are possible, and make inputs of a shape.
  package func fits(_ shape: [Int]) -> Bool {
    shape == inputShape && (channels == 1 || channels == 3) && height > 0 && width > 0
      && resize ?? .max >= max(height, width) && resize ?? 0 <= 1 << 16
  }

  /// The shape of an input: `[channels, height, width]`.
  var inputShape: [Int] { [channels, height, width] }

  /// The size of the input.
  var size: ImageSize { ImageSize(width: width, height: height) }

  /// The size of the whole image after resizing: torchvision's, which rounds the longer side down.
  func resizedSize(of image: ImageSize) -> ImageSize {
    func covering(_ target: Int, _ side: Int, _ other: Int) -> Int { target * other / side }
    if let resize {
      return image.width <= image.height
        ? ImageSize(width: resize, height: covering(resize, image.width, image.height))
        : ImageSize(width: covering(resize, image.height, image.width), height: resize)
    }
    let byWidth = ImageSize(width: width, height: covering(width, image.width, image.height))
    if byWidth.height >= height { return byWidth }
    return ImageSize(width: covering(height, image.height, image.width), height: height)
  }

  /// The whole image, resized, at a place of its own.
  func window(of image: ImageSize) -> ImageWindow {
    ImageWindow(
      width: Double(image.width), height: Double(image.height), resized: resizedSize(of: image))
  }

  /// The center of the resized image; torchvision's `center_crop`, which rounds halves to even.
  func centered(in image: ImageSize) -> ImageWindow {
    var window = window(of: image)
    func middle(_ all: Int, _ part: Int) -> Int {
      Int((Double(all - part) / 2).rounded(.toNearestOrEven))
    }
    window.x = middle(window.resized.width, width)
    window.y = middle(window.resized.height, height)
    return window
  }
}
