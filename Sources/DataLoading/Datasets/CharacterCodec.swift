/// Encodes text as tokens and decodes it: each distinct character is one token.
///
/// A character is a Unicode scalar, as in Python, and tokens number them in the order of their
/// values: the vocabulary of a text is Python's `sorted(set(text))`.
public struct CharacterCodec: Sendable, Equatable {
  /// The characters, one for each token.
  public let characters: [Unicode.Scalar]
  private let tokens: [Unicode.Scalar: Int32]

  /// A codec of these characters, the first of which is token 0; duplicates are left out.
  public init(characters: some Sequence<Unicode.Scalar>) {
    var tokens: [Unicode.Scalar: Int32] = [:]
    var distinct: [Unicode.Scalar] = []
    for character in characters where tokens[character] == nil {
      tokens[character] = Int32(distinct.count)
      distinct.append(character)
    }
    self.characters = distinct
    self.tokens = tokens
  }

  /// A codec of all characters of a text, in the order of their values.
  public init(charactersOf text: some Sequence<Unicode.Scalar>) {
    self.init(characters: Set(text).sorted())
  }

  /// The number of tokens.
  public var vocabularySize: Int { characters.count }

  /// The tokens of a text.
  ///
  /// Throws a `DataError` for a character that has no token.
  public func encode(_ text: String) throws -> [Int32] {
    try text.unicodeScalars.enumerated().map { index, character in
      guard let token = tokens[character] else {
        throw DataError(
          .malformed,
          "character \(index + 1) of the text, \(String(character).debugDescription), is not one "
            + "of the \(vocabularySize) that the model knows: \(alphabet.debugDescription)")
      }
      return token
    }
  }

  /// The text of tokens, each of which is in `0..<vocabularySize`.
  public func decode(_ tokens: some Sequence<Int32>) -> String {
    var text = String.UnicodeScalarView()
    for token in tokens {
      precondition(
        characters.indices.contains(Int(token)),
        "CharacterCodec.decode: token \(token), there are \(vocabularySize)")
      text.append(characters[Int(token)])
    }
    return String(text)
  }

  /// All characters, in the order of their tokens.
  public var alphabet: String {
    var text = String.UnicodeScalarView()
    text.append(contentsOf: characters)
    return String(text)
  }
}
