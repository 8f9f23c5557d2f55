/// A reproducible source of random tensors: the same seed gives the same numbers on every machine.
///
/// The generator is counter-based (Philox 4x32-10). Each tensor uses the next stream of the seed, so its
/// elements do not depend on the sizes of the tensors drawn before.
public struct RandomSource: Sendable, Equatable, Codable {
  /// The random seed.
  public let seed: UInt64
  /// How many tensors were drawn.
  private var stream: UInt64

  /// Starts at the first stream of `seed`.
  public init(seed: UInt64) {
    self.init(seed: seed, stream: 0)
  }

  /// Starts at the given stream of `seed`.
  package init(seed: UInt64, stream: UInt64) {
    self.seed = seed
    self.stream = stream
  }

  mutating func nextStream() -> UInt64 {
    defer { stream &+= 1 }
    return stream
  }
}

/// The source of this thread's random numbers: of initial weights, of dropout, and of random tensors
/// that are drawn without `using:`.
///
/// Read it to save its state, and assign it to go back, as PyTorch's `get_rng_state` and
/// `set_rng_state`. A thread starts with a seed that differs in every run.
public var randomSource: RandomSource {
  get { ExecutionContext.withCurrent(\.random) }
  set { ExecutionContext.withCurrent { $0.random = newValue } }
}

/// Makes this thread's random numbers reproducible from here on, PyTorch's `torch.manual_seed`.
public func setRandomSeed(_ seed: UInt64) { randomSource = RandomSource(seed: seed) }

/// Runs `body` with random numbers of their own, which start at `seed`: initial weights, dropout and
/// random tensors.
///
/// Outside, the numbers continue as if nothing had been drawn inside.
///
/// A model that is created inside has the same weights for the same seed, on every rank and machine.
public func withRandomSource<Result>(
  seed: UInt64, _ body: () throws -> Result
) rethrows -> Result {
  let context = ExecutionContext.withCurrent { $0 }
  let previous = (context.random, context.dropoutStreams)
  (context.random, context.dropoutStreams) = (RandomSource(seed: seed), nil)
  defer { (context.random, context.dropoutStreams) = previous }
  return try body()
}
