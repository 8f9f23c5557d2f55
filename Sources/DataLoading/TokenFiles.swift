import Foundation

/// A text or token files as tokens, before they are cut into windows.
struct TokenFiles {
  let name: String
  let tokens: [UInt16]
  /// What the tokens of a text stand for; nil for those of token files.
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

  /// Reads a text in UTF-8, a byte-order mark left out.
  init(_ reader: ByteReader) throws {
    let text = try TokenFiles.characters(of: reader)
    let codec = CharacterCodec(charactersOf: text)
    guard codec.vocabularySize <= 1 << 16 else {
      throw reader.malformed("has \(codec.vocabularySize) different characters: 65536 are possible")
    }
    var tokens: [Unicode.Scalar: UInt16] = [:]
    for (token, character) in codec.characters.enumerated() { tokens[character] = UInt16(token) }
    name = reader.name
    self.codec = codec
    self.tokens = text.map { tokens[$0]! }
  }

  private static func characters(of reader: ByteReader) throws -> [Unicode.Scalar] {
    let bytes = try reader.remainingBytes()
    var text: [Unicode.Scalar] = []
    text.reserveCapacity(bytes.count)
    var iterator = bytes.makeIterator()
    var decoder = UTF8()
    var position = 0
    while true {
      switch decoder.decode(&iterator) {
      case .scalarValue(let character):
        if position > 0 || character != "\u{FEFF}" { text.append(character) }
        position += UTF8.width(character)
      case .emptyInput: return text
      case .error:
        throw reader.malformed(
          "byte \(position) is \(bytes[position]), which is not UTF-8 there: "
            + "convert the text, or name a file of tokens .bin")
      }
    }
  }
}

extension DataSource {
  static let defaultBlockSize = 64
  static let defaultTestFraction = 0.1

  /// Reads a text or token files and cuts them into windows.
  func openText(_ path: String, isFolder: Bool) throws -> DataSplits {
    let train = try TokenFiles(path: isFolder ? path + "/train.bin" : path)
    let validationPath = path + "/val.bin"
    let hasValidation = isFolder && FileManager.default.fileExists(atPath: validationPath)
    guard !hasValidation || testFraction == nil else {
      throw DataError(
        .configuration, "data.testFraction: \(validationPath) is the validation set: remove it")
    }
    let test = hasValidation ? try TokenFiles(path: validationPath) : nil
    let vocabularySize = try vocabularySize(of: [train] + (test.map { [$0] } ?? []))
    func dataset(
      _ file: TokenFiles, _ range: Range<Int>, _ windows: TokenDataset.Windows
    ) throws -> TokenDataset {
      let dataset = TokenDataset(
        file.tokens, range, vocabularySize: vocabularySize,
        blockSize: blockSize ?? DataSource.defaultBlockSize, windows: windows)
      guard dataset.count > 0 || (windows == .consecutive && range.isEmpty && test == nil) else {
        throw DataError(
          .configuration,
          "data.blockSize: \(dataset.blockSize) is too long for the \(range.count) "
            + "\(windows == .anywhere ? "training" : "validation") tokens of \(file.name), which "
            + "must be more: choose shorter blocks"
            + (windows == .anywhere || test != nil ? "" : ", or another data.testFraction"))
      }
      return dataset
    }
    if let test {
      return DataSplits(
        train: try dataset(train, train.tokens.indices, .anywhere),
        test: try dataset(test, test.tokens.indices, .consecutive))
    }
    let count = train.tokens.count
    let bound = Int(Double(count) * (1 - (testFraction ?? DataSource.defaultTestFraction)))
    return DataSplits(
      train: try dataset(train, 0..<bound, .anywhere),
      test: try dataset(train, bound..<count, .consecutive), codec: train.codec)
  }

  /// A text's number of characters; with token files what was declared, or one more than the
  /// largest token.
  private func vocabularySize(of files: [TokenFiles]) throws -> Int {
    if let codec = files[0].codec {
      guard classes == nil else {
        throw DataError(
          .configuration,
          "data.classes: \(files[0].name) is a text, whose \(codec.vocabularySize) characters are "
            + "counted: remove it")
      }
      return codec.vocabularySize
    }
    for file in files {
      guard let classes, let place = file.tokens.firstIndex(where: { $0 >= classes }) else {
        continue
      }
      throw DataError(
        .malformed,
        "\(file.name): token \(file.tokens[place]) at byte \(2 * place) is not one of "
          + "data.classes: \(classes), which are 0...\(classes - 1)")
    }
    return classes ?? files.map { Int($0.tokens.max() ?? 0) + 1 }.max() ?? 0
  }
}
