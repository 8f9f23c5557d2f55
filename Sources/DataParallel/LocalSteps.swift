import Base
import Collectives
import DataLoading
import Foundation
import Optimizers

/// What `localSteps` needs: the replicas of the nodes make steps of their own, and an outer step brings
/// them together.
final class LocalSteps {
  /// The steps between two outer steps.
  let interval: Int
  let outer: OuterOptimizer
  /// The algorithm of the outer steps' all-reduces; nil on one node.
  let allReduce: AllReduceChoice?
  /// Adds up numbers over the ranks of a node.
  let nodeSum: NodeSum
  /// The samples that this node's replica, and all replicas, have trained on since the last outer
  /// step.
  var ownSamples = 0
  var allSamples = 0

  init(
    interval: Int, _ outer: OuterOptimizer, _ allReduce: AllReduceChoice?, _ nodeSum: NodeSum
  ) {
    (self.interval, self.outer) = (interval, outer)
    (self.allReduce, self.nodeSum) = (allReduce, nodeSum)
  }

  /// Begins the steps after an outer step.
  func reset() { (ownSamples, allSamples) = (0, 0) }
}

/// Adds up numbers over the ranks of a node, in shared memory.
struct NodeSum {
  private let memory: SharedMemory
  private let node: any NodeCommunicator

  /// Collective over the ranks of the node.
  ///
  /// - Parameter capacity: The most numbers that are added up at once.
  init(capacity: Int, _ node: any NodeCommunicator) throws(SharedMemoryError) {
    self.node = node
    memory = try node.allocateShared(byteCount: capacity * MemoryLayout<Double>.stride)
  }

  /// The sums of the ranks' numbers, added in the order of the local ranks.
  ///
  /// Collective over the ranks of the node.
  func callAsFunction(_ values: [Double]) -> [Double] {
    let segments = memory.segments.map {
      UnsafeMutableBufferPointer(
        start: $0.baseAddress?.assumingMemoryBound(to: Double.self), count: values.count)
    }
    _ = segments[node.rank].update(fromContentsOf: values)
    node.barrier()
    let sums = values.indices.map { index in segments.reduce(0) { $0 + $1[index] } }
    // Before any rank writes its next numbers.
    node.barrier()
    return sums
  }
}

extension DataParallel {
  /// The samples of a global batch whose mean loss a step minimizes: all, or with `localSteps` those
  /// of this node.
  func replicaSamples(of samples: Range<Int>) -> Range<Int> {
    guard localSteps != nil else { return samples }
    return BatchPartition(slices: slices.ofNode[topology.nodeIndex], of: slices.count)
      .slice(of: samples)
  }

  /// Whether all nodes have the same weights: always, unless `localSteps` are under way.
  public var isSynchronized: Bool { localSteps.map { $0.allSamples == 0 } ?? true }

  /// The steps between two outer steps; 1 without `localSteps`.
  package var localStepInterval: Int { localSteps?.interval ?? 1 }

  /// Counts a step of this node's replica.
  func noteLocalStep(_ samples: Range<Int>) {
    localSteps?.ownSamples += replicaSamples(of: samples).count
    localSteps?.allSamples += samples.count
  }

  /// Makes an outer step if it is due after `stepCount` steps.
  package func synchronizeIfDue() {
    guard let localSteps, stepCount.isMultiple(of: localSteps.interval) || stepCount == lastStep
    else { return }
    synchronize()
  }

  /// Makes an outer step of `localSteps` now, so that all nodes have the same weights.
  ///
  /// For an evaluation, or to save them. Does nothing without `localSteps`, or right after an outer step.
  ///
  /// Collective: all ranks call it after the same step.
  public func synchronize() {
    guard let localSteps, !isSynchronized else { return }
    var clock = Stopwatch()
    let share = Double(localSteps.ownSamples) / Double(localSteps.allSamples)
    localSteps.reset()
    // What the last update wrote is about to be replaced.
    arena.markValuesChanged()
    let chunks = reducer.chunks.filter { !$0.isEmpty }
    for chunk in chunks { localSteps.outer.takeDifferences(chunk, share: share) }
    times.update += clock.lap()
    if let allReduce = localSteps.allReduce {
      var pending = chunks.map {
        communicator.acrossNodes.startAllReduce(
          arena.valueBuffer[$0].floats, using: allReduce.algorithm)
      }
      Activity.waiting(for: .gradients, bucket: 0) {
        var backoff = Backoff()
        while !pending.isEmpty {
          let count = pending.count
          pending.removeAll { $0.advance() }
          if pending.count < count {
            Activity.advance()
            backoff.reset()
          } else {
            backoff.pause()
          }
        }
      }
    }
    times.exposedCommunication += clock.lap()
    arena.checksums?.begin()
    for chunk in chunks { localSteps.outer.update(chunk) }
    arena.checksums?.end()
    // No rank may read parameters that another one is still writing.
    communicator.node.barrier()
    times.update += clock.lap()
  }

  /// Adds up numbers over all ranks, of which those of each node together have all; with `localSteps`
  /// over the ranks of this node.
  ///
  /// Each of the numbers is zero on all ranks of a node but one.
  func sumOfReplica(_ values: [Double]) -> [Double] {
    if let localSteps { return localSteps.nodeSum(values) }
    return communicator.allReduce(countsSums ? values : values.map { _ in 0 }, .sum)
  }
}
