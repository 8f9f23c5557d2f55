import CKernels
import Foundation
public import Settings
import TensorCore

/// Adam with decoupled weight decay, PyTorch's `torch.optim.AdamW`.
///
/// With g the gradient, m and v its running first and second moments, which start as 0, and t the
/// number of steps that the parameter has made:
///
///     w -= learningRate * weightDecay * w
///     m = beta1 * m + (1 - beta1) * g
///     v = beta2 * v + (1 - beta2) * g²
///     w -= learningRate * (m / (1 - beta1ᵗ)) / (√(v / (1 - beta2ᵗ)) + epsilon)
///
/// A parameter whose `grad` is nil is not updated. Loshchilov and Hutter, "Decoupled weight decay
/// regularization", 2019.
public final class AdamW: ArenaOptimizer {
  /// The settings of the method; the learning rate is an argument of each step.
  public struct Options: SettingsGroup {
    /// How much of the first moment is kept.
    @Setting("decay rate of the first moment", in: 0..<1) public var beta1 = 0.9
    /// How much of the second moment is kept.
    @Setting("decay rate of the second moment", in: 0..<1) public var beta2 = 0.999
    /// What is added to the root of the second moment.
    @Setting("term added to the root of the second moment", in: 1e-30..<1)
    public var epsilon = 1e-8
    /// How much of the learning rate parameters shrink by in each step.
    @Setting("decoupled weight decay: parameters shrink by this times the learning rate", in: 0...)
    public var weightDecay = 0.01

    /// PyTorch's defaults.
    public init() {}

    /// PyTorch's defaults but for what is given.
    public init(
      beta1: Double? = nil, beta2: Double? = nil, epsilon: Double? = nil,
      weightDecay: Double? = nil
    ) {
      if let beta1 { self.beta1 = beta1 }
      if let beta2 { self.beta2 = beta2 }
      if let epsilon { self.epsilon = epsilon }
      if let weightDecay { self.weightDecay = weightDecay }
      requireValid("AdamW.Options")
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
    super.init(arena, state: ["exp_avg", "exp_avg_sq"], decays: decays)
  }

  /// The first moments, in the arena's order.
  public var firstMoment: ArenaBuffer { stateBuffers[0].values }
  /// The second moments, in the arena's order.
  public var secondMoment: ArenaBuffer { stateBuffers[1].values }

  override func update(
    _ part: Part, _ weights: UnsafeMutableRawPointer, _ bits: UnsafeMutablePointer<ck_bit_sums>?
  ) {
    let step = Double(part.step)
    ck_adamw(
      kernelType, weights, state(0, part), state(1, part), part.gradients, part.elements.count,
      part.learningRate, options.beta1, options.beta2, options.epsilon,
      options.weightDecay * part.decayFactor, 1 - pow(options.beta1, step),
      1 - pow(options.beta2, step), bits)
  }
}

extension OptimizerKind {
  /// AdamW; by name it has no weight decay, and one that is set spares biases and the gains of
  /// normalizations, as is usual.
  public static let adamW = OptimizerKind(
    "adamw", AdamW.Options(weightDecay: 0), stateBuffers: { _ in 2 }
  ) {
    AdamW($0, $1) { $0.parameter.shape.count > 1 }
  }
}
