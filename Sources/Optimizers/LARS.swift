import CKernels
public import Settings
import TensorCore

/// LARS: momentum whose step is a fixed fraction of each layer's weights, for large batches.
///
/// With g the gradient and |x| the Euclidean norm of a whole parameter:
///
///     trust = trustCoefficient * |w| / (|g| + weightDecay * |w| + epsilon)
///     v = momentum * v + trust * (g + weightDecay * w)
///     w -= learningRate * v
///
/// `trust` is 1 where a norm is zero, and for parameters that do not adapt: those also have no weight
/// decay, which makes them plain SGD with momentum. A parameter whose `grad` is nil is not updated.
/// You, Gitman and Ginsburg, "Large batch training of convolutional networks", 2017, algorithm 1. There
/// the learning rate stands inside of v; here outside, as in PyTorch's SGD, which is the same for a
/// constant rate.
public final class LARS: LayerwiseOptimizer {
  /// The settings of the method; the learning rate is an argument of each step.
  public struct Options: SettingsGroup {
    /// How much of the velocity is kept.
    @Setting("momentum factor", in: 0...) public var momentum = 0.9
    /// How large a step is to the weights, before the learning rate; the paper's η.
    @Setting("size of a step to that of the layer's weights, before the learning rate", in: 0...)
    public var trustCoefficient = 0.001
    /// What is added to the norm of the gradient.
    @Setting("term added to the norm of the gradient", in: 1e-30..<1) public var epsilon = 1e-8
    /// The factor of the L2 penalty's gradient.
    @Setting("L2 penalty: factor of the parameters that is added to their gradients", in: 0...)
    public var weightDecay = 0.0

    /// No weight decay.
    public init() {}

    /// The defaults but for what is given.
    public init(
      momentum: Double? = nil, trustCoefficient: Double? = nil, epsilon: Double? = nil,
      weightDecay: Double? = nil
    ) {
      if let momentum { self.momentum = momentum }
      if let trustCoefficient { self.trustCoefficient = trustCoefficient }
      if let epsilon { self.epsilon = epsilon }
      if let weightDecay { self.weightDecay = weightDecay }
      requireValid("LARS.Options")
    }
  }

  /// The settings.
  public let options: Options
  private let adapts: [Bool]

  /// Creates an optimizer of the parameters in `arena`; those for which `adapts` returns false are
  /// updated by SGD with momentum, without weight decay.
  public init(
    _ arena: ParameterArena, _ options: Options = Options(),
    adapts: (ParameterArena.Entry) -> Bool = { _ in true }
  ) {
    self.options = options
    self.adapts = arena.entries.map(adapts)
    super.init(arena, state: ["momentum_buffer"], decays: adapts)
  }

  override func squares(_ part: Part) -> (weights: Double, update: Double) {
    (
      squareSum(ofWeights: part),
      ck_sum_squares(kernelType, part.gradients, part.elements.count)
    )
  }

  override func update(
    _ part: Part, _ weights: UnsafeMutableRawPointer, _ bits: UnsafeMutablePointer<ck_bit_sums>?
  ) {
    let norms = norms(part)
    let decay = options.weightDecay * part.decayFactor
    let trust =
      adapts[part.entry] && norms.weights > 0 && norms.update > 0
      ? options.trustCoefficient * norms.weights
        / (norms.update + decay * norms.weights + options.epsilon) : 1
    ck_lars(
      kernelType, weights, state(0, part), part.gradients, part.elements.count, part.learningRate,
      options.momentum, decay, trust, part.step == 1, bits)
  }
}

extension OptimizerKind {
  /// LARS; by name it adapts weights, and treats biases and the gains of normalizations as SGD does.
  public static let lars = OptimizerKind("lars", LARS.Options(), stateBuffers: { _ in 1 }) {
    LARS($0, $1) { $0.parameter.shape.count > 1 }
  }
}
