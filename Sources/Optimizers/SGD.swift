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
public final class SGD: Optimizer {
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
      arena.changeWeights(elements) { weights, bits in
        ck_sgd(
          ck_f32, weights, options.momentum == 0 ? nil : velocity.baseAddress! + start,
          gradients + (start - range.lowerBound), elements.count, learningRate, options.momentum,
          options.dampening, options.weightDecay, options.nesterov, !isStarted, bits)
      }
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

extension OptimizerKind {
  /// SGD; by name it has momentum.
  public static let sgd = OptimizerKind(
    "sgd", SGD.Options(momentum: 0.9), stateBuffers: { $0.momentum == 0 ? 0 : 1 }
  ) { SGD($0, $1) }
}
