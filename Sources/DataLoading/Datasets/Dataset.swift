/// The type of a sample's input.
public enum InputKind: Sendable, Equatable {
  /// Floating-point numbers.
  case numbers
  /// Tokens of `0..<count`.
  case tokens(count: Int)
}

/// The type of a sample's target.
public enum TargetKind: Sendable, Equatable {
  /// A label of `0..<count`.
  case classes(count: Int)
  /// Values to predict, of this shape for one sample.
  case values(shape: [Int])
  /// A token of `0..<count` at each of `length` positions.
  case tokens(count: Int, length: Int)

  /// The values of a sample; 0 for classes and tokens.
  package var valueCount: Int {
    switch self {
    case .classes, .tokens: 0
    case .values(let shape): shape.reduce(1, *)
    }
  }

  /// The labels of a sample; 0 for values.
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
/// Several threads read at the same time, hence `Sendable`.
public protocol Dataset: Sendable {
  /// The number of samples.
  var count: Int { get }

  /// The shape of one sample's input, such as `[1, 28, 28]`.
  var inputShape: [Int] { get }

  /// The type of inputs; numbers by default.
  var inputKind: InputKind { get }

  /// Whether targets are labels, values or tokens.
  var targetKind: TargetKind { get }

  /// The number of samples that an epoch draws at random, with replacement; nil, the default, if an
  /// epoch has each sample once.
  var drawsPerEpoch: Int? { get }

  /// A hash of the samples, by which ranks find out whether they have the same.
  var fingerprint: UInt64 { get }

  /// The label of each sample, in order, where targets are classes; nil, the default, if they are not
  /// known without reading samples.
  var labels: [Int32]? { get }

  /// Whether samples have a second label while training, as those of mixup; false by default.
  var mixesLabels: Bool { get }

  /// Writes the samples at `indices` one after another, from the start of each buffer.
  ///
  /// - Parameters:
  ///   - indices: The samples.
  ///   - epoch: The epoch of training, from 0, which augmentation may depend on; nil for evaluation,
  ///     where samples are as they are.
  ///   - buffers: Where to write.
  func read(_ indices: ArraySlice<Int>, epoch: Int?, into buffers: SampleBuffers) throws
}

extension Dataset {
  /// Numbers.
  public var inputKind: InputKind { .numbers }
  /// Each sample once.
  public var drawsPerEpoch: Int? { nil }
  /// No.
  public var mixesLabels: Bool { false }
  /// Not known.
  public var labels: [Int32]? { nil }
}

/// Uninitialized memory for samples, into which a dataset writes.
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
  /// The values to predict, row-major.
  public let values: UnsafeMutableBufferPointer<Float>

  /// A second label of each sample; empty unless the dataset mixes labels.
  public let mixedLabels: UnsafeMutableBufferPointer<Int32>
  /// The share of the first label of each sample, 0...1; the second one has the rest.
  public let labelShares: UnsafeMutableBufferPointer<Float>

  /// Memory of these buffers.
  public init(
    inputs: UnsafeMutableBufferPointer<Float>, labels: UnsafeMutableBufferPointer<Int32>,
    values: UnsafeMutableBufferPointer<Float>,
    tokens: UnsafeMutableBufferPointer<Int32> = .init(start: nil, count: 0),
    mixedLabels: UnsafeMutableBufferPointer<Int32> = .init(start: nil, count: 0),
    labelShares: UnsafeMutableBufferPointer<Float> = .init(start: nil, count: 0)
  ) {
    self.mixedLabels = mixedLabels
    self.labelShares = labelShares
    self.inputs = inputs
    self.tokens = tokens
    self.labels = labels
    self.values = values
  }
}
