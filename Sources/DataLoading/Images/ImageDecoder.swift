/// What is wrong with the content of an image file.
enum ImageProblem: Error {
  /// A decoder's message.
  case damaged(String)
  case tooLarge(ImageSize)
  /// Neither JPEG nor PNG; what it seems to be.
  case otherFormat(String?)
  case empty
}

/// Decodes image files.
///
/// One thread uses a decoder at a time.
final class ImageDecoder {
  /// The most pixels of an image: 2^28 / 3, whose colors fill 256 MiB.
  ///
  /// From there on Pillow warns of a decompression bomb.
  static let mostPixels = (1 << 28) / 3

  private let jpeg = JPEG()

  /// Decodes a file in memory, turns it upright, and converts it to `channels` channels.
  ///
  /// The content says which format it is, not the file's name. Throws a `DataError` that names the file
  /// for one that is no image or damaged.
  ///
  /// - Parameters:
  ///   - bytes: The whole file.
  ///   - name: The file's name in messages.
  ///   - channels: 1 or 3.
  ///   - least: The size that is needed of the whole image, from its size; a JPEG is decoded to a half, a
  ///     quarter or an eighth where that is not less.
  func decode(
    _ bytes: UnsafeRawBufferPointer, name: String, channels: Int,
    least: (ImageSize) throws -> ImageSize
  ) throws -> DecodedImage {
    do {
      guard !bytes.isEmpty else { throw ImageProblem.empty }
      if JPEG.isJPEG(bytes) {
        let header = try jpeg.header(bytes)
        try ImageDecoder.check(header.size)
        let orientation = header.markers.orientation
        var size = header.size
        if orientation.isTransposed { size = size.transposed }
        let needed = try least(size)
        let eighths = [1, 2, 4].first {
          size.width * $0 >= needed.width * 8 && size.height * $0 >= needed.height * 8
        }
        var image = try jpeg.decode(bytes, header, channels: channels, eighths: eighths ?? 8)
          .oriented(orientation)
        image.originalSize = size
        return image
      }
      if PNG.isPNG(bytes) {
        return try PNG.decode(bytes) { size throws(ImageProblem) in try ImageDecoder.check(size) }
          .converted(toChannels: channels)
      }
      throw ImageProblem.otherFormat(ImageDecoder.formatName(bytes))
    } catch let problem as ImageProblem {
      throw DataError(.malformed, "\(name): \(problem.text)")
    }
  }

  private static func check(_ size: ImageSize) throws(ImageProblem) {
    guard size.width > 0, size.height > 0 else {
      throw ImageProblem.damaged("it has \(size.width) by \(size.height) pixels")
    }
    let pixels = size.width.multipliedReportingOverflow(by: size.height)
    if pixels.overflow || pixels.partialValue > mostPixels { throw ImageProblem.tooLarge(size) }
  }

  /// The name of a well-known format by its first bytes.
  private static func formatName(_ bytes: UnsafeRawBufferPointer) -> String? {
    func has(_ text: String, at position: Int = 0) -> Bool {
      bytes.dropFirst(position).starts(with: Array(text.utf8))
    }
    if has("GIF8") { return "a GIF" }
    if has("BM") { return "a BMP" }
    if has("RIFF") && has("WEBP", at: 8) { return "a WebP" }
    if has("II*\0") || has("MM\0*") { return "a TIFF" }
    if has("ftyp", at: 4) { return "an HEIC or AVIF file" }
    if has("<svg") || has("<?xml") { return "an SVG" }
    if has("<!DOC") || has("<html") { return "a web page" }
    return nil
  }
}

extension ImageProblem {
  /// The problem and the remedy.
  fileprivate var text: String {
    switch self {
    case .damaged(let message):
      "damaged image (\(message)): get the file again, or remove it"
    case .tooLarge(let size):
      "\(size.width) by \(size.height) pixels are more than the \(ImageDecoder.mostPixels) that are "
        + "read: make the image smaller, or remove it"
    case .otherFormat(let name?): "is \(name), not a JPEG or PNG: convert it to one, or remove it"
    case .otherFormat(nil): "is not a JPEG or PNG: remove it, or get the file again"
    case .empty: "is empty (0 bytes): get the file again, or remove it"
    }
  }
}
