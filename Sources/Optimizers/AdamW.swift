import CKernels
import Foundation
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
  public struct Options: Sendable, Equatable {
    /// How much of the first moment is kept.
    public var beta1: Double
    /// How much of the second moment is kept.
    public var beta2: Double
    /// What is added to the root of the second moment.
    public var epsilon: Double
    /// How much of the learning rate parameters shrink by in each step.
    public var weightDecay: Double

    /// PyTorch's defaults unless told otherwise.
    public init(
      beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8,
      weightDecay: Double = 0.01
    ) {
      require(
        (0..<1).contains(beta1) && (0..<1).contains(beta2) && epsilon > 0 && weightDecay >= 0,
        "AdamW: betas in 0..<1, an epsilon above 0 and a weight decay of at least 0 are needed, not \(beta1), \(beta2), \(epsilon) and \(weightDecay)"
      )
      self.beta1 = beta1
      self.beta2 = beta2
      self.epsilon = epsilon
      self.weightDecay = weightDecay
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
        ck_adamw(
          ck_f32, arena.values.baseAddress! + start, firstMoment.baseAddress! + start,
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
