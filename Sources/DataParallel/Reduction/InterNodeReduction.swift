import Base
import Collectives
import Optimizers
import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

/// The inter-node all-reduces of this rank's chunks: started bucket by bucket in a fixed order, each
/// as soon as all ranks of the node have completed the bucket.
///
/// Where nodes share out the optimizer's state, only the first half of each all-reduce sums gradients:
/// this rank gets the sums of its parts. The second half gathers the parameters that the nodes have
/// updated.
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
  private var updatedBuckets = 0

  // MARK: State of the thread that advances

  private var base: Int
  private var nextToStart = 0
  private var underWay: [(bucket: Int, sum: any PendingReduction)] = []
  private var started: UInt64?
  private var ended: UInt64?
  private var nextToGather = 0
  private var gathers: [(bucket: Int, values: any PendingReduction)] = []
  private var startedGathers: UInt64?
  private var endedGathers: UInt64?

  // MARK: Shared state

  private let gradients: NodeGradients
  private let chunks: [Range<Int>]
  private let ranks: any InterNodeCommunicator
  private let algorithm: InterNodeAllReduce
  /// Takes the algorithm's place for fixed slices that the ranks do not share evenly.
  private let blockExchange: BlockExchange?
  private let wire: WireFormat
  /// What rounding took away from the gradients of this rank's chunks; nil where it is dropped.
  private let residuals: ChunkResiduals?
  /// For each rank of this node, the buckets that it has published.
  private let published: SharedCounter
  private let finishedBuckets = Atomic(0)
  /// The values of all parameters, which are gathered after an update; nil where all nodes update all.
  private let gathered: ArenaBuffer?
  /// The buckets whose parts this rank has updated.
  private let updated = Atomic(0)
  private let gatheredBuckets = Atomic(0)
  /// The buckets up to the last step that was discarded: they are not gathered.
  private let discardedBuckets = Atomic(0)

  /// - Parameters:
  ///   - gradients: The gradients of this node.
  ///   - values: The parameters, which are gathered where `options` shares out the optimizer's state.
  ///   - chunks: This rank's chunk of each bucket.
  ///   - communicator: All ranks.
  ///   - options: The type of messages, and what is shared out.
  ///   - algorithm: The algorithm.
  ///   - blockExchange: Takes its place for fixed slices that the ranks do not share evenly.
  init(
    _ gradients: NodeGradients, values: ArenaBuffer, chunks: [Range<Int>],
    _ communicator: any Communicator,
    _ options: DataParallel.Options, _ algorithm: InterNodeAllReduce, blockExchange: BlockExchange?
  ) throws(SharedMemoryError) {
    self.gradients = gradients
    self.chunks = chunks
    self.algorithm = algorithm
    self.blockExchange = blockExchange
    wire = options.wire
    gathered = options.shardOptimizer ? values : nil
    residuals = options.errorFeedback ? ChunkResiduals(chunks) : nil
    ranks = communicator.acrossNodes
    published = try SharedCounter(communicator.node)
    base = -chunks.count
  }

  /// Opens a step on the rank's thread.
  func openStep() {
    bucketsBefore = publishedBuckets
    updatedBuckets = bucketsBefore
  }

  /// Publishes the next bucket: this rank's gradients in it are final.
  func publishNextBucket() {
    publishedBuckets += 1
    published.set(publishedBuckets)
  }

  /// Whether the sums of a bucket's chunk have replaced this rank's gradients, in the open step.
  func isFinished(_ bucket: Int) -> Bool {
    finishedBuckets.load(ordering: .acquiring) > bucketsBefore + bucket
  }

  /// Publishes that this rank has updated its part of the next bucket.
  func publishNextUpdate() {
    guard gathered != nil else { return }
    updatedBuckets += 1
    updated.store(updatedBuckets, ordering: .releasing)
  }

  /// Whether the updated parameters of a bucket's chunk have arrived from all nodes, in the open step.
  func isGathered(_ bucket: Int) -> Bool {
    gathered == nil
      || gatheredBuckets.load(ordering: .acquiring) > bucketsBefore + bucket
  }

  /// Ends the open step, whose sums are finished, without an update.
  func discard() {
    discardedBuckets.store(bucketsBefore + chunks.count, ordering: .releasing)
    dropResiduals()
  }

  /// The part of a chunk that a node sums and updates.
  func part(of chunk: Range<Int>, node: Int) -> Range<Int> {
    guard gathered != nil, !chunk.isEmpty else { return chunk }
    let part = ranks.owned(
      of: chunk.count, using: algorithm, inUnitsOf: BucketLayout.alignment, rank: node)
    return chunk.lowerBound + part.lowerBound..<chunk.lowerBound + part.upperBound
  }

  /// Completes sums of gradients of which each node has its parts, between steps.
  func gatherSums() {
    guard gathered != nil else { return }
    for chunk in chunks where !chunk.isEmpty { wait(for: startGather(gradients.own[chunk])) }
  }

  private func wait(for pending: any PendingReduction) {
    var backoff = Backoff()
    while !pending.advance() { backoff.pause() }
  }

  private func startGather(_ values: ArenaBuffer) -> any PendingReduction {
    ranks.startAllGather(
      values.floats, using: algorithm, inUnitsOf: BucketLayout.alignment)
  }

  /// Drops what rounding took away from earlier gradients, on the rank's thread between steps.
  func dropResiduals() { residuals?.drop() }

  /// Opens a step on the thread that advances.
  func beginStep() {
    base += chunks.count
    nextToStart = 0
    started = nil
    ended = nil
    nextToGather = 0
    startedGathers = nil
    endedGathers = nil
  }

  /// Whether nothing of the step is left to do, for the thread that advances.
  var isStepFinished: Bool {
    let end = base + chunks.count
    return finishedBuckets.load(ordering: .relaxed) >= end
      && (gathered == nil || gatheredBuckets.load(ordering: .relaxed) >= end
        || discardedBuckets.load(ordering: .acquiring) >= end)
  }

  /// Whether nothing can be done before the rank's thread has updated a bucket, for the thread that
  /// advances.
  var awaitsUpdate: Bool {
    gathered != nil && nextToStart == chunks.count && underWay.isEmpty && gathers.isEmpty
  }

  /// Starts the all-reduces of buckets that all ranks of this node have published, and advances those
  /// that are under way; returns whether any has started or ended.
  @discardableResult
  func advance() -> Bool {
    guard !chunks.isEmpty else { return false }
    let before = (nextToStart, underWay.count, nextToGather, gathers.count)
    while nextToStart < chunks.count, published.minimum > base + nextToStart {
      let chunk = chunks[nextToStart]
      if !chunk.isEmpty {
        started = started ?? Timeline.now
        underWay.append((nextToStart, startSum(nextToStart)))
      }
      nextToStart += 1
    }
    underWay.removeAll { $0.sum.advance() }
    if nextToStart == chunks.count, underWay.isEmpty, ended == nil { end() }
    let finished = base + (underWay.first?.bucket ?? nextToStart)
    if finishedBuckets.load(ordering: .relaxed) != finished {
      finishedBuckets.store(finished, ordering: .releasing)
    }
    if let gathered, nextToStart == chunks.count { advanceGathers(gathered) }
    let hasMoved = (nextToStart, underWay.count, nextToGather, gathers.count) != before
    if hasMoved { Activity.advance() }
    return hasMoved
  }

  /// Starts to replace this rank's gradients in its chunk of a bucket by their sums.
  private func startSum(_ bucket: Int) -> any PendingReduction {
    let chunk = chunks[bucket]
    if let blockExchange { return blockExchange.start(chunk) }
    gradients.sumInPlace(chunk)
    let sums = gradients.own[chunk].floats
    let residual = residuals?.chunks[bucket]
    return gathered == nil
      ? ranks.startAllReduce(sums, using: algorithm, wire: wire, residual: residual)
      : ranks.startReduceScatter(
        sums, using: algorithm, wire: wire, residual: residual,
        inUnitsOf: BucketLayout.alignment)
  }

  /// Gathers the parameters of buckets that this rank has updated; all sums have been started.
  private func advanceGathers(_ values: ArenaBuffer) {
    while nextToGather < chunks.count,
      updated.load(ordering: .acquiring) > base + nextToGather
    {
      let chunk = chunks[nextToGather]
      if !chunk.isEmpty {
        startedGathers = startedGathers ?? Timeline.now
        gathers.append((nextToGather, startGather(values[chunk])))
      }
      nextToGather += 1
    }
    gathers.removeAll { $0.values.advance() }
    if nextToGather == chunks.count, gathers.isEmpty, endedGathers == nil {
      endedGathers = Timeline.now
      if let startedGathers, let endedGathers {
        Timeline.add(
          "parameters, \(chunks.count) buckets", .betweenNodes, from: startedGathers,
          to: endedGathers)
      }
    }
    let finished = base + (gathers.first?.bucket ?? nextToGather)
    if gatheredBuckets.load(ordering: .relaxed) != finished {
      gatheredBuckets.store(finished, ordering: .releasing)
    }
  }

  /// The seconds in which all-reduces of the step were under way, once it is finished.
  var secondsUnderWay: Double {
    func seconds(_ start: UInt64?, _ end: UInt64?) -> Double {
      guard let start, let end else { return 0 }
      return Double(end - start) / 1e9
    }
    return seconds(started, ended) + seconds(startedGathers, endedGathers)
  }

  private func end() {
    ended = Timeline.now
    if let started, let ended {
      Timeline.add("gradients, \(chunks.count) buckets", .betweenNodes, from: started, to: ended)
    }
  }
}
