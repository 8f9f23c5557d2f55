import Foundation
public import Settings

/// A text in UTF-8, whose characters are the tokens; or tokens as nanoGPT stores them, 16-bit
/// little-endian numbers in a file named `.bin`, or in `train.bin` and possibly `val.bin` of a
/// folder.
///
/// Samples are blocks of `blockSize` tokens, their targets the tokens that come next: for training
/// at random positions, for validation and testing one block after another. Without `val.bin`, the
/// tokens for validation and then those for testing are taken from the end.
public struct TextSource: DataSource {
  /// The file or folder; a leading `~` is the home folder.
  @Setting(
    shared: .path("text file, .bin file of tokens, or folder with train.bin and possibly val.bin"))
  public var path: String?
  /// The number of tokens in `.bin` files; nil infers it.
  @Setting(
    "vocabulary size of .bin files; null infers it as the largest token + 1", in: 1...100_000,
    unset: 0)
  public var classes: Int? = nil
  /// The tokens of a sample.
  @Setting("tokens of a sample", in: 1...(1 << 20), unit: "tokens") public var blockSize = 64
  /// The tokens for validation, near the end: a number, or a fraction below 1; nil is 0.1 unless there
  /// is `val.bin`.
  @Setting(shared: .validation) public var validation: Double?
  /// The tokens for testing, at the end: a number, or a fraction below 1.
  @Setting(shared: .test) public var test: Double?

  private static let expected = "a text file, a .bin file of tokens, or a folder with train.bin"

  /// A source without a path.
  public init() {}

  /// A file or folder.
  public init(path: String) { self.path = path }

  /// Throws when there is no path.
  public func check() throws(SettingError) {
    try requirePath(path, TextSource.expected)
  }

  /// Reads the file or files.
  public func read(_ preparation: SamplePreparation?) throws -> DataSplits {
    let path = expanded(path)
    guard FileManager.default.fileExists(atPath: path) else {
      throw missingPath(path, TextSource.expected)
    }
    let isFolder = isFolder(path)
    let train = try TokenFile(path: isFolder ? path + "/train.bin" : path)
    let validationPath = path + "/val.bin"
    let hasValidation = isFolder && FileManager.default.fileExists(atPath: validationPath)
    let validationFile = hasValidation ? try TokenFile(path: validationPath) : nil
    let plan = try SplitOptions(validation: validation, test: test, method: .last).plan(
      total: train.tokens.count, of: train.name,
      validationFile: hasValidation ? validationPath : nil, testFile: nil)
    let vocabularySize = try vocabularySize(of: [train] + (validationFile.map { [$0] } ?? []))
    func dataset(
      _ file: TokenFile, _ range: Range<Int>, _ windows: TokenDataset.Windows
    ) throws -> TokenDataset {
      let dataset = TokenDataset(
        file.tokens, range, vocabularySize: vocabularySize, blockSize: blockSize, windows: windows)
      guard
        dataset.count > 0 || (windows == .consecutive && range.isEmpty && file.name == train.name)
      else {
        throw tooLong(for: range, of: file, windows, hasValidation: hasValidation)
      }
      return dataset
    }
    let count = train.tokens.count
    let testStart = count - plan.test
    let trainCount = testStart - plan.validation
    return DataSplits(
      train: try dataset(train, 0..<trainCount, .anywhere),
      validation: try validationFile.map { try dataset($0, $0.tokens.indices, .consecutive) }
        ?? dataset(train, trainCount..<testStart, .consecutive),
      test: try dataset(train, testStart..<count, .consecutive),
      preparation: SamplePreparation(codec: train.codec))
  }

  private func tooLong(
    for range: Range<Int>, of file: TokenFile, _ windows: TokenDataset.Windows, hasValidation: Bool
  ) -> SettingError {
    let part = windows == .anywhere ? "training" : "validation or test"
    return SettingError(
      "blockSize",
      "is \(blockSize), too long for the \(range.count) \(part) tokens of \(file.name), which must "
        + "be more: choose shorter blocks"
        + (windows == .anywhere || hasValidation ? "" : ", or hold out more tokens"))
  }

  /// The number of different characters of a text; with token files what was declared, or one more
  /// than the largest token.
  private func vocabularySize(of files: [TokenFile]) throws -> Int {
    if let codec = files[0].codec {
      if let classes {
        throw SettingError(
          "classes",
          "is \(classes), but \(files[0].name) is a text, whose \(codec.vocabularySize) characters "
            + "are counted: remove it")
      }
      return codec.vocabularySize
    }
    for file in files {
      guard let classes, let place = file.tokens.firstIndex(where: { $0 >= classes }) else {
        continue
      }
      throw DataError(
        .malformed,
        "\(file.name): token \(file.tokens[place]) at byte \(2 * place) is out of range: 'classes' "
          + "is \(classes), so tokens are 0...\(classes - 1)")
    }
    return classes ?? files.map { Int($0.tokens.max() ?? 0) + 1 }.max() ?? 0
  }
}

extension DataFormat {
  /// A text, or files of tokens.
  static let text = DataFormat("text", TextSource(), isText: true)
}
