import Base
import Collectives
import Foundation
import Optimizers
import TensorCore

/// Sums the gradients of all ranks: each rank gets the sums of its chunk of every bucket.
///
/// The ranks of a node read each other's gradients in shared memory. Between nodes, chunks are
/// all-reduced by the ranks of equal local rank, bucket by bucket in a fixed order, as soon as the
/// bucket's gradients are final on all ranks of the node.
final class Reducer {
  private let arena: ParameterArena
  private let gradients: NodeGradients
  private let sliceSum: PairwiseSliceSum?
  private let overlap: Overlap
  private let layout: BucketLayout
  /// This rank's chunk of each bucket.
  let chunks: [Range<Int>]
  /// The all-reduces between nodes, and the thread that advances them; nil on one node.
  private let interNode: InterNodeReduction?
  private let progressThread: ProgressThread?
  /// The entries of each bucket and the buckets of each entry, by their numbers.
  private let entriesOfBucket: [Range<Int>]
  private let bucketsOfEntry: [Range<Int>]
  private let entryOfLeaf: [ObjectIdentifier: Int]
  /// For each bucket, how many of its gradients are not final in this step.
  private var pendingGradients: [Int] = []
  private var completedBuckets = 0
  private let checksGradients: Bool
  /// The first entry with a gradient that is not finite in this step, if gradients are checked.
  private(set) var nonFiniteEntry: Int?
  /// Whether the sums of this rank's chunks have replaced its gradients.
  private var areSumsInPlace = false
  /// Where elements of a chunk are summed on one node, a few at a time.
  private let scratch: ArenaBuffer
  /// All ranks, whose float64 gradients are summed at once between nodes; nil for float32, or on one
  /// node.
  private let wholeSum: (any Communicator)?

  /// - Parameters:
  ///   - arena: The gradients of this rank.
  ///   - gradients: Those of all ranks of its node.
  ///   - sliceSum: The sum over this rank's slices, if it has several.
  ///   - slices: The slices of all ranks.
  ///   - communicator: All ranks.
  ///   - sumsNodesOnly: Whether gradients are summed over the ranks of each node only.
  ///   - bucketBytes: The size of a bucket; 0 makes one bucket of everything.
  ///   - overlap: How inter-node all-reduces make progress during the backward pass.
  ///   - algorithm: The algorithm of the inter-node all-reduces.
  ///   - checksGradients: Whether to look for gradients that are not finite.
  init(
    _ arena: ParameterArena, _ gradients: NodeGradients, sliceSum: PairwiseSliceSum?,
    _ slices: BatchSlices, _ communicator: any Communicator, sumsNodesOnly: Bool, bucketBytes: Int,
    overlap: Overlap,
    algorithm: InterNodeAllReduce, checksGradients: Bool
  ) throws(SharedMemoryError) {
    self.arena = arena
    self.gradients = gradients
    self.sliceSum = sliceSum
    self.overlap = overlap
    self.checksGradients = checksGradients
    let topology = communicator.topology
    let isOneNode = topology.nodeCount == 1 || sumsNodesOnly
    let blockExchange = gradients.blocks.flatMap {
      isOneNode ? nil : BlockExchange(slices, $0, to: gradients.own, communicator.acrossNodes)
    }
    // The all-reduces between nodes are for float32; float64 is for exactness, not for speed.
    let sumsWhole = !isOneNode && arena.dataType == .float64 && blockExchange == nil
    wholeSum = sumsWhole ? communicator : nil
    layout = BucketLayout(
      count: arena.count, bytes: isOneNode ? 0 : bucketBytes,
      chunksPerBucket: topology.smallestLocalSize)
    chunks = layout.chunks(ofLocalRank: topology.localRank)
    interNode =
      isOneNode || sumsWhole
      ? nil
      : try InterNodeReduction(
        gradients, chunks: chunks, communicator, algorithm, blockExchange: blockExchange)
    progressThread = overlap == .thread ? interNode.map(ProgressThread.init) : nil

    let ranges = arena.entries.map(\.range)
    func indices(_ items: [Range<Int>], overlapping range: Range<Int>) -> Range<Int> {
      let first = items.firstIndex { $0.upperBound > range.lowerBound } ?? items.count
      let end = items.firstIndex { $0.lowerBound >= range.upperBound } ?? items.count
      return first..<max(first, end)
    }
    entriesOfBucket = layout.buckets.map { indices(ranges, overlapping: $0) }
    bucketsOfEntry = ranges.map { [buckets = layout.buckets] in indices(buckets, overlapping: $0) }
    entryOfLeaf = Dictionary(
      uniqueKeysWithValues: arena.entries.enumerated().map {
        (ObjectIdentifier($0.element.parameter), $0.offset)
      })
    // Small enough for the first-level cache, or large enough to be divided between threads.
    let capacity = Threads.count == 1 ? 4096 : BucketLayout.alignment * Threads.count
    scratch = ArenaBuffer(
      .allocate(byteCount: capacity * arena.dataType.byteCount, alignment: 64), count: capacity,
      arena.dataType)
  }

  deinit {
    progressThread?.stop()
    scratch.address.deallocate()
  }

  // MARK: - Completing buckets

  /// Begins a step, before the backward pass.
  func beginStep() {
    completedBuckets = 0
    nonFiniteEntry = nil
    if overlap != .sync { pendingGradients = entriesOfBucket.map(\.count) }
    areSumsInPlace = interNode == nil && gradients.buffers.count == 1 && wholeSum == nil
    interNode?.openStep()
    if let progressThread { progressThread.beginStep() } else { interNode?.beginStep() }
  }

  /// Notes that the gradient of a parameter is final in this step.
  func markFinal(_ leaf: Tensor) {
    guard overlap != .sync, let entry = entryOfLeaf[ObjectIdentifier(leaf)] else { return }
    for bucket in bucketsOfEntry[entry] { pendingGradients[bucket] -= 1 }
    while completedBuckets < layout.buckets.count, pendingGradients[completedBuckets] == 0 {
      completeNextBucket()
    }
    if overlap == .poll { interNode?.advance() }
    Activity.advance()
  }

  /// Completes the remaining buckets after the backward pass: all gradients are final, and those that
  /// parameters do not have are zero.
  func completeBuckets() {
    while completedBuckets < layout.buckets.count { completeNextBucket() }
  }

  private func completeNextBucket() {
    let bucket = layout.buckets[completedBuckets]
    // A parameter may also have elements in buckets before, which are complete.
    arena.zeroFillMissingGradients(of: entriesOfBucket[completedBuckets], in: bucket)
    sliceSum?.addWaitingSums(to: bucket)
    if checksGradients, nonFiniteEntry == nil {
      // Before publication: then the gradients belong to the reduction.
      nonFiniteEntry = arena.firstNonFiniteGradient(of: entriesOfBucket[completedBuckets])
    }
    completedBuckets += 1
    interNode?.publishNextBucket()
  }

  // MARK: - Using sums

  /// Calls `body` with this rank's chunks, or ranges of them, and the sums of their gradients over
  /// all ranks.
  ///
  /// All ranks have completed all buckets, and know it of each other.
  func forEachSum(_ body: (_ elements: Range<Int>, _ sums: ArenaBuffer) -> Void) {
    sumWhole()
    for (bucket, chunk) in chunks.enumerated() {
      if interNode != nil || areSumsInPlace {
        wait(for: bucket)
        body(chunk, gradients.own[chunk])
        continue
      }
      // Elements pass through the cache once: summed into memory that stays in it, and used there.
      for start in stride(from: chunk.lowerBound, to: chunk.upperBound, by: scratch.count) {
        let elements = start..<min(start + scratch.count, chunk.upperBound)
        gradients.sum(elements, into: scratch.address)
        body(elements, scratch[0..<elements.count])
      }
    }
  }

  /// Replaces this rank's gradients in its chunks by their sums.
  ///
  /// All ranks have completed all buckets, and know it of each other.
  func sumInPlace() {
    sumWhole()
    if areSumsInPlace { return }
    for (bucket, chunk) in chunks.enumerated() {
      if interNode == nil { gradients.sumInPlace(chunk) } else { wait(for: bucket) }
    }
    areSumsInPlace = true
  }

  /// Replaces all gradients by their sums over all ranks, where they are summed at once.
  private func sumWhole() {
    guard let wholeSum, !areSumsInPlace else { return }
    wholeSum.allReduce(arena.gradientBuffer.doubles, .sum)
    areSumsInPlace = true
  }

  /// Waits for the all-reduces of a step whose sums are not wanted.
  func discard() {
    for bucket in chunks.indices { wait(for: bucket) }
  }

  /// Copies the sums of all chunks of this node's other ranks over this rank's gradients.
  ///
  /// All ranks of the node have called `sumInPlace()`, and know it of each other.
  func copySumsOfOtherRanks() {
    for (localRank, sums) in gradients.buffers.enumerated() where localRank != gradients.localRank {
      for chunk in layout.chunks(ofLocalRank: localRank) {
        gradients.own[chunk].copy(from: sums[chunk])
      }
    }
  }

  /// The seconds from the start of the first inter-node all-reduce of this step to the end of the
  /// last one.
  var secondsUnderWay: Double { interNode?.secondsUnderWay ?? 0 }

  /// Waits until the sums of a bucket's chunk have arrived from the other nodes.
  private func wait(for bucket: Int) {
    guard let interNode, !interNode.isFinished(bucket) else { return }
    Activity.waiting(for: .gradients, bucket: bucket) {
      while !interNode.isFinished(bucket) {
        if let progressThread { progressThread.hurry() } else { interNode.advance() }
        sched_yield()
      }
    }
  }
}
