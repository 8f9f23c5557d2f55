import CKernels
import TensorCore

/// What the optimizers of the library have in common: state for each element under PyTorch's names, a
/// count of updates for each parameter, and which parameters decay.
public class ArenaOptimizer: Optimizer {
  /// Elements that are updated by one call of a kernel.
  struct Part {
    /// The elements, of parameters with the same count of updates and the same decay.
    let elements: Range<Int>
    /// The first one's gradient.
    let gradients: UnsafeMutableRawPointer
    /// The first parameter; the only one where entries are kept apart.
    let entry: Int
    /// The number of this update, counted from 1.
    let step: Int
    /// What the weight decay is multiplied by.
    let decayFactor: Double
    let learningRate: Double
  }

  /// What decides how a parameter is updated.
  private struct RunState: Equatable {
    var stepCount: Int
    var decayFactor: Double
    /// The parameter, where parameters are kept apart; else 0.
    var entry: Int
  }

  /// The parameters that are updated.
  public let arena: ParameterArena
  /// The state of each element, in the arena's order.
  public let stateBuffers: [(name: String, values: ArenaBuffer)]
  /// For each entry of the arena, how often it was updated.
  public private(set) var stepCounts: [Int]
  private let storages: [Storage]
  private let decays: [Bool]
  private let separatesEntries: Bool
  /// What the open step updates.
  private var runs: [ParameterArena.Run<RunState>] = []

  /// - Parameters:
  ///   - arena: The parameters.
  ///   - stateNames: The state of each element, which starts as zero.
  ///   - separatesEntries: Whether each part has elements of one parameter only.
  ///   - decays: Which parameters decay, unless `setWeightDecays` says something of them.
  init(
    _ arena: ParameterArena, state stateNames: [String], separatesEntries: Bool = false,
    decays: (ParameterArena.Entry) -> Bool = { _ in true }
  ) {
    self.arena = arena
    self.separatesEntries = separatesEntries
    self.decays = arena.entries.map(decays)
    stepCounts = Array(repeating: 0, count: arena.entries.count)
    let storages = stateNames.map { _ in arena.allocateState() }
    self.storages = storages
    stateBuffers = zip(stateNames, storages).map { ($0, arena.buffer($1)) }
  }

  /// Begins a step.
  public func beginStep() {
    arena.collectGradients()
    runs = arena.runs {
      RunState(
        stepCount: stepCounts[$0],
        decayFactor: arena.weightDecayFactor(ofEntry: $0) ?? (decays[$0] ? 1 : 0),
        entry: separatesEntries ? $0 : 0)
    }
  }

  /// Updates some elements from their gradients.
  public final func update(_ range: Range<Int>, gradients: ArenaBuffer, learningRate: Double) {
    forEachPart(of: range, gradients, learningRate) { part in
      arena.changeWeights(part.elements) { weights, bits in update(part, weights, bits) }
    }
  }

  /// Updates the weights of one part.
  func update(
    _ part: Part, _ weights: UnsafeMutableRawPointer, _ bits: UnsafeMutablePointer<ck_bit_sums>?
  ) {
    fatalError("\(type(of: self)) does not say how it updates")
  }

  /// Calls `body` with the parts of some elements that the open step updates.
  final func forEachPart(
    of range: Range<Int>, _ gradients: ArenaBuffer, _ learningRate: Double, _ body: (Part) -> Void
  ) {
    require(
      gradients.dataType == arena.dataType && gradients.count >= range.count,
      "\(type(of: self)).update: \(gradients.count) gradients \(gradients.dataType) for \(range.count) elements \(arena.dataType)"
    )
    runs.forEachElements(of: range) { run, elements in
      body(
        Part(
          elements: elements,
          gradients: gradients.pointer(at: elements.lowerBound - range.lowerBound),
          entry: run.entries.lowerBound, step: run.state.stepCount + 1,
          decayFactor: run.state.decayFactor, learningRate: learningRate))
    }
  }

  /// The state of a part's first element, in the buffer of this number.
  final func state(_ buffer: Int, _ part: Part) -> UnsafeMutableRawPointer {
    stateBuffers[buffer].values.pointer(at: part.elements.lowerBound)
  }

  /// The kernels' name of the type of the parameters.
  final var kernelType: ck_type { arena.valueBuffer.kernelType }

  /// Ends a step: counts it for the updated parameters.
  public func endStep() {
    for index in runs.flatMap(\.entries) { stepCounts[index] += 1 }
    runs = []
    arena.markValuesChanged()
  }

  /// The step counts.
  public var stateCounters: [Int] { stepCounts }

  /// Restores the step counts.
  public func restore(stateCounters: [Int]) {
    require(
      stateCounters.count == stepCounts.count,
      "\(type(of: self)): the restored state is of another model")
    stepCounts = stateCounters
  }
}
