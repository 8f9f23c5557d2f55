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
/// A parameter whose `grad` is nil is left alone.
public final class AdamW {
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
  /// For each entry of the arena, how many steps it has made.
  public private(set) var steps: [Int]
  private let decays: [Bool]
  private let storage: [Storage]

  /// An optimizer of the parameters in `arena`, of which only those that `decays` names are subject
  /// to the weight decay.
  public init(
    _ arena: ParameterArena, _ options: Options = Options(),
    decays: (ParameterArena.Entry) -> Bool = { _ in true }
  ) {
    self.arena = arena
    self.options = options
    self.decays = arena.entries.map(decays)
    steps = Array(repeating: 0, count: arena.entries.count)
    storage = [arena.allocateState(), arena.allocateState()]
    func moment(_ storage: Storage) -> UnsafeMutableBufferPointer<Float> {
      UnsafeMutableBufferPointer(
        start: storage.pointer.assumingMemoryBound(to: Float.self), count: arena.count)
    }
    (firstMoment, secondMoment) = (moment(storage[0]), moment(storage[1]))
  }

  /// Updates all parameters that have a gradient, in parts.
  public func step(learningRate: Double, parts body: (ParameterUpdate) -> Void) {
    arena.collectGradients()
    struct State: Equatable { var steps: Int, decays: Bool }
    let runs = arena.runs { State(steps: steps[$0], decays: decays[$0]) }
    body { part, gradients in
      runs.forEachElements(of: part) { elements, state in
        let start = elements.lowerBound
        let step = Double(state.steps + 1)
        ck_adamw_f32(
          arena.values.baseAddress! + start, firstMoment.baseAddress! + start,
          secondMoment.baseAddress! + start, gradients + (start - part.lowerBound), elements.count,
          learningRate, options.beta1, options.beta2, options.epsilon,
          state.decays ? options.weightDecay : 0, 1 - pow(options.beta1, step),
          1 - pow(options.beta2, step))
      }
    }
    for index in runs.flatMap(\.entries) { steps[index] += 1 }
    arena.markValuesChanged()
  }

  /// Takes over how many steps each entry has made, from a checkpoint whose moments were copied into
  /// `firstMoment` and `secondMoment`.
  public func restore(steps: [Int]) {
    require(steps.count == self.steps.count, "AdamW: the restored state is of another model")
    self.steps = steps
  }
}

extension OptimizerKind {
  /// AdamW; by name it has no weight decay, and one that is set spares biases and the gains of
  /// normalizations, as is usual.
  public static let adamW = OptimizerKind("adamw", AdamW.Options(weightDecay: 0)) {
    AdamW($0, $1) { $0.parameter.shape.count > 1 }
  }
}
