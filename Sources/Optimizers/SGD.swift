import CKernels
import TensorCore

/// Stochastic gradient descent with momentum, PyTorch's `torch.optim.SGD`.
///
/// With g the gradient plus `weightDecay * w`, and v the velocity, which starts as the first g:
///
///     v = momentum * v + (1 - dampening) * g
///     w -= learningRate * (nesterov ? g + momentum * v : v)
///
/// A parameter whose `grad` is nil is not updated.
public final class SGD: Optimizer {
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
  /// For each entry of the arena, whether its velocity has started: the first gradient replaces it.
  public private(set) var hasVelocity: [Bool]
  /// What the open step updates.
  private var runs: [ParameterArena.Run<Bool>] = []

  /// Creates an optimizer of the parameters in `arena`.
  public init(_ arena: ParameterArena, _ options: Options = Options()) {
    self.arena = arena
    self.options = options
    storage = options.momentum == 0 ? nil : arena.allocateState()
    velocity = UnsafeMutableBufferPointer(
      start: storage?.pointer.assumingMemoryBound(to: Float.self),
      count: storage == nil ? 0 : arena.count)
    hasVelocity = Array(repeating: false, count: arena.entries.count)
  }

  /// Begins a step.
  public func beginStep() {
    arena.collectGradients()
    runs = arena.runs { hasVelocity[$0] }
  }

  /// Updates some elements from their gradients.
  public func update(
    _ range: Range<Int>, gradients: UnsafePointer<Float>, learningRate: Double
  ) {
    runs.forEachElements(of: range) { elements, isStarted in
      let start = elements.lowerBound
      ck_sgd_f32(
        arena.values.baseAddress! + start,
        options.momentum == 0 ? nil : velocity.baseAddress! + start,
        gradients + (start - range.lowerBound), elements.count, Float(learningRate),
        Float(options.momentum), Float(options.dampening), Float(options.weightDecay),
        options.nesterov, !isStarted, 1)
    }
  }

  /// Ends a step: the velocities of the updated parameters have started.
  public func endStep() {
    for index in runs.flatMap(\.entries) { hasVelocity[index] = true }
    runs = []
    arena.markValuesChanged()
  }

  /// The velocities; nothing without momentum.
  public var stateBuffers: [(name: String, values: UnsafeMutableBufferPointer<Float>)] {
    options.momentum == 0 ? [] : [("momentum_buffer", velocity)]
  }

  /// 1 for each parameter whose velocity has started, else 0.
  public var stateCounters: [Int] { hasVelocity.map { $0 ? 1 : 0 } }

  /// Restores which velocities have started.
  public func restore(stateCounters: [Int]) {
    require(
      stateCounters.count == hasVelocity.count, "SGD: the restored state is of another model")
    hasVelocity = stateCounters.map { $0 > 0 }
  }
}
