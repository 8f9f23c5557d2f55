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

  /// The tokens of a sample.
  public let blockSize: Int
  /// The number of distinct tokens.
  public let vocabularySize: Int
  /// The number of windows.
  public let count: Int
  /// A checksum of the tokens and of the windows.
  public let fingerprint: UInt64
  private let tokens: [UInt16]
  private let range: Range<Int>  // of the tokens: splits share one array
  private let windows: Windows

  /// Cuts tokens of `0..<vocabularySize` into windows.
  public init(_ tokens: [UInt16], vocabularySize: Int, blockSize: Int, windows: Windows) {
    self.init(
      tokens, tokens.indices, vocabularySize: vocabularySize, blockSize: blockSize,
      windows: windows)
  }

  init(
    _ tokens: [UInt16], _ range: Range<Int>, vocabularySize: Int, blockSize: Int, windows: Windows
  ) {
    precondition(blockSize > 0, "TokenDataset: blocks of \(blockSize) tokens")
    let part = Array(tokens[range])
    precondition(
      Int(part.max() ?? 0) < max(vocabularySize, 1),
      "TokenDataset: token \(part.max() ?? 0), there are \(vocabularySize)")
    self.tokens = tokens
    self.range = range
    self.vocabularySize = vocabularySize
    self.blockSize = blockSize
    self.windows = windows
    count = TokenDataset.blocks(in: range.count, blockSize, windows)
    var hash = Fingerprint()
    hash.combine([vocabularySize, blockSize, windows == .anywhere ? 1 : 0])
    hash.combine(part)
    fingerprint = hash.value
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
  public func read(_ indices: ArraySlice<Int>, epoch: Int?, into buffers: SampleBuffers) {
    for (row, index) in indices.enumerated() {
      precondition(
        index >= 0 && index < count, "TokenDataset: no window \(index), there are \(count)")
      let start = range.lowerBound + index * (windows == .anywhere ? 1 : blockSize)
      for k in 0..<blockSize {
        buffers.tokens[row * blockSize + k] = Int32(tokens[start + k])
        buffers.labels[row * blockSize + k] = Int32(tokens[start + k + 1])
      }
    }
  }
}
