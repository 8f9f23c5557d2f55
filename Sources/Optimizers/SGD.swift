import CKernels
public import Settings
import TensorCore

/// Stochastic gradient descent with momentum, PyTorch's `torch.optim.SGD`.
///
/// With g the gradient plus `weightDecay * w`, and v the velocity, which starts as the first g:
///
///     v = momentum * v + (1 - dampening) * g
///     w -= learningRate * (nesterov ? g + momentum * v : v)
///
/// A parameter whose `grad` is nil is not updated.
public final class SGD: ArenaOptimizer {
  /// The settings of the method; the learning rate is an argument of each step.
  public struct Options: SettingsGroup {
    /// How much of the velocity is kept.
    @Setting("momentum factor; 0 is plain gradient descent", in: 0...) public var momentum = 0.0
    /// How much of the gradient does not enter the velocity.
    @Setting("part of the gradient that does not enter the momentum", in: 0...)
    public var dampening = 0.0
    /// Whether to look ahead along the velocity.
    @Setting("whether to use Nesterov momentum") public var nesterov = false
    /// The factor of the L2 penalty's gradient.
    @Setting("L2 penalty: factor of the parameters that is added to their gradients", in: 0...)
    public var weightDecay = 0.0

    /// Plain gradient descent.
    public init() {}

    /// Plain gradient descent but for what is given.
    public init(
      momentum: Double? = nil, dampening: Double? = nil, weightDecay: Double? = nil,
      nesterov: Bool? = nil
    ) {
      if let momentum { self.momentum = momentum }
      if let dampening { self.dampening = dampening }
      if let weightDecay { self.weightDecay = weightDecay }
      if let nesterov { self.nesterov = nesterov }
      requireValid("SGD.Options")
    }

    /// Throws for Nesterov momentum without momentum or with dampening.
    public func check() throws(SettingError) {
      guard nesterov, momentum == 0 || dampening != 0 else { return }
      throw SettingError(
        "nesterov",
        "needs 'momentum' above 0 and 'dampening' 0; they are \(momentum) and \(dampening)")
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
    super.init(arena, state: options.momentum == 0 ? [] : ["momentum_buffer"], decays: decays)
  }

  /// The velocities, in the arena's order; nil without momentum.
  public var velocity: ArenaBuffer? { stateBuffers.first?.values }

  /// For each entry of the arena, whether its velocity has started: the first gradient replaces it.
  public var hasVelocity: [Bool] { stepCounts.map { $0 > 0 } }

  override func update(
    _ part: Part, _ weights: UnsafeMutableRawPointer, _ bits: UnsafeMutablePointer<ck_bit_sums>?
  ) {
    ck_sgd(
      kernelType, weights, options.momentum == 0 ? nil : state(0, part), part.gradients,
      part.elements.count, part.learningRate, options.momentum, options.dampening,
      options.weightDecay * part.decayFactor, options.nesterov, part.step == 1, bits)
  }

  /// 1 for each parameter whose velocity has started, else 0.
  public override var stateCounters: [Int] { hasVelocity.map { $0 ? 1 : 0 } }
}

extension OptimizerKind {
  /// SGD; by name it has momentum.
  public static let sgd = OptimizerKind(
    "sgd", SGD.Options(momentum: 0.9), stateBuffers: { $0.momentum == 0 ? 0 : 1 }
  ) { SGD($0, $1) }
}
