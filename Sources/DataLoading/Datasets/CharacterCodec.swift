/// Translates between text and tokens: each different character of a text is one token.
///
/// A character is a Unicode scalar, as in Python, and tokens count them in the order of their
/// values, so that the vocabulary of a text is the same as `sorted(set(text))` there.
public struct CharacterCodec: Sendable, Equatable {
  /// The characters, one for each token.
  public let characters: [Unicode.Scalar]
  private let tokens: [Unicode.Scalar: Int32]

  /// Takes these characters, the first of which is token zero; one that comes again is left out.
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

  /// Takes all characters of a text, in the order of their values.
  public init(charactersOf text: some Sequence<Unicode.Scalar>) {
    self.init(characters: Set(text).sorted())
  }

  /// How many tokens there are.
  public var vocabularySize: Int { characters.count }

  /// The tokens of a text.
  ///
  /// Throws a `DataError` at a character that has none.
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

  /// All characters as one text.
  public var alphabet: String {
    var text = String.UnicodeScalarView()
    text.append(contentsOf: characters)
    return String(text)
  }
}
