import CTurboJPEG

/// Decodes JPEG with libjpeg-turbo.
///
/// One thread uses a decoder at a time.
final class JPEG {
  static func isJPEG(_ bytes: UnsafeRawBufferPointer) -> Bool {
    bytes.count >= 3 && bytes[0] == 0xFF && bytes[1] == 0xD8 && bytes[2] == 0xFF
  }

  private var decompressor = JPEG.newDecompressor()

  private static func newDecompressor() -> tjhandle {
    guard let handle = tjInitDecompress() else { fatalError("libjpeg-turbo does not start") }
    return handle
  }

  /// A problem, by default the one that libjpeg-turbo reports.
  ///
  /// After a header that is cut off, a decompressor of version 2 takes the next file for the rest of it.
  private func damage(_ reason: String? = nil) -> ImageProblem {
    let problem = ImageProblem.damaged(reason ?? message)
    tjDestroy(decompressor)
    decompressor = JPEG.newDecompressor()
    return problem
  }

  deinit { tjDestroy(decompressor) }

  /// What the header of a file says.
  struct Header {
    /// As stored, before it is turned.
    let size: ImageSize
    let markers: JPEGMarkers
    fileprivate let colors: TJCS
  }

  func header(_ bytes: UnsafeRawBufferPointer) throws(ImageProblem) -> Header {
    var (width, height, subsampling, colors) = (CInt(0), CInt(0), CInt(0), CInt(0))
    let code = tjDecompressHeader3(
      decompressor, bytes.baseAddress!.assumingMemoryBound(to: UInt8.self), UInt(bytes.count),
      &width, &height, &subsampling, &colors)
    guard code == 0 || tjGetErrorCode(decompressor) == TJERR_WARNING.rawValue else {
      throw damage()
    }
    // A file that ends within its header is no error of the library's.
    guard width > 0, height > 0 else { throw damage("its header has no size") }
    return Header(
      size: ImageSize(width: Int(width), height: Int(height)), markers: JPEGMarkers(bytes),
      colors: TJCS(UInt32(colors)))
  }

  /// Decodes to `channels` channels, reduced to `reduction` eighths of the size.
  ///
  /// The reduction is part of the inverse cosine transform, and makes it faster.
  func decode(
    _ bytes: UnsafeRawBufferPointer, _ header: Header, channels: Int, eighths: Int
  ) throws(ImageProblem) -> DecodedImage {
    let size = ImageSize(
      width: (header.size.width * eighths + 7) / 8, height: (header.size.height * eighths + 7) / 8)
    let isCMYK = header.colors == TJCS_CMYK || header.colors == TJCS_YCCK
    let stored = isCMYK ? 4 : channels
    let format = isCMYK ? TJPF_CMYK : channels == 1 ? TJPF_GRAY : TJPF_RGB
    var code: CInt = 0
    var pixels = [UInt8](unsafeUninitializedCapacity: size.width * size.height * stored) {
      pixels, count in
      code = tjDecompress2(
        decompressor, bytes.baseAddress!.assumingMemoryBound(to: UInt8.self), UInt(bytes.count),
        pixels.baseAddress!, CInt(size.width), 0, CInt(size.height), CInt(format.rawValue),
        TJFLAG_LIMITSCANS)
      count =
        code == 0 || tjGetErrorCode(decompressor) == TJERR_WARNING.rawValue
        ? size.width * size.height * stored : 0
    }
    if code != 0 && !(isHarmless(message) && hasEnd(bytes)) { throw damage() }
    guard isCMYK else { return DecodedImage(size: size, channels: channels, pixels: pixels) }
    pixels = JPEG.colors(ofCMYK: pixels, isInverted: header.markers.isAdobe)
    return DecodedImage(size: size, channels: 3, pixels: pixels).converted(toChannels: channels)
  }

  /// Red, green and blue from inks, as in Pillow: (1 - ink) (1 - black).
  ///
  /// Adobe stores 1 - ink.
  private static func colors(ofCMYK pixels: [UInt8], isInverted: Bool) -> [UInt8] {
    let mask: UInt8 = isInverted ? 0 : 0xFF
    return [UInt8](unsafeUninitializedCapacity: pixels.count / 4 * 3) { result, count in
      for i in 0..<pixels.count / 4 {
        let white = Int(pixels[4 * i + 3] ^ mask)
        for c in 0..<3 {
          let product = Int(pixels[4 * i + c] ^ mask) * white + 128
          result[3 * i + c] = UInt8((product + product >> 8) >> 8)
        }
      }
      count = pixels.count / 4 * 3
    }
  }

  private var message: String { String(cString: tjGetErrorStr2(decompressor)) }

  /// Whether a warning of libjpeg is about bytes that are superfluous, as some cameras write them.
  private func isHarmless(_ warning: String) -> Bool {
    tjGetErrorCode(decompressor) == TJERR_WARNING.rawValue
      && (warning.contains("extraneous bytes") || warning.contains("Invalid SOS parameters"))
  }

  /// Whether the file has its end: libjpeg tells of its first warning only.
  private func hasEnd(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard bytes.count >= 2 else { return false }
    return stride(from: bytes.count - 2, through: max(0, bytes.count - 65_536), by: -1).contains {
      bytes[$0] == 0xFF && bytes[$0 + 1] == 0xD9
    }
  }
}

/// What the markers before a JPEG's pixels say.
struct JPEGMarkers {
  /// How the camera was held.
  private(set) var orientation = Orientation.upright
  /// Whether Adobe's software wrote the file, which inverts inks.
  private(set) var isAdobe = false

  init(_ bytes: UnsafeRawBufferPointer) {
    var position = 2
    while position + 4 <= bytes.count, bytes[position] == 0xFF {
      let marker = bytes[position + 1]
      if marker == 0xFF {  // a fill byte
        position += 1
        continue
      }
      let length = Int(bytes[position + 2]) << 8 | Int(bytes[position + 3])
      let end = position + 2 + length
      // The pixels follow a start of scan.
      guard marker != 0xDA, length >= 2, end <= bytes.count else { return }
      let content = UnsafeRawBufferPointer(rebasing: bytes[position + 4..<end])
      if marker == 0xE1, content.starts(with: Array("Exif\0\0".utf8)) {
        orientation =
          JPEGMarkers.orientation(UnsafeRawBufferPointer(rebasing: content.dropFirst(6)))
          ?? orientation
      } else if marker == 0xEE, content.starts(with: Array("Adobe".utf8)) {
        isAdobe = true
      }
      position = end
    }
  }

  /// The tag Orientation of the first directory of a TIFF file; nil where there is none.
  private static func orientation(_ tiff: UnsafeRawBufferPointer) -> Orientation? {
    guard tiff.count >= 8, tiff[0] == tiff[1], tiff[0] == 0x49 || tiff[0] == 0x4D else {
      return nil
    }
    let isLittleEndian = tiff[0] == 0x49
    func number(_ position: Int, _ count: Int) -> Int? {
      guard position + count <= tiff.count else { return nil }
      let bytes = tiff[position..<position + count]
      return isLittleEndian
        ? bytes.reversed().reduce(0) { $0 << 8 | Int($1) } : bytes.reduce(0) { $0 << 8 | Int($1) }
    }
    guard let directory = number(4, 4), let count = number(directory, 2) else { return nil }
    for entry in 0..<count {
      let position = directory + 2 + 12 * entry
      guard let tag = number(position, 2), let value = number(position + 8, 2) else { return nil }
      if tag == 0x0112 { return Orientation(rawValue: value) }
    }
    return nil
  }
}
