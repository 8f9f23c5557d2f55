import Synchronization
public import TensorCore

/// Runs `body` with `seed` as the random seed of initial values.
///
/// A model that is created inside has the same weights for the same seed, on every rank and machine.
public func withRandomSource<Result>(
  seed: UInt64, _ body: () throws -> Result
) rethrows -> Result {
  try DefaultRandomSource.$current.withValue(DefaultRandomSource(seed: seed), operation: body)
}

/// The source of the innermost `withRandomSource`; outside, one with an arbitrary seed.
private final class DefaultRandomSource: Sendable {
  @TaskLocal static var current = DefaultRandomSource(seed: .random(in: .min ... .max))
  private let seed: UInt64
  private let streams = Atomic<UInt64>(0)

  init(seed: UInt64) { self.seed = seed }

  /// Draws one tensor from the next stream of the current source.
  static func draw(_ body: (inout RandomSource) -> Tensor) -> Tensor {
    let stream = current.streams.wrappingAdd(1, ordering: .relaxed).oldValue
    var source = RandomSource(seed: current.seed, stream: stream)
    return body(&source)
  }
}

/// Distributions of initial values.
public enum Initializer {
  /// Uniform in ±bound.
  public static func uniform(_ shape: TensorShape, bound: Double) -> Tensor {
    DefaultRandomSource.draw { .uniform(shape, in: -bound..<bound, using: &$0) }
  }

  /// PyTorch's default for the weights and biases of layers with `fanIn` inputs to each output:
  /// uniform in ±1/√fanIn.
  ///
  /// For weights this is `kaiming_uniform_(a=sqrt(5))`: the bound √(6 / ((1 + a²) fanIn)).
  public static func fanIn(_ shape: TensorShape, _ fanIn: Int) -> Tensor {
    uniform(shape, bound: fanIn > 0 ? 1 / Double(fanIn).squareRoot() : 0)
  }

  /// Normally distributed with mean 0 and the standard deviation `std`.
  public static func normal(_ shape: TensorShape, std: Double) -> Tensor {
    DefaultRandomSource.draw { .normal(shape, std: std, using: &$0) }
  }
}
