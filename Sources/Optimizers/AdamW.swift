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
/// A parameter whose `grad` is nil is not updated.
public final class AdamW: Optimizer {
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

  /// The parameters that are updated.
  public let arena: ParameterArena
  /// The settings.
  public let options: Options
  /// The first moments, in the arena's order.
  public let firstMoment: UnsafeMutableBufferPointer<Float>
  /// The second moments, in the arena's order.
  public let secondMoment: UnsafeMutableBufferPointer<Float>
  /// For each entry of the arena, how often it was updated.
  public private(set) var stepCounts: [Int]
  private let decays: [Bool]
  private let storage: [Storage]

  /// What decides how a parameter is updated.
  private struct RunState: Equatable {
    var stepCount: Int
    var decays: Bool
  }

  /// What the open step updates.
  private var runs: [ParameterArena.Run<RunState>] = []

  /// Creates an optimizer of the parameters in `arena`; the weight decay applies to those for which
  /// `decays` returns true.
  public init(
    _ arena: ParameterArena, _ options: Options = Options(),
    decays: (ParameterArena.Entry) -> Bool = { _ in true }
  ) {
    self.arena = arena
    self.options = options
    self.decays = arena.entries.map(decays)
    stepCounts = Array(repeating: 0, count: arena.entries.count)
    storage = [arena.allocateState(), arena.allocateState()]
    func moment(_ storage: Storage) -> UnsafeMutableBufferPointer<Float> {
      UnsafeMutableBufferPointer(
        start: storage.pointer.assumingMemoryBound(to: Float.self), count: arena.count)
    }
    (firstMoment, secondMoment) = (moment(storage[0]), moment(storage[1]))
  }

  /// Begins a step.
  public func beginStep() {
    arena.collectGradients()
    runs = arena.runs { RunState(stepCount: stepCounts[$0], decays: decays[$0]) }
  }

  /// Updates some elements from their gradients.
  public func update(
    _ range: Range<Int>, gradients: UnsafePointer<Float>, learningRate: Double
  ) {
    runs.forEachElements(of: range) { elements, state in
      let start = elements.lowerBound
      let step = Double(state.stepCount + 1)
      arena.changeWeights(elements) { weights, bits in
        ck_adamw(
          ck_f32, weights, firstMoment.baseAddress! + start, secondMoment.baseAddress! + start,
          gradients + (start - range.lowerBound), elements.count, learningRate, options.beta1,
          options.beta2, options.epsilon, state.decays ? options.weightDecay : 0,
          1 - pow(options.beta1, step), 1 - pow(options.beta2, step), bits)
      }
    }
  }

  /// Ends a step: counts it for the updated parameters.
  public func endStep() {
    for index in runs.flatMap(\.entries) { stepCounts[index] += 1 }
    runs = []
    arena.markValuesChanged()
  }

  /// Both moments.
  public var stateBuffers: [(name: String, values: UnsafeMutableBufferPointer<Float>)] {
    [("exp_avg", firstMoment), ("exp_avg_sq", secondMoment)]
  }

  /// The step counts.
  public var stateCounters: [Int] { stepCounts }

  /// Restores the step counts.
  public func restore(stateCounters: [Int]) {
    require(
      stateCounters.count == stepCounts.count, "AdamW: the restored state is of another model")
    stepCounts = stateCounters
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
