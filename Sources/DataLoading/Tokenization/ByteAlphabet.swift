/// The characters that stand for bytes in the files of byte-level tokenizers, as GPT-2 defined them
/// (`bytes_to_unicode` in `encoder.py` of openai/gpt-2): printable bytes stand for themselves, the
/// others for the characters from U+0100 on.
enum ByteAlphabet {
  /// The character of each byte.
  static let characters: [Unicode.Scalar] = {
    var next = UInt32(0x100)
    return (0...255).map { (byte: UInt32) in
      switch byte {
      case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: return Unicode.Scalar(byte)!
      default:
        defer { next += 1 }
        return Unicode.Scalar(next)!
      }
    }
  }()

  private static let bytes: [UInt8?] = {
    var bytes = [UInt8?](repeating: nil, count: 0x180)
    for (byte, character) in characters.enumerated() { bytes[Int(character.value)] = UInt8(byte) }
    return bytes
  }()

  /// The bytes that a text stands for; nil if one of its characters stands for none.
  static func bytes(of text: String) -> [UInt8]? {
    var result: [UInt8] = []
    result.reserveCapacity(text.utf8.count)
    for character in text.unicodeScalars {
      guard character.value < 0x180, let byte = bytes[Int(character.value)] else { return nil }
      result.append(byte)
    }
    return result
  }

  /// The characters that stand for bytes.
  static func text(of bytes: [UInt8]) -> String {
    var text = String.UnicodeScalarView()
    for byte in bytes { text.append(characters[Int(byte)]) }
    return String(text)
  }
}
