import Base

/// The tokens of texts.
struct TextTokens {
  let tokens: TokenStorage
  let tokenizer: Tokenizer

  /// Reads texts, whose characters are the tokens.
  ///
  /// The vocabulary is that of the texts, unless another one is given. Documents are joined by a line
  /// break.
  ///
  /// Throws a `DataError` for a character that is not in the vocabulary.
  init(charactersOf files: TextFiles, _ given: CharacterCodec? = nil) throws {
    // Decoded twice: a list of all characters would take four times the files' size.
    var isUsed = [Bool](repeating: false, count: 0x11_0000)
    var (count, documents) = (0, 0)
    try files.forEachPart(isWhole: false) { text, endsDocument in
      text.forEachScalar {
        isUsed[Int($0)] = true
        count += 1
      }
      if endsDocument { documents += 1 }
    }
    let lineBreak = UInt32(UInt8(ascii: "\n"))
    if documents > 1 { isUsed[Int(lineBreak)] = true }
    let used = isUsed.indices.filter { isUsed[$0] }.map { Unicode.Scalar(UInt32($0))! }
    let codec = given ?? CharacterCodec(characters: used)
    tokenizer = .characters(codec)
    if given != nil {
      do {
        var text = String.UnicodeScalarView()
        text.append(contentsOf: used)
        _ = try codec.encode(String(text))
      } catch let error as DataError {
        throw DataError(.malformed, "\(files.paths[0]): \(error.message)")
      }
    }
    var tokenOf = [UInt32](repeating: 0, count: 0x11_0000)
    for (token, character) in codec.characters.enumerated() {
      tokenOf[Int(character.value)] = UInt32(token)
    }
    func read<Token: FixedWidthInteger>(_: Token.Type) throws -> [Token] {
      var tokens: [Token] = []
      tokens.reserveCapacity(count + documents)
      var isBetween = false
      try files.forEachPart(isWhole: false) { text, endsDocument in
        if isBetween { tokens.append(Token(truncatingIfNeeded: tokenOf[Int(lineBreak)])) }
        text.forEachScalar { tokens.append(Token(truncatingIfNeeded: tokenOf[Int($0)])) }
        isBetween = endsDocument
      }
      return tokens
    }
    tokens =
      codec.vocabularySize <= 1 << 16
      ? TokenStorage(try read(UInt16.self)) : TokenStorage(try read(UInt32.self))
  }

  /// Reads texts, and encodes them with a tokenizer; after each document comes the token for the end of
  /// a text, if there is one.
  init(_ files: TextFiles, _ tokenizer: BytePairTokenizer) throws {
    self.tokenizer = .bytePairs(tokenizer)
    func read<Token: FixedWidthInteger>(_: Token.Type) throws -> [Token] {
      var tokens: [Token] = []
      var counts = (bytes: 0, documents: 0)
      try tokenizer.forEachToken(of: files, counts: &counts) {
        tokens.append(Token(truncatingIfNeeded: $0))
      }
      return tokens
    }
    tokens =
      tokenizer.vocabularySize <= 1 << 16
      ? TokenStorage(try read(UInt16.self)) : TokenStorage(try read(UInt32.self))
  }
}

extension BytePairTokenizer {
  /// Calls a closure with each token of texts; after each document comes the token for the end of a
  /// text, if there is one.
  ///
  /// Adds the bytes and the documents of the texts to `counts`.
  package func forEachToken(
    of files: TextFiles, counts: inout (bytes: Int, documents: Int), _ body: (Int32) -> Void
  ) throws {
    let encoder = BytePairEncoder(self)
    try files.forEachPart(isWhole: !allowsParts) { text, endsDocument in
      try encoder.encode(text, body)
      counts.bytes += text.count
      if endsDocument {
        counts.documents += 1
        if let endOfText { body(endOfText) }
      }
    }
  }
}

extension UTF8Bytes {
  /// Calls a closure with the value of each Unicode scalar.
  fileprivate func forEachScalar(_ body: (UInt32) -> Void) {
    var i = 0
    while i < count {
      let (value, width) = scalar(at: i)
      body(value)
      i += width
    }
  }
}
