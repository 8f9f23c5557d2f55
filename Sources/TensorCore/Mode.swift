internal import CKernels

/// Whether layers behave as in training or as in use.
public enum Mode: Sendable {
  /// Dropout drops. The mode outside all scopes, as in PyTorch.
  case training
  /// Layers do what they will do in use: dropout passes everything.
  case evaluation

  /// The mode of this thread's innermost scope.
  public static var current: Mode { ModeScope.current.mode }
}

/// Runs `body` with layers in the given mode.
public func withMode<Result>(_ mode: Mode, _ body: () throws -> Result) rethrows -> Result {
  let current = ModeScope.current
  return try ModeScope(
    mode, randomness: current.randomness, statisticsSum: current.statisticsSum, source: current
  ).run(body)
}

/// What dropout depends on besides the layer: random numbers belong to a sample of an epoch, so
/// they are the same however samples are spread over processes and micro-batches.
public struct SampleRandomness: Sendable {
  /// The seed of the run.
  public var seed: UInt64
  /// The epoch.
  public var epoch: Int
  /// The position in the epoch of the first sample of the batch at hand; the others follow.
  public var firstSample: Int

  /// Keys the random numbers of the samples from `firstSample` on.
  public init(seed: UInt64, epoch: Int, firstSample: Int) {
    self.seed = seed
    self.epoch = epoch
    self.firstSample = firstSample
  }

  /// The seed and the epoch in one number.
  fileprivate var key: UInt64 {
    var z = seed &+ 0x9E37_79B9_7F4A_7C15 &* (UInt64(bitPattern: Int64(epoch)) &+ 1)
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

/// Adds up numbers over all processes that each hold a part of a batch.
public typealias StatisticsSum = ([Double]) -> [Double]

/// Runs `body`, one forward pass over a batch, in training mode with the given randomness.
///
/// - Parameters:
///   - randomness: What dropout depends on.
///   - statisticsSum: Makes batch normalisation take its statistics over the batches of all
///     processes, PyTorch's `SyncBatchNorm`; all have to run the same layers then, forward and
///     backward, also those whose batch is empty. Nil keeps to the batch of this process.
///   - body: The forward pass.
public func withTraining<Result>(
  _ randomness: SampleRandomness, statisticsSum: StatisticsSum? = nil, _ body: () throws -> Result
) rethrows -> Result {
  try ModeScope(.training, randomness: randomness, statisticsSum: statisticsSum).run(body)
}

/// A scope of `withMode` or `withTraining`.
final class ModeScope {
  let mode: Mode
  let randomness: SampleRandomness?
  let statisticsSum: StatisticsSum?
  /// How many random layers have run in this scope: each application of a layer takes the next
  /// stream.
  private var streams: UInt32 = 0
  /// Where a scope without randomness of its own takes its streams from, so that they go on from one
  /// scope to the next.
  private let source: ModeScope?

  init(
    _ mode: Mode, randomness: SampleRandomness?, statisticsSum: StatisticsSum? = nil,
    source: ModeScope? = nil
  ) {
    self.mode = mode
    self.randomness = randomness
    self.statisticsSum = statisticsSum
    self.source = source
  }

  func nextStream() -> UInt32 {
    if let source { return source.nextStream() }
    defer { streams &+= 1 }
    return streams
  }

  /// The innermost scope of this thread; outside of all, one that trains with random numbers of its
  /// own.
  static var current: ModeScope {
    let state = ck_current_thread_state()
    if let pointer = state.pointee.mode {
      return Unmanaged.fromOpaque(pointer).takeUnretainedValue()
    }
    let outermost = ModeScope(.training, randomness: nil)
    state.pointee.mode = Unmanaged.passRetained(outermost).toOpaque()
    return outermost
  }

  func run<Result>(_ body: () throws -> Result) rethrows -> Result {
    let state = ck_current_thread_state()
    let previous = state.pointee.mode
    state.pointee.mode = Unmanaged.passUnretained(self).toOpaque()
    defer { state.pointee.mode = previous }
    return try withExtendedLifetime(self, body)
  }
}

extension Tensor {
  /// This tensor with elements dropped at random in training mode, and itself in evaluation mode.
  ///
  /// Elements are zeroed with probability `p` and the rest is scaled by 1 / (1 - p).
  ///
  /// The first axis counts samples. The gradient goes through the same mask.
  public final func dropout(_ p: Double) -> Tensor {
    let scope = ModeScope.current
    guard scope.mode == .training, p > 0 else { return self }
    let stream = scope.nextStream()
    guard let randomness = scope.randomness else {
      return dropout(p, seed: 0, stream: stream, firstSample: 0)
    }
    return dropout(
      p, seed: randomness.key, stream: stream, firstSample: UInt64(randomness.firstSample))
  }
}
