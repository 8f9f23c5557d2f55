/// Whether layers behave as in training on this thread, the initial state as in PyTorch.
///
/// In training, dropout drops elements and batch normalization uses the statistics of the batch.
public var isTraining: Bool { ExecutionContext.withCurrent(\.isTraining) }

/// Runs `body` with layers in evaluation mode.
public func withEvaluation<Result>(_ body: () throws -> Result) rethrows -> Result {
  let context = ExecutionContext.withCurrent { $0 }
  let previous = context.isTraining
  context.isTraining = false
  defer { context.isTraining = previous }
  return try body()
}

/// Runs `body` with layers in training mode.
///
/// - Parameters:
///   - randomness: What dropout's random numbers depend on, for one forward pass over a batch. If nil,
///     they continue those of the enclosing scope; see `withRandomSource`.
///   - body: The forward pass.
public func withTraining<Result>(
  _ randomness: SampleRandomness? = nil, _ body: () throws -> Result
) rethrows -> Result {
  let context = ExecutionContext.withCurrent { $0 }
  let previous = (context.isTraining, context.dropoutStreams)
  context.isTraining = true
  if let randomness {
    context.dropoutStreams = DropoutStreams(
      key: randomness.key, firstSample: UInt64(randomness.firstSample))
  }
  defer { (context.isTraining, context.dropoutStreams) = previous }
  return try body()
}

/// What dropout depends on besides the layer.
///
/// Random numbers belong to a sample of an epoch, so they are the same however samples are
/// distributed over processes and micro-batches.
public struct SampleRandomness: Sendable {
  /// The random seed of the run.
  public var seed: UInt64
  /// The epoch.
  public var epoch: Int
  /// The position in the epoch of the batch's first sample; the others follow.
  public var firstSample: Int

  /// Keys the random numbers of the samples from `firstSample` on.
  public init(seed: UInt64, epoch: Int, firstSample: Int) {
    self.seed = seed
    self.epoch = epoch
    self.firstSample = firstSample
  }

  /// The seed and the epoch in one number.
  fileprivate var key: UInt64 {
    mixed(seed &+ 0x9E37_79B9_7F4A_7C15 &* (UInt64(bitPattern: Int64(epoch)) &+ 1))
  }
}

/// A number whose bits all depend on all bits of another (SplitMix64).
func mixed(_ number: UInt64) -> UInt64 {
  var z = number
  z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
  z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
  return z ^ (z >> 31)
}

/// The streams of random numbers of one scope: each application of a dropout layer takes the next.
final class DropoutStreams {
  let key: UInt64
  let firstSample: UInt64
  private var next: UInt32 = 0

  init(key: UInt64, firstSample: UInt64) {
    self.key = key
    self.firstSample = firstSample
  }

  /// Streams that continue as these would now.
  func copy() -> DropoutStreams {
    let copy = DropoutStreams(key: key, firstSample: firstSample)
    copy.next = next
    return copy
  }

  func nextStream() -> UInt32 {
    defer { next &+= 1 }
    return next
  }
}
