/// What a sample's input is made of.
public enum InputKind: Sendable, Equatable {
  /// Floating-point numbers.
  case numbers
  /// Tokens of `0..<count`.
  case tokens(count: Int)
}

/// What a sample's target is.
public enum TargetKind: Sendable, Equatable {
  /// A label of `0..<count`.
  case classes(count: Int)
  /// Numbers to predict, of this shape for one sample.
  case values(shape: [Int])
  /// A token of `0..<count` at each of `length` positions.
  case tokens(count: Int, length: Int)

  /// How many numbers to predict a sample has; zero for classes and tokens.
  package var valueCount: Int {
    switch self {
    case .classes, .tokens: 0
    case .values(let shape): shape.reduce(1, *)
    }
  }

  /// How many labels a sample has; zero for values.
  package var labelCount: Int {
    switch self {
    case .classes: 1
    case .values: 0
    case .tokens(_, let length): length
    }
  }
}

/// Samples that can be read in any order: a count, and a function from indices to a batch.
///
/// Ranks and threads read at the same time, hence `Sendable`.
public protocol Dataset: Sendable {
  /// How many samples there are.
  var count: Int { get }

  /// The shape of one sample's input, such as `[1, 28, 28]`.
  var inputShape: [Int] { get }

  /// What an input is made of; by default, numbers.
  var inputKind: InputKind { get }

  /// What there is to learn.
  var targetKind: TargetKind { get }

  /// How many samples an epoch draws at random, any of them again and again; nil, the default, if
  /// it shows each sample once.
  var drawsPerEpoch: Int? { get }

  /// A number that is equal on two ranks when they hold the same samples, and otherwise hardly
  /// ever.
  var fingerprint: UInt64 { get }

  /// Writes the samples at `indices` one after another, from the start of each buffer.
  func read(_ indices: ArraySlice<Int>, into buffers: SampleBuffers) throws
}

extension Dataset {
  /// Numbers.
  public var inputKind: InputKind { .numbers }
  /// Each sample is shown once.
  public var drawsPerEpoch: Int? { nil }
}

/// Where a dataset writes samples: room for as many as are asked for, uninitialized.
///
/// `inputs` is empty unless the inputs are numbers, `tokens` unless they are tokens; `labels` is
/// empty unless the targets are classes or tokens, `values` unless they are values.
public struct SampleBuffers {
  /// The inputs, row-major.
  public let inputs: UnsafeMutableBufferPointer<Float>
  /// The inputs that are tokens, row-major.
  public let tokens: UnsafeMutableBufferPointer<Int32>
  /// One label for each sample, or with tokens for each position of each sample.
  public let labels: UnsafeMutableBufferPointer<Int32>
  /// The numbers to predict, row-major.
  public let values: UnsafeMutableBufferPointer<Float>

  /// Creates a destination of these buffers.
  public init(
    inputs: UnsafeMutableBufferPointer<Float>, labels: UnsafeMutableBufferPointer<Int32>,
    values: UnsafeMutableBufferPointer<Float>,
    tokens: UnsafeMutableBufferPointer<Int32> = .init(start: nil, count: 0)
  ) {
    self.inputs = inputs
    self.tokens = tokens
    self.labels = labels
    self.values = values
  }
}
