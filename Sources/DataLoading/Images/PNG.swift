import CPNG

/// Decodes PNG with libpng.
enum PNG {
  static func isPNG(_ bytes: UnsafeRawBufferPointer) -> Bool {
    bytes.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A])
  }

  /// Decodes an image; `check` sees its size before memory is allocated.
  ///
  /// Palettes become colors, 16 bits 8 bits, and transparency is dropped, as Pillow's
  /// `convert("RGB")` does.
  static func decode(
    _ bytes: UnsafeRawBufferPointer, check: (ImageSize) throws(ImageProblem) -> Void
  ) throws(ImageProblem) -> DecodedImage {
    var image = png_image()
    image.version = png_uint_32(PNG_IMAGE_VERSION)
    defer { png_image_free(&image) }
    guard png_image_begin_read_from_memory(&image, bytes.baseAddress!, bytes.count) != 0 else {
      throw ImageProblem.damaged(message(of: image))
    }
    let size = ImageSize(width: Int(image.width), height: Int(image.height))
    try check(size)
    // 16 bits are not linear light, unless the file says so.
    image.flags |= png_uint_32(PNG_IMAGE_FLAG_16BIT_sRGB)
    let hasColors = image.format & png_uint_32(PNG_FORMAT_FLAG_COLOR) != 0
    let hasAlpha = image.format & png_uint_32(PNG_FORMAT_FLAG_ALPHA) != 0
    let channels = hasColors ? 3 : 1
    // Asked for no alpha, libpng would blend with a background.
    image.format =
      png_uint_32(hasColors ? PNG_FORMAT_FLAG_COLOR : 0)
      | png_uint_32(hasAlpha ? PNG_FORMAT_FLAG_ALPHA : 0)
    let stored = channels + (hasAlpha ? 1 : 0)
    let count = size.width * size.height
    var isRead = false
    var pixels = [UInt8](unsafeUninitializedCapacity: count * stored) { pixels, initialized in
      isRead = png_image_finish_read(&image, nil, pixels.baseAddress!, 0, nil) != 0
      initialized = isRead ? count * stored : 0
    }
    guard isRead else { throw ImageProblem.damaged(message(of: image)) }
    if hasAlpha {
      for i in 0..<count {
        for c in 0..<channels { pixels[i * channels + c] = pixels[i * stored + c] }
      }
      pixels.removeLast(count)
    }
    return DecodedImage(size: size, channels: channels, pixels: pixels)
  }

  private static func message(of image: png_image) -> String {
    withUnsafeBytes(of: image.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
  }
}
