import CKernels
import Foundation
public import Settings
import TensorCore

/// Adam, PyTorch's `torch.optim.Adam`: the weight decay is an L2 penalty in the gradient.
///
/// With g the gradient plus `weightDecay * w`, m and v its running first and second moments, which
/// start as 0, and t the number of steps that the parameter has made:
///
///     m = beta1 * m + (1 - beta1) * g
///     v = beta2 * v + (1 - beta2) * g²
///     w -= learningRate * (m / (1 - beta1ᵗ)) / (√(v / (1 - beta2ᵗ)) + epsilon)
///
/// With `amsgrad`, the largest v so far takes the place of v in the last line. A parameter whose `grad`
/// is nil is not updated. Kingma and Ba, "Adam: a method for stochastic optimization", 2015; Reddi et
/// al., "On the convergence of Adam and beyond", 2018.
public final class Adam: ArenaOptimizer {
  /// The settings of the method; the learning rate is an argument of each step.
  public struct Options: SettingsGroup {
    /// How much of the first moment is kept.
    @Setting("decay rate of the first moment", in: 0..<1) public var beta1 = 0.9
    /// How much of the second moment is kept.
    @Setting("decay rate of the second moment", in: 0..<1) public var beta2 = 0.999
    /// What is added to the root of the second moment.
    @Setting("term added to the root of the second moment", in: 1e-30..<1)
    public var epsilon = 1e-8
    /// The factor of the L2 penalty's gradient.
    @Setting("L2 penalty: factor of the parameters that is added to their gradients", in: 0...)
    public var weightDecay = 0.0
    /// Whether to divide by the largest second moment so far.
    @Setting("whether to divide by the largest second moment so far") public var amsgrad = false

    /// PyTorch's defaults.
    public init() {}

    /// PyTorch's defaults but for what is given.
    public init(
      beta1: Double? = nil, beta2: Double? = nil, epsilon: Double? = nil,
      weightDecay: Double? = nil, amsgrad: Bool? = nil
    ) {
      if let beta1 { self.beta1 = beta1 }
      if let beta2 { self.beta2 = beta2 }
      if let epsilon { self.epsilon = epsilon }
      if let weightDecay { self.weightDecay = weightDecay }
      if let amsgrad { self.amsgrad = amsgrad }
      requireValid("Adam.Options")
    }
  }

  /// The settings.
  public let options: Options

  /// Creates an optimizer of the parameters in `arena`.
  public init(_ arena: ParameterArena, _ options: Options = Options()) {
    self.options = options
    super.init(
      arena, state: ["exp_avg", "exp_avg_sq"] + (options.amsgrad ? ["max_exp_avg_sq"] : []))
  }

  override func update(
    _ part: Part, _ weights: UnsafeMutableRawPointer, _ bits: UnsafeMutablePointer<ck_bit_sums>?
  ) {
    let step = Double(part.step)
    ck_adam(
      kernelType, weights, state(0, part), state(1, part), options.amsgrad ? state(2, part) : nil,
      part.gradients, part.elements.count, part.learningRate, options.beta1, options.beta2,
      options.epsilon, options.weightDecay * part.decayFactor, 1 - pow(options.beta1, step),
      1 - pow(options.beta2, step), bits)
  }
}

extension OptimizerKind {
  /// Adam.
  public static let adam = OptimizerKind(
    "adam", Adam.Options(), stateBuffers: { $0.amsgrad ? 3 : 2 }
  ) { Adam($0, $1) }
}
