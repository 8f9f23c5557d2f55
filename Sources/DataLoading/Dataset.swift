/// What a sample's target is.
public enum TargetKind: Sendable, Equatable {
  /// A label of `0..<count`.
  case classes(count: Int)
  /// Numbers to predict, of this shape for one sample.
  case values(shape: [Int])

  /// How many numbers to predict a sample has; zero for classes.
  package var valueCount: Int {
    switch self {
    case .classes: 0
    case .values(let shape): shape.reduce(1, *)
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

  /// What there is to learn.
  var targetKind: TargetKind { get }

  /// A number that is equal on two ranks when they hold the same samples, and otherwise hardly
  /// ever.
  var fingerprint: UInt64 { get }

  /// Writes the samples at `indices` one after another, from the start of each buffer.
  func read(_ indices: ArraySlice<Int>, into buffers: SampleBuffers) throws
}

/// Where a dataset writes samples: room for as many as are asked for, uninitialized.
///
/// `labels` is empty unless the targets are classes, `values` unless they are values.
public struct SampleBuffers {
  /// The inputs, row-major.
  public let inputs: UnsafeMutableBufferPointer<Float>
  /// One label for each sample.
  public let labels: UnsafeMutableBufferPointer<Int32>
  /// The numbers to predict, row-major.
  public let values: UnsafeMutableBufferPointer<Float>

  /// Creates a destination of three buffers.
  public init(
    inputs: UnsafeMutableBufferPointer<Float>, labels: UnsafeMutableBufferPointer<Int32>,
    values: UnsafeMutableBufferPointer<Float>
  ) {
    self.inputs = inputs
    self.labels = labels
    self.values = values
  }
}
