import CKernels
public import Settings
import TensorCore

/// Lion: steps of one size, in the direction of the sign of a momentum.
///
/// With g the gradient and m its running mean, which starts as 0:
///
///     u = sign(beta1 * m + (1 - beta1) * g)
///     w -= learningRate * (u + weightDecay * w)
///     m = beta2 * m + (1 - beta2) * g
///
/// Its learning rate is usually a third to a tenth of AdamW's, and the weight decay as many times
/// larger. A parameter whose `grad` is nil is not updated. Chen et al., "Symbolic discovery of
/// optimization algorithms", 2023, algorithm 2.
public final class Lion: ArenaOptimizer {
  /// The settings of the method; the learning rate is an argument of each step.
  public struct Options: SettingsGroup {
    /// How much the momentum counts in the direction.
    @Setting("weight of the momentum, against the gradient, in the direction", in: 0..<1)
    public var beta1 = 0.9
    /// How much of the momentum is kept.
    @Setting("decay rate of the momentum", in: 0..<1) public var beta2 = 0.99
    /// How much of the learning rate parameters shrink by in each step.
    @Setting("decoupled weight decay: parameters shrink by this times the learning rate", in: 0...)
    public var weightDecay = 0.0

    /// The paper's defaults.
    public init() {}

    /// The paper's defaults but for what is given.
    public init(beta1: Double? = nil, beta2: Double? = nil, weightDecay: Double? = nil) {
      if let beta1 { self.beta1 = beta1 }
      if let beta2 { self.beta2 = beta2 }
      if let weightDecay { self.weightDecay = weightDecay }
      requireValid("Lion.Options")
    }
  }

  /// The settings.
  public let options: Options

  /// Creates an optimizer of the parameters in `arena`; the weight decay applies to those for which
  /// `decays` returns true.
  public init(
    _ arena: ParameterArena, _ options: Options = Options(),
    decays: (ParameterArena.Entry) -> Bool = { _ in true }
  ) {
    self.options = options
    super.init(arena, state: ["exp_avg"], decays: decays)
  }

  override func update(
    _ part: Part, _ weights: UnsafeMutableRawPointer, _ bits: UnsafeMutablePointer<ck_bit_sums>?
  ) {
    ck_lion(
      kernelType, weights, state(0, part), part.gradients, part.elements.count, part.learningRate,
      options.beta1, options.beta2, options.weightDecay * part.decayFactor, bits)
  }
}

extension OptimizerKind {
  /// Lion; by name its weight decay spares biases and the gains of normalizations.
  public static let lion = OptimizerKind("lion", Lion.Options(), stateBuffers: { _ in 1 }) {
    Lion($0, $1) { $0.parameter.shape.count > 1 }
  }
}
