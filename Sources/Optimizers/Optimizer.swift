/// Updates some elements of an arena from their gradients, the first of which is pointed at.
public typealias ParameterUpdate = (_ elements: Range<Int>, _ gradients: UnsafePointer<Float>) ->
  Void

/// A method that updates the parameters of an arena from their gradients.
public protocol Optimizer: AnyObject {
  /// The parameters that are updated.
  var arena: ParameterArena { get }

  /// Updates all parameters that have a gradient, in parts.
  ///
  /// `body` calls the function that it is given with ranges of the arena's elements and their
  /// gradients. It leaves out those that other processes update in the memory that they share with
  /// this one.
  func step(learningRate: Double, parts body: (ParameterUpdate) -> Void)

  /// What the method remembers of each parameter, in the arena's order, under PyTorch's names:
  /// `momentum_buffer`, or `exp_avg` and `exp_avg_sq`.
  var stateBuffers: [(name: String, values: UnsafeMutableBufferPointer<Float>)] { get }

  /// For each entry of the arena, how many steps it has made, as far as the method needs it.
  var stepCounts: [Int] { get }

  /// Takes over the step counts of a checkpoint whose values were copied into `stateBuffers`.
  func restore(stepCounts: [Int])
}

extension Optimizer {
  /// Updates all parameters that have a gradient.
  public func step(learningRate: Double) {
    guard let gradients = arena.gradients.baseAddress else { return }
    step(learningRate: learningRate) { update in update(0..<arena.count, gradients) }
  }
}

extension SGD: Optimizer {
  /// The velocities; nothing without momentum.
  public var stateBuffers: [(name: String, values: UnsafeMutableBufferPointer<Float>)] {
    options.momentum == 0 ? [] : [("momentum_buffer", velocity)]
  }

  /// 1 where the velocity has been started, else 0.
  public var stepCounts: [Int] { hasVelocity.map { $0 ? 1 : 0 } }

  /// Takes over which velocities have been started.
  public func restore(stepCounts: [Int]) { restore(hasVelocity: stepCounts.map { $0 > 0 }) }
}

extension AdamW: Optimizer {
  /// Both moments.
  public var stateBuffers: [(name: String, values: UnsafeMutableBufferPointer<Float>)] {
    [("exp_avg", firstMoment), ("exp_avg_sq", secondMoment)]
  }

  /// The steps that each entry has made.
  public var stepCounts: [Int] { steps }

  /// Takes over how many steps each entry has made.
  public func restore(stepCounts: [Int]) { restore(steps: stepCounts) }
}
