// Text as bytes of UTF-8: tokenizers read bytes, which is many times faster than characters.

/// Bytes of text in UTF-8.
typealias UTF8Bytes = UnsafeBufferPointer<UInt8>

extension UTF8Bytes {
  /// The Unicode scalar that begins at a byte, and its width in bytes; the bytes are valid UTF-8.
  @inline(__always)
  func scalar(at index: Int) -> (value: UInt32, width: Int) {
    let first = self[index]
    if first < 0x80 { return (UInt32(first), 1) }
    let second = UInt32(self[index + 1] & 0x3F)
    if first < 0xE0 { return (UInt32(first & 0x1F) << 6 | second, 2) }
    let third = UInt32(self[index + 2] & 0x3F)
    if first < 0xF0 { return (UInt32(first & 0x0F) << 12 | second << 6 | third, 3) }
    let fourth = UInt32(self[index + 3] & 0x3F)
    return (UInt32(first & 0x07) << 18 | second << 12 | third << 6 | fourth, 4)
  }

  /// The length of the longest beginning that is valid UTF-8, how many of the next bytes belong to one
  /// wrong character, and whether that would become valid with more bytes.
  func validPrefix() -> (count: Int, wrong: Int, isCutOff: Bool) {
    var i = 0
    while i < count {
      let first = self[i]
      if first < 0x80 {
        i += 1
        // Eight bytes at a time while they are ASCII.
        while i + 8 <= count {
          let word = UnsafeRawPointer(baseAddress! + i).loadUnaligned(as: UInt64.self)
          if word & 0x8080_8080_8080_8080 != 0 { break }
          i += 8
        }
        continue
      }
      let width: Int
      var lowest: UInt8 = 0x80
      var highest: UInt8 = 0xBF
      switch first {
      case 0xC2...0xDF: width = 2
      case 0xE0: (width, lowest) = (3, 0xA0)
      case 0xED: (width, highest) = (3, 0x9F)  // no surrogates
      case 0xE1...0xEF: width = 3
      case 0xF0: (width, lowest) = (4, 0x90)
      case 0xF1...0xF3: width = 4
      case 0xF4: (width, highest) = (4, 0x8F)
      default: return (i, 1, false)
      }
      for k in 1..<width {
        guard i + k < count else { return (i, k, true) }
        let byte = self[i + k]
        guard byte >= lowest, byte <= highest else { return (i, k, false) }
        (lowest, highest) = (0x80, 0xBF)
      }
      i += width
    }
    return (i, 0, false)
  }
}

extension String {
  /// Calls a closure with the text's bytes.
  func withUTF8Bytes<R>(_ body: (UTF8Bytes) throws -> R) rethrows -> R {
    var copy = self
    return try copy.withUTF8(body)
  }
}
