import CKernels
import TensorCore

/// The outer step of replicas that train on their own for some steps (DiLoCo, arXiv 2311.08105):
/// gradient descent with Nesterov's momentum; the gradient is the mean of start - weights over the nodes.
///
/// With the weights after the last outer step as `start`, and the replicas' shares adding up to 1:
///
///     difference = sum over replicas of share * (start - weights)
///     v = momentum * v + difference
///     start -= learningRate * (difference + momentum * v)
///     weights = start
///
/// With a learning rate of 1 and no momentum, the weights become the replicas' average.
package final class OuterOptimizer {
  private let arena: ParameterArena
  private let learningRate: Double
  private let momentum: Double
  private let startStorage: Storage
  private let velocityStorage: Storage?

  /// Creates the outer optimizer of the float32 parameters in `arena`; `start()` makes them the start of the way.
  package init(_ arena: ParameterArena, learningRate: Double, momentum: Double) {
    self.arena = arena
    self.learningRate = learningRate
    self.momentum = momentum
    startStorage = arena.allocateState()
    velocityStorage = momentum == 0 ? nil : arena.allocateState()
  }

  /// The weights after the last outer step, in the arena's order; the ranks of a node have one copy.
  private var startBuffer: ArenaBuffer { arena.buffer(startStorage) }

  /// The velocities, in the arena's order, of which the ranks of a node have one copy; nil without momentum.
  package var velocity: ArenaBuffer? { velocityStorage.map(arena.buffer) }

  /// Takes the weights of now for the start of the way, on one rank of each node.
  package func start() { startBuffer.copy(from: arena.valueBuffer) }

  /// Replaces some weights by this replica's part of their difference.
  package func takeDifferences(_ elements: Range<Int>, share: Double) {
    guard !elements.isEmpty else { return }
    let weights = arena.valueBuffer[elements]
    var shape = ck_broadcast()
    (shape.rows, shape.cols) = (1, elements.count)
    (shape.a_row, shape.a_col, shape.b_row, shape.b_col) = (0, 1, 0, 1)
    ck_sub(
      weights.kernelType, weights.address, startBuffer.pointer(at: elements.lowerBound),
      weights.address, &shape)
    ck_affine(
      weights.kernelType, weights.address, weights.address, elements.count, share, 0)
  }

  /// Updates some weights, in whose place are the sums of all replicas' differences.
  package func update(_ elements: Range<Int>) {
    guard !elements.isEmpty else { return }
    arena.changeWeights(elements) { weights, bits in
      let start = startBuffer[elements]
      ck_sgd(
        start.kernelType, start.address, velocity?.pointer(at: elements.lowerBound), weights,
        elements.count, learningRate, momentum, 0, 0, momentum > 0, false, bits)
      weights.copyMemory(from: start.address, byteCount: start.bytes.count)
    }
  }
}
