/// Width and height in pixels.
public struct ImageSize: Sendable, Equatable {
  /// The width.
  public var width: Int
  /// The height.
  public var height: Int

  /// A size.
  public init(width: Int, height: Int) { (self.width, self.height) = (width, height) }

  /// Width and height exchanged.
  var transposed: ImageSize { ImageSize(width: height, height: width) }
}

/// The pixels of an image file: bytes, row by row, the channels of a pixel side by side.
struct DecodedImage: Equatable {
  var size: ImageSize
  /// The size of the image that the file has, where it was decoded to fewer pixels.
  var originalSize: ImageSize? = nil
  /// 1 is grey, 3 is red, green, blue.
  var channels: Int
  var pixels: [UInt8]

  /// The image with `channels` channels: grey is the luma of ITU-R BT.601 in Pillow's fixed-point
  /// arithmetic (`Image.convert("L")`), colors of a grey image are three times the grey.
  func converted(toChannels channels: Int) -> DecodedImage {
    guard channels != self.channels else { return self }
    let count = size.width * size.height
    let converted = [UInt8](unsafeUninitializedCapacity: count * channels) { result, initialized in
      pixels.withUnsafeBufferPointer { source in
        for i in 0..<count {
          if channels == 1 {
            let (r, g, b) = (Int(source[3 * i]), Int(source[3 * i + 1]), Int(source[3 * i + 2]))
            result[i] = UInt8((r * 19_595 + g * 38_470 + b * 7_471 + 0x8000) >> 16)
          } else {
            for c in 0..<3 { result[3 * i + c] = source[i] }
          }
        }
      }
      initialized = count * channels
    }
    return DecodedImage(size: size, channels: channels, pixels: converted)
  }

  /// The image as a camera's note on its orientation wants it to be shown.
  func oriented(_ orientation: Orientation) -> DecodedImage {
    guard orientation != .upright else { return self }
    let (width, height) = (size.width, size.height)
    let shown = orientation.isTransposed ? size.transposed : size
    let result = [UInt8](unsafeUninitializedCapacity: pixels.count) { result, initialized in
      pixels.withUnsafeBufferPointer { source in
        for y in 0..<shown.height {
          for x in 0..<shown.width {
            let (column, row) = orientation.source(x, y, width, height)
            let (to, from) = ((y * shown.width + x) * channels, (row * width + column) * channels)
            for c in 0..<channels { result[to + c] = source[from + c] }
          }
        }
      }
      initialized = pixels.count
    }
    return DecodedImage(size: shown, channels: channels, pixels: result)
  }
}

/// How an image must be turned to be shown upright: the values of the tag Orientation of EXIF 2.3.
enum Orientation: Int {
  case upright = 1
  case mirrored, rotated180, flipped, transposed, rotated90, transversed, rotated270

  /// Whether width and height are exchanged.
  var isTransposed: Bool { rawValue >= 5 }

  /// The pixel of a stored image of `width` by `height` that is shown at (x, y).
  func source(_ x: Int, _ y: Int, _ width: Int, _ height: Int) -> (x: Int, y: Int) {
    switch self {
    case .upright: (x, y)
    case .mirrored: (width - 1 - x, y)
    case .rotated180: (width - 1 - x, height - 1 - y)
    case .flipped: (x, height - 1 - y)
    case .transposed: (y, x)
    case .rotated90: (y, height - 1 - x)
    case .transversed: (width - 1 - y, height - 1 - x)
    case .rotated270: (width - 1 - y, x)
    }
  }
}
