import Foundation

/// A text or a file of tokens, before it is cut into windows.
struct TokenFile {
  let name: String
  let tokens: [UInt16]
  /// The characters that the tokens of a text stand for; nil for a file of tokens.
  let codec: CharacterCodec?

  /// Reads a file of tokens if it is named `.bin`, else a text.
  init(path: String) throws {
    if path.hasSuffix(".bin") {
      try self.init(tokenFile: path)
    } else {
      try self.init(ByteReader(path: path))
    }
  }

  /// Reads tokens as nanoGPT stores them: 16-bit little-endian numbers and nothing else.
  private init(tokenFile path: String) throws {
    // Two tokens could look like the beginning of a gzip file.
    let reader = try ByteReader(path: path, inflates: false)
    let bytes = try reader.remainingBytes()
    guard bytes.count.isMultiple(of: 2) else {
      throw reader.malformed(
        "ends in the middle of a token at byte \(bytes.count): tokens are 16-bit numbers")
    }
    name = path
    codec = nil
    tokens = bytes.withUnsafeBytes { raw in
      (0..<raw.count / 2).map {
        UInt16(littleEndian: raw.loadUnaligned(fromByteOffset: 2 * $0, as: UInt16.self))
      }
    }
  }

  /// Reads a text in UTF-8, without its byte-order mark.
  init(_ reader: ByteReader) throws {
    // Decoded twice: a list of all characters would take four times the file's size.
    let bytes = try reader.remainingBytes()
    var characters: Set<Unicode.Scalar> = []
    var count = 0
    try TokenFile.forEachCharacter(in: bytes, of: reader) {
      characters.insert($0)
      count += 1
    }
    let codec = CharacterCodec(charactersOf: characters)
    guard codec.vocabularySize <= 1 << 16 else {
      throw reader.malformed("has \(codec.vocabularySize) different characters: 65536 are possible")
    }
    var tokenOf: [Unicode.Scalar: UInt16] = [:]
    for (token, character) in codec.characters.enumerated() { tokenOf[character] = UInt16(token) }
    var tokens: [UInt16] = []
    tokens.reserveCapacity(count)
    try TokenFile.forEachCharacter(in: bytes, of: reader) { tokens.append(tokenOf[$0]!) }
    name = reader.name
    self.codec = codec
    self.tokens = tokens
  }

  /// Decodes UTF-8, without its byte-order mark.
  private static func forEachCharacter(
    in bytes: [UInt8], of reader: ByteReader, _ body: (Unicode.Scalar) -> Void
  ) throws {
    var iterator = bytes.makeIterator()
    var decoder = UTF8()
    var position = 0
    while true {
      switch decoder.decode(&iterator) {
      case .scalarValue(let character):
        if position > 0 || character != "\u{FEFF}" { body(character) }
        position += UTF8.width(character)
      case .emptyInput: return
      case .error:
        throw reader.malformed(
          "byte \(position) is \(bytes[position]), which is not UTF-8 there: "
            + "convert the text, or name a file of tokens .bin")
      }
    }
  }
}
