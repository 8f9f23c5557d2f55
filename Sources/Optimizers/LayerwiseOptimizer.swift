import CKernels
import TensorCore

/// An optimizer that scales the update of each parameter by norms of the whole parameter, as LARS and
/// LAMB do.
///
/// A process may update only a part of a parameter. So a step has one more phase: `measure`, in which
/// each process adds up squares in fixed blocks of the arena, and `setNorms` with the sums of all
/// blocks. A block lies on one process, and blocks are added in their order: the norms have the same
/// bits on any number of processes.
public class LayerwiseOptimizer: ArenaOptimizer {
  /// The Euclidean norms that decide how much of a parameter's update is applied.
  struct Norms {
    /// The norm of the weights.
    var weights: Double
    /// The norm of the gradient, or of the direction of the update.
    var update: Double
  }

  /// For each entry, the number of its first block among the blocks of all.
  private let firstBlocks: [Int]
  /// How many sums `measure` adds to.
  package let sumCount: Int
  /// The norms of each entry in the open step; nil before `setNorms`.
  private var norms: [Norms]?

  init(
    _ arena: ParameterArena, state stateNames: [String],
    decays: (ParameterArena.Entry) -> Bool
  ) {
    var blocks = 0
    firstBlocks = arena.entries.map { entry in
      defer { blocks += LayerwiseOptimizer.blocks(of: entry.range).count }
      return blocks
    }
    sumCount = 2 * blocks
    super.init(arena, state: stateNames, separatesEntries: true, decays: decays)
  }

  /// The blocks of the arena that a range overlaps.
  private static func blocks(of range: Range<Int>) -> Range<Int> {
    let size = ParameterArena.normBlock
    return range.lowerBound / size..<(range.upperBound + size - 1) / size
  }

  /// The first phase of an update of some elements, whole blocks or the arena's end: adds squares to the
  /// `sumCount` sums.
  package final func measure(
    _ range: Range<Int>, gradients: ArenaBuffer, adding sums: inout [Double]
  ) {
    forEachPart(of: range, gradients, 0) { part in
      let blocks = LayerwiseOptimizer.blocks(of: part.elements)
      let first = LayerwiseOptimizer.blocks(of: arena.entries[part.entry].range).lowerBound
      for block in blocks {
        let size = ParameterArena.normBlock
        let elements = part.elements.clamped(to: block * size..<(block + 1) * size)
        let offset = (elements.lowerBound - part.elements.lowerBound) * arena.dataType.byteCount
        let squares = squares(
          Part(
            elements: elements, gradients: part.gradients + offset, entry: part.entry,
            step: part.step, decayFactor: part.decayFactor, learningRate: 0))
        let sum = 2 * (firstBlocks[part.entry] + block - first)
        sums[sum] += squares.weights
        sums[sum + 1] += squares.update
      }
    }
  }

  /// Takes the sums of all processes for the updates that follow.
  package final func setNorms(_ sums: [Double]) {
    norms = arena.entries.indices.map { entry in
      var squares = (weights: 0.0, update: 0.0)
      let first = firstBlocks[entry]
      for block in first..<first + LayerwiseOptimizer.blocks(of: arena.entries[entry].range).count {
        squares.weights += sums[2 * block]
        squares.update += sums[2 * block + 1]
      }
      return Norms(
        weights: squares.weights.squareRoot(), update: squares.update.squareRoot())
    }
  }

  /// Measures all elements: in a process that has them all.
  final func measureAll() {
    var sums = [Double](repeating: 0, count: sumCount)
    measure(0..<arena.count, gradients: arena.gradientBuffer, adding: &sums)
    setNorms(sums)
  }

  /// The sums of squares of the weights and of the update of some elements, at most a block.
  func squares(_ part: Part) -> (weights: Double, update: Double) {
    fatalError("\(type(of: self)) does not say what it measures")
  }

  /// The norms of a part's parameter.
  final func norms(_ part: Part) -> Norms {
    guard let norms else {
      fatalError("\(type(of: self)).update: the norms were not measured; call step(learningRate:)")
    }
    return norms[part.entry]
  }

  /// The sum of the squares of some weights.
  final func squareSum(ofWeights part: Part) -> Double {
    ck_sum_squares(
      kernelType, arena.valueBuffer.pointer(at: part.elements.lowerBound), part.elements.count)
  }

  /// Ends a step.
  public override func endStep() {
    norms = nil
    super.endStep()
  }
}
