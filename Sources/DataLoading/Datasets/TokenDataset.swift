/// Windows of a sequence of tokens: a sample is a block of tokens, its targets the next token at each
/// position.
///
/// Windows that may begin anywhere overlap; an epoch draws as many of them at random as blocks fit
/// into the sequence. Consecutive windows do not overlap, and an epoch has each of them once.
public struct TokenDataset: Dataset {
  /// Where windows begin.
  public enum Windows: Sendable {
    /// At any token: for training.
    case anywhere
    /// At every `blockSize`-th token, without an incomplete last window: for evaluation.
    case consecutive
  }

  /// The bytes of tokens up to which all of them are checked and counted into the fingerprint.
  static let fullyReadLimit = 1 << 26

  /// The tokens of a sample.
  public let blockSize: Int
  /// The number of distinct tokens.
  public let vocabularySize: Int
  /// The number of windows.
  public let count: Int
  /// A checksum of the tokens and of the windows.
  ///
  /// Of more than 64 MiB of tokens in a file, 257 evenly spaced blocks of 64 KiB and the number of tokens
  /// are counted into it, so that a run starts at once.
  public let fingerprint: UInt64
  private let name: String
  private let tokens: TokenStorage
  private let range: Range<Int>  // of the tokens: splits share one storage
  private let windows: Windows

  /// Cuts tokens of `0..<vocabularySize` into windows.
  public init(_ tokens: [UInt16], vocabularySize: Int, blockSize: Int, windows: Windows) {
    let storage = TokenStorage(tokens)
    let largest = storage.largest(in: 0..<storage.count) ?? 0
    precondition(
      largest < max(vocabularySize, 1),
      "TokenDataset: token \(largest), there are \(vocabularySize)")
    self.init(
      "tokens", storage, 0..<storage.count, vocabularySize: vocabularySize, blockSize: blockSize,
      windows: windows, limit: TokenDataset.fullyReadLimit)
  }

  /// Cuts some of the tokens of a file into windows; each token is checked when it is read.
  init(
    _ name: String, _ tokens: TokenStorage, _ range: Range<Int>, vocabularySize: Int,
    blockSize: Int, windows: Windows, tokenizer: Tokenizer? = nil,
    limit: Int = TokenDataset.fullyReadLimit
  ) {
    precondition(blockSize > 0, "TokenDataset: blocks of \(blockSize) tokens")
    (self.name, self.tokens, self.range) = (name, tokens, range)
    self.vocabularySize = vocabularySize
    self.blockSize = blockSize
    self.windows = windows
    count = TokenDataset.blocks(in: range.count, blockSize, windows)
    var hash = Fingerprint()
    hash.combine([vocabularySize, blockSize, windows == .anywhere ? 1 : 0])
    if !tokens.isMapped || range.count * tokens.width <= limit {
      hash.combine(count: range.count, tokens, range)
    } else {
      hash.combine([range.count, tokens.width])
      for part in TokenDataset.sampledRanges(of: range, tokens.width) {
        hash.combine(count: part.count, tokens, part)
      }
    }
    if case .bytePairs(let tokenizer) = tokenizer { hash.combine(Array(tokenizer.json.utf8)) }
    fingerprint = hash.value
  }

  /// 257 evenly spaced blocks of 64 KiB, among them the first and the last.
  private static func sampledRanges(of range: Range<Int>, _ width: Int) -> [Range<Int>] {
    let length = (1 << 16) / width
    return (0...256).map { part in
      let start = range.lowerBound + (range.count - length) / 256 * part
      return part == 256
        ? range.upperBound - length..<range.upperBound : start..<start + length
    }
  }

  /// The number of windows with a next token at each position.
  private static func blocks(in count: Int, _ blockSize: Int, _ windows: Windows) -> Int {
    max(0, windows == .anywhere ? count - blockSize : (count - 1) / blockSize)
  }

  /// The number of tokens.
  public var tokenCount: Int { range.count }
  /// The shape of one input: `[blockSize]`.
  public var inputShape: [Int] { [blockSize] }
  /// Tokens.
  public var inputKind: InputKind { .tokens(count: vocabularySize) }
  /// The next token at each position.
  public var targetKind: TargetKind { .tokens(count: vocabularySize, length: blockSize) }

  /// The number of blocks that fit into the sequence, if windows may begin anywhere.
  public var drawsPerEpoch: Int? {
    windows == .anywhere ? TokenDataset.blocks(in: range.count, blockSize, .consecutive) : nil
  }

  /// Writes the windows at `indices` one after another.
  ///
  /// Throws a `DataError` for a token that is not in the vocabulary.
  public func read(_ indices: ArraySlice<Int>, epoch: Int?, into buffers: SampleBuffers) throws {
    for (row, index) in indices.enumerated() {
      precondition(
        index >= 0 && index < count, "TokenDataset: no window \(index), there are \(count)")
      let start = range.lowerBound + index * (windows == .anywhere ? 1 : blockSize)
      let inputs = buffers.tokens.baseAddress! + row * blockSize
      let labels = buffers.labels.baseAddress! + row * blockSize
      let largest = max(
        tokens.copy(start..<start + blockSize, to: inputs),
        tokens.copy(start + 1..<start + blockSize + 1, to: labels))
      guard largest < vocabularySize else {
        let place = tokens.firstIndex(in: start..<start + blockSize + 1, notBelow: vocabularySize)!
        throw TokenDataset.outOfRange(tokens, place, vocabularySize, name)
      }
    }
  }

  /// The error of a token that is not in the vocabulary.
  static func outOfRange(
    _ tokens: TokenStorage, _ place: Int, _ vocabularySize: Int, _ name: String
  ) -> DataError {
    DataError(
      .malformed,
      "\(name): token \(tokens[place]) at byte \(tokens.byte(of: place)) is out of range: the "
        + "vocabulary has \(vocabularySize) tokens, 0...\(vocabularySize - 1); use the tokenizer that "
        + "the file was made with, or correct 'classes'")
  }
}

extension Fingerprint {
  /// Adds tokens: their count and a checksum of their bytes.
  fileprivate mutating func combine(count: Int, _ tokens: TokenStorage, _ range: Range<Int>) {
    tokens.withBytes(range) { combine(count: count, $0) }
  }
}
