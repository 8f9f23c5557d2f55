import CKernels
import TensorCore

/// Stochastic gradient descent with momentum, PyTorch's `torch.optim.SGD`.
///
/// With g the gradient plus `weightDecay * w`, and v the velocity, which starts as the first g:
///
///     v = momentum * v + (1 - dampening) * g
///     w -= learningRate * (nesterov ? g + momentum * v : v)
///
/// A parameter whose `grad` is nil is left alone.
public final class SGD {
  /// The settings of the method; the learning rate is an argument of each step.
  public struct Options: Sendable, Equatable {
    /// How much of the velocity is kept.
    public var momentum: Double
    /// How much of the gradient does not enter the velocity.
    public var dampening: Double
    /// The factor of the L2 penalty's gradient.
    public var weightDecay: Double
    /// Whether to look ahead along the velocity.
    public var nesterov: Bool

    /// Plain gradient descent unless told otherwise.
    public init(
      momentum: Double = 0, dampening: Double = 0, weightDecay: Double = 0, nesterov: Bool = false
    ) {
      require(
        !nesterov || momentum > 0 && dampening == 0,
        "SGD: Nesterov momentum needs a momentum and no dampening, not \(momentum) and \(dampening)"
      )
      self.momentum = momentum
      self.dampening = dampening
      self.weightDecay = weightDecay
      self.nesterov = nesterov
    }
  }

  /// The parameters that are updated.
  public let arena: ParameterArena
  /// The settings.
  public let options: Options
  /// The velocities, in the arena's order; empty without momentum.
  public let velocity: UnsafeMutableBufferPointer<Float>
  private let storage: Storage?
  /// For each entry of the arena, whether its velocity has been started.
  public private(set) var hasVelocity: [Bool]

  /// An optimizer of the parameters in `arena`.
  public init(_ arena: ParameterArena, _ options: Options = Options()) {
    self.arena = arena
    self.options = options
    storage = options.momentum == 0 ? nil : arena.allocateState()
    velocity = UnsafeMutableBufferPointer(
      start: storage?.pointer.assumingMemoryBound(to: Float.self),
      count: storage == nil ? 0 : arena.count)
    hasVelocity = Array(repeating: false, count: arena.entries.count)
  }

  /// Updates all parameters that have a gradient, in parts.
  public func step(learningRate: Double, parts body: (ParameterUpdate) -> Void) {
    arena.collectGradients()
    let runs = arena.runs { hasVelocity[$0] }
    body { part, gradients in
      runs.forEachElements(of: part) { elements, isStarted in
        let start = elements.lowerBound
        ck_sgd(
          ck_f32, arena.values.baseAddress! + start,
          options.momentum == 0 ? nil : velocity.baseAddress! + start,
          gradients + (start - part.lowerBound), elements.count, learningRate, options.momentum,
          options.dampening, options.weightDecay, options.nesterov, !isStarted)
      }
    }
    for index in runs.flatMap(\.entries) { hasVelocity[index] = true }
    arena.markValuesChanged()
  }

  /// Takes over which velocities have been started, from a checkpoint whose values were copied into
  /// `velocity`.
  public func restore(hasVelocity: [Bool]) {
    require(
      hasVelocity.count == self.hasVelocity.count, "SGD: the restored state is of another model")
    self.hasVelocity = hasVelocity
  }
}
