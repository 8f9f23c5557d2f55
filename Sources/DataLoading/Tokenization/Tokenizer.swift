/// How text becomes tokens, and tokens become text.
public enum Tokenizer: Sendable, Equatable {
  /// Each character is a token.
  case characters(CharacterCodec)
  /// Parts of words are tokens.
  case bytePairs(BytePairTokenizer)

  /// The number of tokens.
  public var vocabularySize: Int {
    switch self {
    case .characters(let codec): codec.vocabularySize
    case .bytePairs(let tokenizer): tokenizer.vocabularySize
    }
  }

  /// The token at the end of a document; nil if there is none, as with characters.
  public var endOfText: Int32? {
    switch self {
    case .characters: nil
    case .bytePairs(let tokenizer): tokenizer.endOfText
    }
  }

  /// The tokens of a text.
  ///
  /// Throws a `DataError` for a character that has no token.
  public func encode(_ text: String) throws -> [Int32] {
    switch self {
    case .characters(let codec): try codec.encode(text)
    case .bytePairs(let tokenizer): try tokenizer.encode(text)
    }
  }

  /// The text of tokens, each of which is in `0..<vocabularySize`; bytes that are no UTF-8 become
  /// U+FFFD.
  public func decode(_ tokens: some Sequence<Int32>) -> String {
    String(decoding: tokens.flatMap { bytes(of: $0) }, as: UTF8.self)
  }

  /// The bytes of a token's text in UTF-8, which may be a part of a character.
  public func bytes(of token: Int32) -> [UInt8] {
    switch self {
    case .characters(let codec): Array(codec.decode([token]).utf8)
    case .bytePairs(let tokenizer): tokenizer.bytes(of: token)
    }
  }

  /// How many bytes of text each token stands for; none for special tokens.
  public var byteCounts: [Int] {
    switch self {
    case .characters(let codec): codec.characters.map { UTF8.width($0) }
    case .bytePairs(let tokenizer): tokenizer.byteCounts
    }
  }
}
