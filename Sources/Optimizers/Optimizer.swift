/// A method that updates the parameters of an arena from their gradients.
///
/// A step is `beginStep()`, any number of `update`s of different elements in any order, and
/// `endStep()`. The caller decides which elements this process updates: all of them with
/// `step(learningRate:)`, and a part of them where processes share the parameters' memory.
public protocol Optimizer: AnyObject {
  /// The parameters that are updated.
  var arena: ParameterArena { get }

  /// Begins a step: decides by `grad` which parameters are updated.
  func beginStep()

  /// Updates some elements of the arena from their gradients.
  ///
  /// - Parameters:
  ///   - range: The elements. Those of parameters without a gradient are left alone.
  ///   - gradients: The gradients of these elements; the first has the index 0.
  ///   - learningRate: The learning rate of this step.
  func update(_ range: Range<Int>, gradients: ArenaBuffer, learningRate: Double)

  /// Ends a step after the last `update`.
  func endStep()

  /// The optimizer's state of each element, in the arena's order, under PyTorch's names:
  /// `momentum_buffer`, or `exp_avg` and `exp_avg_sq`.
  var stateBuffers: [(name: String, values: ArenaBuffer)] { get }

  /// The optimizer's state of each parameter, in the order of the arena's entries: one number, such
  /// as AdamW's count of steps.
  ///
  /// Checkpoints save it as `stepCounts`.
  var stateCounters: [Int] { get }

  /// Restores the counters of a checkpoint whose other state was copied into `stateBuffers`.
  func restore(stateCounters: [Int])
}

extension Optimizer {
  /// Updates all parameters that have a gradient.
  public func step(learningRate: Double) {
    beginStep()
    (self as? LayerwiseOptimizer)?.measureAll()
    updateAll(0..<arena.count, gradients: arena.gradientBuffer, learningRate: learningRate)
    endStep()
  }

  /// Zeros: a method without counters.
  public var stateCounters: [Int] { Array(repeating: 0, count: arena.entries.count) }

  /// Does nothing: a method without counters.
  public func restore(stateCounters: [Int]) {}
}
