import Base
import Foundation
public import Settings

/// Texts in UTF-8, or files of tokens.
///
/// Texts are a file, a folder of `.txt` and `.jsonl` files, or those that fit a pattern such as
/// `texts/*.txt`. Their tokens are their characters, or those of a tokenizer. Files of tokens are
/// named `.bin` and have nanoGPT's or llm.c's layout: one file, or `train.bin` and possibly `val.bin`
/// in a folder. They are mapped into memory, and may be larger than it.
///
/// Samples are blocks of `blockSize` tokens, their targets the tokens that come next: for training
/// at random positions, for validation and testing one block after another. Without `val.bin`, the
/// tokens for validation and then those for testing are taken from the end.
public struct TextSource: DataSource {
  /// The file, folder or pattern; a leading `~` is the home folder.
  @Setting(
    shared: .path(
      "text file, .jsonl file, folder or pattern of them; .bin file of tokens, or folder with train.bin and possibly val.bin"
    ))
  public var path: String?
  /// The tokenizer of texts: `characters`, or the path of one.
  ///
  /// For token files it is the one beside them, `tokenizer.json`, unless another is named.
  @Setting(
    "characters, or the path of a byte-level BPE tokenizer: tokenizer.json, or a folder with it or with vocab.json and merges.txt; token files use the tokenizer.json beside them",
    mayChangeOnResume: true, perRank: true)
  public var tokenizer = TextSource.characters
  /// The key of the text in the objects of `.jsonl` files.
  @Setting("key of the text in the objects of .jsonl files") public var textField = "text"
  /// The number of tokens; nil is that of the tokenizer, or with `.bin` files without one the largest
  /// token + 1.
  @Setting(
    "vocabulary size; null is that of the tokenizer, or of .bin files without one the largest token + 1",
    in: 1...(1 << 20), unset: 0)
  public var classes: Int? = nil
  /// The tokens of a sample.
  @Setting("tokens of a sample", in: 1...(1 << 20), unit: "tokens") public var blockSize = 64
  /// The tokens for validation, near the end: a number, or a fraction below 1; nil is 0.1 unless there
  /// is `val.bin`.
  @Setting(shared: .validation) public var validation: Double?
  /// The tokens for testing, at the end: a number, or a fraction below 1.
  @Setting(shared: .test) public var test: Double?

  /// The value of `tokenizer` that makes characters tokens.
  private static let characters = "characters"
  private static let expected =
    "\(TextFiles.expected); a .bin file of tokens, or a folder with train.bin"

  /// A source without a path.
  public init() {}

  /// A file or folder.
  public init(path: String) { self.path = path }

  /// Throws when there is no path.
  public func check() throws(SettingError) {
    try requirePath(path, TextSource.expected)
    guard !tokenizer.isEmpty else {
      throw SettingError(
        "tokenizer", "is empty; expected characters or \(BytePairTokenizer.expected)")
    }
  }

  /// Reads the file or files.
  public func read(_ preparation: SamplePreparation?) throws -> DataSplits {
    let path = expanded(path)
    let trained = preparation?.tokenizer
    let trainPath = isFolder(path) ? path + "/train.bin" : path
    if trainPath.hasSuffix(".bin"), FileManager.default.fileExists(atPath: trainPath) {
      return try readTokens(
        trainPath, validation: isFolder(path) ? path + "/val.bin" : nil, trained)
    }
    let files = TextFiles(TextFiles.paths(at: path), field: textField)
    guard let first = files.paths.first else { throw missingPath(path, TextSource.expected) }
    let text =
      switch try trained ?? namedTokenizer().map({ .bytePairs($0) }) {
      case .bytePairs(let tokenizer): try TextTokens(files, tokenizer)
      case .characters(let codec): try TextTokens(charactersOf: files, codec)
      case nil: try TextTokens(charactersOf: files)
      }
    if case .characters(let codec) = text.tokenizer, let classes {
      throw SettingError(
        "classes",
        "is \(classes), but the tokens are the \(codec.vocabularySize) characters of \(first), which "
          + "are counted: remove it")
    }
    return try splits(
      (files.paths.count == 1 ? first : path, text.tokens), validationFile: nil,
      vocabularySize: vocabularySize(of: text.tokenizer)!, text.tokenizer)
  }

  /// Maps files of tokens.
  private func readTokens(
    _ path: String, validation validationPath: String?, _ trained: Tokenizer?
  ) throws -> DataSplits {
    let validationPath = validationPath.flatMap {
      FileManager.default.fileExists(atPath: $0) ? $0 : nil
    }
    let folder = NSString(string: path).deletingLastPathComponent
    let beside = (folder.isEmpty ? "." : folder) + "/" + BytePairTokenizer.fileName
    let found =
      try namedTokenizer()
      ?? (FileManager.default.fileExists(atPath: beside) ? BytePairTokenizer(path: beside) : nil)
    let tokenizer = found.map { Tokenizer.bytePairs($0) } ?? trained
    if let trained, let tokenizer, trained != tokenizer {
      throw DataError(
        .malformed,
        "\(path): its tokenizer is not the model's, so its tokens mean something else: tokenize the "
          + "texts with the model's, which is in its checkpoints")
    }
    let known = try vocabularySize(of: tokenizer)
    let train = try TokenFile(path: path, vocabularySize: known)
    let validation = try validationPath.map { try TokenFile(path: $0, vocabularySize: known) }
    let files = [train] + (validation.map { [$0] } ?? [])
    let size =
      known ?? files.map { ($0.tokens.largest(in: 0..<$0.tokens.count) ?? -1) + 1 }.max() ?? 0
    for file in files { try file.check(vocabularySize: size) }
    return try splits(
      (train.name, train.tokens), validationFile: validation.map { ($0.name, $0.tokens) },
      vocabularySize: size, tokenizer)
  }

  /// The tokenizer that the setting names; nil for characters.
  private func namedTokenizer() throws -> BytePairTokenizer? {
    guard tokenizer != TextSource.characters else { return nil }
    let path = expanded(tokenizer)
    guard FileManager.default.fileExists(atPath: path) else {
      throw SettingError(
        "tokenizer",
        "is '\(path)': no such file or directory; expected characters or \(BytePairTokenizer.expected)",
        exitStatus: .inputMissing)
    }
    return try BytePairTokenizer(path: path)
  }

  /// The number of tokens that a model has: the tokenizer's, unless `classes` says more.
  private func vocabularySize(of tokenizer: Tokenizer?) throws(SettingError) -> Int? {
    guard let size = tokenizer?.vocabularySize else { return classes }
    guard let classes else { return size }
    guard classes >= size else {
      throw SettingError(
        "classes",
        "is \(classes), but the tokenizer has \(size) tokens: remove it, or set \(size) or more")
    }
    return classes
  }

  /// The windows of the tokens.
  private func splits(
    _ train: (name: String, tokens: TokenStorage),
    validationFile: (name: String, tokens: TokenStorage)?, vocabularySize: Int,
    _ tokenizer: Tokenizer?
  ) throws -> DataSplits {
    let plan = try SplitOptions(validation: validation, test: test, method: .last).plan(
      total: train.tokens.count, of: train.name, validationFile: validationFile?.name,
      testFile: nil)
    func dataset(
      _ file: (name: String, tokens: TokenStorage), _ range: Range<Int>,
      _ windows: TokenDataset.Windows
    ) throws -> TokenDataset {
      let dataset = TokenDataset(
        file.name, file.tokens, range, vocabularySize: vocabularySize, blockSize: blockSize,
        windows: windows, tokenizer: tokenizer)
      guard
        dataset.count > 0 || (windows == .consecutive && range.isEmpty && file.name == train.name)
      else {
        throw tooLong(for: range, of: file.name, windows, hasValidation: validationFile != nil)
      }
      return dataset
    }
    let count = train.tokens.count
    let testStart = count - plan.test
    let trainCount = testStart - plan.validation
    return DataSplits(
      train: try dataset(train, 0..<trainCount, .anywhere),
      validation: try validationFile.map {
        try dataset($0, 0..<$0.tokens.count, .consecutive)
      } ?? dataset(train, trainCount..<testStart, .consecutive),
      test: try dataset(train, testStart..<count, .consecutive),
      preparation: SamplePreparation(tokenizer: tokenizer))
  }

  private func tooLong(
    for range: Range<Int>, of name: String, _ windows: TokenDataset.Windows, hasValidation: Bool
  ) -> SettingError {
    let part = windows == .anywhere ? "training" : "validation or test"
    return SettingError(
      "blockSize",
      "is \(blockSize), too long for the \(range.count) \(part) tokens of \(name), which must "
        + "be more: choose shorter blocks"
        + (windows == .anywhere || hasValidation ? "" : ", or hold out more tokens"))
  }
}

extension DataFormat {
  /// A text, or files of tokens.
  static let text = DataFormat("text", TextSource(), isText: true)
}
