import CKernels
public import Settings
import TensorCore

/// RMSprop, PyTorch's `torch.optim.RMSprop`.
///
/// With g the gradient plus `weightDecay * w`, and s the running mean of its square, which starts as 0:
///
///     s = alpha * s + (1 - alpha) * g²
///     u = g / (√s + epsilon)
///     w -= learningRate * u
///
/// With `centered`, s - a² takes the place of s, where a is the running mean of g; with `momentum`,
/// `v = momentum * v + u` that of u. A parameter whose `grad` is nil is not updated. Tieleman and
/// Hinton, "Lecture 6.5: RMSprop", 2012; centered as in Graves, "Generating sequences with recurrent
/// neural networks", 2013.
public final class RMSprop: ArenaOptimizer {
  /// The settings of the method; the learning rate is an argument of each step.
  public struct Options: SettingsGroup {
    /// How much of the mean square is kept.
    @Setting("how much of the mean square of the gradient is kept", in: 0..<1)
    public var alpha = 0.99
    /// What is added to the root of the mean square.
    @Setting("term added to the root of the mean square", in: 1e-30..<1) public var epsilon = 1e-8
    /// How much of the velocity is kept.
    @Setting("momentum factor; 0 is none", in: 0...) public var momentum = 0.0
    /// Whether to subtract the square of the mean gradient, which leaves its variance.
    @Setting("whether to divide by the deviation of the gradient, not by its size")
    public var centered = false
    /// The factor of the L2 penalty's gradient.
    @Setting("L2 penalty: factor of the parameters that is added to their gradients", in: 0...)
    public var weightDecay = 0.0

    /// PyTorch's defaults.
    public init() {}

    /// PyTorch's defaults but for what is given.
    public init(
      alpha: Double? = nil, epsilon: Double? = nil, momentum: Double? = nil,
      centered: Bool? = nil, weightDecay: Double? = nil
    ) {
      if let alpha { self.alpha = alpha }
      if let epsilon { self.epsilon = epsilon }
      if let momentum { self.momentum = momentum }
      if let centered { self.centered = centered }
      if let weightDecay { self.weightDecay = weightDecay }
      requireValid("RMSprop.Options")
    }

    /// PyTorch's names of what is kept for each element.
    fileprivate var stateNames: [String] {
      ["square_avg"] + (centered ? ["grad_avg"] : []) + (momentum > 0 ? ["momentum_buffer"] : [])
    }
  }

  /// The settings.
  public let options: Options

  /// Creates an optimizer of the parameters in `arena`.
  public init(_ arena: ParameterArena, _ options: Options = Options()) {
    self.options = options
    super.init(arena, state: options.stateNames)
  }

  override func update(
    _ part: Part, _ weights: UnsafeMutableRawPointer, _ bits: UnsafeMutablePointer<ck_bit_sums>?
  ) {
    ck_rmsprop(
      kernelType, weights, state(0, part), options.centered ? state(1, part) : nil,
      options.momentum > 0 ? state(options.centered ? 2 : 1, part) : nil, part.gradients,
      part.elements.count, part.learningRate, options.alpha, options.epsilon, options.momentum,
      options.weightDecay * part.decayFactor, bits)
  }
}

extension OptimizerKind {
  /// RMSprop.
  public static let rmsprop = OptimizerKind(
    "rmsprop", RMSprop.Options(), stateBuffers: { $0.stateNames.count }
  ) { RMSprop($0, $1) }
}
