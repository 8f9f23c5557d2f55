import Base
import Collectives
import Optimizers
import Synchronization

/// The inter-node all-reduces of this rank's chunks: started bucket by bucket in a fixed order, each
/// as soon as all ranks of the node have completed the bucket.
///
/// The rank's own thread calls `openStep`, `publishNextBucket` and `isFinished`; one thread at a time,
/// which may be another one, calls `beginStep` and `advance`. A bucket's gradients belong to the
/// reduction from its publication to its end.
///
/// Unchecked, because the compiler does not see which thread uses what: what both use is atomic.
/// Atomic counters count the buckets of all steps, so that neither thread has to reset them.
final class InterNodeReduction: @unchecked Sendable {
  // MARK: State of the rank's thread

  /// The buckets of earlier steps, and those that this rank has published.
  private var bucketsBefore = 0
  private var publishedBuckets = 0

  // MARK: State of the thread that advances

  private var base: Int
  private var nextToStart = 0
  private var underWay: [(bucket: Int, sum: any PendingReduction)] = []
  private var started: UInt64?
  private var ended: UInt64?

  // MARK: Shared state

  private let gradients: NodeGradients
  private let chunks: [Range<Int>]
  private let ranks: any InterNodeCommunicator
  private let algorithm: InterNodeAllReduce
  /// Takes the algorithm's place for fixed slices that the ranks do not share evenly.
  private let blockExchange: BlockExchange?
  /// For each rank of this node, the buckets that it has published.
  private let published: SharedCounter
  private let finishedBuckets = Atomic(0)

  init(
    _ gradients: NodeGradients, chunks: [Range<Int>], _ communicator: any Communicator,
    _ algorithm: InterNodeAllReduce, blockExchange: BlockExchange?
  ) throws(SharedMemoryError) {
    self.gradients = gradients
    self.chunks = chunks
    self.algorithm = algorithm
    self.blockExchange = blockExchange
    ranks = communicator.acrossNodes
    published = try SharedCounter(communicator.node)
    base = -chunks.count
  }

  /// Opens a step on the rank's thread.
  func openStep() { bucketsBefore = publishedBuckets }

  /// Publishes the next bucket: this rank's gradients in it are final.
  func publishNextBucket() {
    publishedBuckets += 1
    published.set(publishedBuckets)
  }

  /// Whether the sums of a bucket's chunk have replaced this rank's gradients, in the open step.
  func isFinished(_ bucket: Int) -> Bool {
    finishedBuckets.load(ordering: .acquiring) > bucketsBefore + bucket
  }

  /// Opens a step on the thread that advances.
  func beginStep() {
    base += chunks.count
    nextToStart = 0
    started = nil
    ended = nil
  }

  /// Whether all buckets of the step are finished, for the thread that advances.
  var isStepFinished: Bool {
    finishedBuckets.load(ordering: .relaxed) >= base + chunks.count
  }

  /// Starts the all-reduces of buckets that all ranks of this node have published, and advances those
  /// that are under way; returns whether any has started or ended.
  @discardableResult
  func advance() -> Bool {
    guard !chunks.isEmpty else { return false }
    let before = (nextToStart, underWay.count)
    while nextToStart < chunks.count, published.minimum > base + nextToStart {
      let chunk = chunks[nextToStart]
      if !chunk.isEmpty {
        started = started ?? Timeline.now
        underWay.append((nextToStart, start(chunk)))
      }
      nextToStart += 1
    }
    underWay.removeAll { $0.sum.advance() }
    if nextToStart == chunks.count, underWay.isEmpty, ended == nil { end() }
    let finished = base + (underWay.first?.bucket ?? nextToStart)
    if finishedBuckets.load(ordering: .relaxed) != finished {
      finishedBuckets.store(finished, ordering: .releasing)
    }
    let hasMoved = (nextToStart, underWay.count) != before
    if hasMoved { Activity.advance() }
    return hasMoved
  }

  /// Starts to replace this rank's gradients in a chunk by their sums.
  private func start(_ chunk: Range<Int>) -> any PendingReduction {
    if let blockExchange { return blockExchange.start(chunk) }
    gradients.sumInPlace(chunk)
    return ranks.startAllReduce(gradients.own[chunk].floats, using: algorithm)
  }

  /// The seconds from the first start to the last end of the step, once it is finished.
  var secondsUnderWay: Double {
    guard let started, let ended else { return 0 }
    return Double(ended - started) / 1e9
  }

  private func end() {
    ended = Timeline.now
    if let started, let ended {
      Timeline.add("gradients, \(chunks.count) buckets", .betweenNodes, from: started, to: ended)
    }
  }
}
