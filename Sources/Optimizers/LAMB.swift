import CKernels
import Foundation
public import Settings
import TensorCore

/// LAMB: Adam whose step is as large as each layer's weights, for large batches.
///
/// With g the gradient, m and v its running moments as in `AdamW`, t the number of steps that the
/// parameter has made, and |x| the Euclidean norm of a whole parameter:
///
///     u = (m / (1 - beta1ᵗ)) / (√(v / (1 - beta2ᵗ)) + epsilon) + weightDecay * w
///     w -= learningRate * |w| / |u| * u
///
/// The factor |w| / |u| is 1 where a norm is zero, and for parameters that do not adapt, which also
/// have no weight decay. A parameter whose `grad` is nil is not updated. You et al., "Large batch
/// optimization for deep learning: training BERT in 76 minutes", 2020, algorithm 2 with φ(z) = z.
public final class LAMB: LayerwiseOptimizer {
  /// The settings of the method; the learning rate is an argument of each step.
  public struct Options: SettingsGroup {
    /// How much of the first moment is kept.
    @Setting("decay rate of the first moment", in: 0..<1) public var beta1 = 0.9
    /// How much of the second moment is kept.
    @Setting("decay rate of the second moment", in: 0..<1) public var beta2 = 0.999
    /// What is added to the root of the second moment.
    @Setting("term added to the root of the second moment", in: 1e-30..<1)
    public var epsilon = 1e-6
    /// The factor of the parameters in the direction of the update.
    @Setting("weight decay: factor of the parameters in the direction of their update", in: 0...)
    public var weightDecay = 0.01

    /// The paper's defaults.
    public init() {}

    /// The paper's defaults but for what is given.
    public init(
      beta1: Double? = nil, beta2: Double? = nil, epsilon: Double? = nil,
      weightDecay: Double? = nil
    ) {
      if let beta1 { self.beta1 = beta1 }
      if let beta2 { self.beta2 = beta2 }
      if let epsilon { self.epsilon = epsilon }
      if let weightDecay { self.weightDecay = weightDecay }
      requireValid("LAMB.Options")
    }
  }

  /// The settings.
  public let options: Options
  private let adapts: [Bool]
  /// The directions of a block.
  private let scratch: UnsafeMutableRawBufferPointer

  /// Creates an optimizer of the parameters in `arena`; those for which `adapts` returns false are
  /// updated by Adam, without weight decay.
  public init(
    _ arena: ParameterArena, _ options: Options = Options(),
    adapts: (ParameterArena.Entry) -> Bool = { _ in true }
  ) {
    self.options = options
    self.adapts = arena.entries.map(adapts)
    scratch = .allocate(
      byteCount: ParameterArena.normBlock * arena.dataType.byteCount, alignment: 64)
    super.init(arena, state: ["exp_avg", "exp_avg_sq"], decays: adapts)
  }

  deinit { scratch.deallocate() }

  private func corrections(_ part: Part) -> (Double, Double) {
    let step = Double(part.step)
    return (1 - pow(options.beta1, step), 1 - pow(options.beta2, step))
  }

  override func squares(_ part: Part) -> (weights: Double, update: Double) {
    let (correction1, correction2) = corrections(part)
    let count = part.elements.count
    ck_lamb_direction(
      kernelType, scratch.baseAddress!, state(0, part), state(1, part),
      arena.valueBuffer.pointer(at: part.elements.lowerBound), part.gradients, count,
      options.beta1, options.beta2, options.epsilon, options.weightDecay * part.decayFactor,
      correction1, correction2)
    return (
      squareSum(ofWeights: part), ck_sum_squares(kernelType, scratch.baseAddress!, count)
    )
  }

  override func update(
    _ part: Part, _ weights: UnsafeMutableRawPointer, _ bits: UnsafeMutablePointer<ck_bit_sums>?
  ) {
    let norms = norms(part)
    let (correction1, correction2) = corrections(part)
    let trust =
      adapts[part.entry] && norms.weights > 0 && norms.update > 0
      ? norms.weights / norms.update : 1
    ck_lamb(
      kernelType, weights, state(0, part), state(1, part), part.elements.count,
      part.learningRate * trust, options.epsilon, options.weightDecay * part.decayFactor,
      correction1, correction2, bits)
  }
}

extension OptimizerKind {
  /// LAMB; by name it adapts weights, and treats biases and the gains of normalizations as Adam does.
  public static let lamb = OptimizerKind("lamb", LAMB.Options(), stateBuffers: { _ in 2 }) {
    LAMB($0, $1) { $0.parameter.shape.count > 1 }
  }
}
