import Synchronization
public import TensorCore

/// Where the initial values of layers come from unless a layer is given a source of its own.
///
/// A model built inside `withRandomSource` gets the same weights for the same seed, on every rank and machine.
public func withRandomSource<Result>(
  seed: UInt64, _ body: () throws -> Result
) rethrows -> Result {
  try DefaultRandomSource.$current.withValue(DefaultRandomSource(seed: seed), operation: body)
}

/// The source of the innermost `withRandomSource`; outside of all, one that starts from a random seed.
private final class DefaultRandomSource: Sendable {
  @TaskLocal static var current = DefaultRandomSource(seed: .random(in: .min ... .max))
  private let source: Mutex<RandomSource>

  init(seed: UInt64) { source = Mutex(RandomSource(seed: seed)) }

  /// Draws from the current source.
  static func draw(_ body: (inout RandomSource) -> Tensor) -> Tensor {
    var source = current.source.withLock { $0 }
    let tensor = body(&source)
    let next = source
    current.source.withLock { $0 = next }
    return tensor
  }
}

/// How initial values are drawn.
public enum Initializer {
  /// Uniform in ±bound.
  public static func uniform(_ shape: Shape, bound: Double) -> Tensor {
    DefaultRandomSource.draw { .uniform(shape, in: -bound..<bound, using: &$0) }
  }

  /// PyTorch's default for the weights and biases of layers with `fanIn` inputs to each output: uniform in ±1/√fanIn.
  ///
  /// For weights this is `kaiming_uniform_(a=sqrt(5))`: the bound √(6 / ((1 + a²) fanIn)).
  public static func fanIn(_ shape: Shape, _ fanIn: Int) -> Tensor {
    uniform(shape, bound: fanIn > 0 ? 1 / Double(fanIn).squareRoot() : 0)
  }

  /// Normally distributed.
  public static func normal(_ shape: Shape, deviation: Double) -> Tensor {
    DefaultRandomSource.draw { .normal(shape, deviation: deviation, using: &$0) }
  }
}
