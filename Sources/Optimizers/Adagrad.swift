import CKernels
public import Settings
import TensorCore

/// Adagrad, PyTorch's `torch.optim.Adagrad`: learning rates fall with the squares of the gradients so
/// far.
///
/// With g the gradient plus `weightDecay * w`, s the sum of its squares, which starts as
/// `initialAccumulator`, and t the number of steps that the parameter has made before:
///
///     s += g²
///     w -= learningRate / (1 + t * rateDecay) * g / (√s + epsilon)
///
/// A parameter whose `grad` is nil is not updated. Duchi, Hazan and Singer, "Adaptive subgradient
/// methods for online learning and stochastic optimization", 2011.
public final class Adagrad: ArenaOptimizer {
  /// The settings of the method; the learning rate is an argument of each step.
  public struct Options: SettingsGroup {
    /// How fast the learning rate falls besides: it is divided by 1 + t * rateDecay; PyTorch's `lr_decay`.
    @Setting("the learning rate is divided by 1 + t * this after t steps", in: 0...)
    public var rateDecay = 0.0
    /// The sum of squares at the start; PyTorch's `initial_accumulator_value`.
    @Setting("sum of the squares of the gradients at the start", in: 0...)
    public var initialAccumulator = 0.0
    /// What is added to the root of the sum of squares.
    @Setting("term added to the root of the sum of squares", in: 1e-30..<1)
    public var epsilon = 1e-10
    /// The factor of the L2 penalty's gradient.
    @Setting("L2 penalty: factor of the parameters that is added to their gradients", in: 0...)
    public var weightDecay = 0.0

    /// PyTorch's defaults.
    public init() {}

    /// PyTorch's defaults but for what is given.
    public init(
      rateDecay: Double? = nil, initialAccumulator: Double? = nil, epsilon: Double? = nil,
      weightDecay: Double? = nil
    ) {
      if let rateDecay { self.rateDecay = rateDecay }
      if let initialAccumulator { self.initialAccumulator = initialAccumulator }
      if let epsilon { self.epsilon = epsilon }
      if let weightDecay { self.weightDecay = weightDecay }
      requireValid("Adagrad.Options")
    }
  }

  /// The settings.
  public let options: Options

  /// Creates an optimizer of the parameters in `arena`.
  public init(_ arena: ParameterArena, _ options: Options = Options()) {
    self.options = options
    super.init(arena, state: ["sum"])
    // Ranks that share the memory write the same number.
    if options.initialAccumulator != 0 {
      stateBuffers[0].values.fill(options.initialAccumulator)
    }
  }

  override func update(
    _ part: Part, _ weights: UnsafeMutableRawPointer, _ bits: UnsafeMutablePointer<ck_bit_sums>?
  ) {
    ck_adagrad(
      kernelType, weights, state(0, part), part.gradients, part.elements.count,
      part.learningRate / (1 + Double(part.step - 1) * options.rateDecay), options.epsilon,
      options.weightDecay * part.decayFactor, bits)
  }
}

extension OptimizerKind {
  /// Adagrad.
  public static let adagrad = OptimizerKind(
    "adagrad", Adagrad.Options(), stateBuffers: { _ in 1 }
  ) { Adagrad($0, $1) }
}
