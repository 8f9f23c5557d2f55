import Base
import Collectives
import Foundation
import Optimizers
import TensorCore

/// Sums the gradients of all ranks: each rank gets the sums of its chunk of every bucket, or where nodes
/// share out the optimizer's state, of its node's part of the chunk.
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
  /// What this rank sums and updates of each bucket: its chunk, or its node's part of it.
  let parts: [Range<Int>]
  /// The all-reduces between nodes, and the thread that advances them; nil on one node.
  private let interNode: InterNodeReduction?
  private let nodeIndex: Int
  private let progressThread: ProgressThread?
  /// The algorithm of these all-reduces; nil where there are none.
  let algorithm: AllReduceChoice?
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
  ///   - options: The size of buckets, the type of messages, and whether to look for gradients that are
  ///     not finite. With `localSteps` gradients are summed over the ranks of each node only.
  ///   - overlap: How inter-node all-reduces make progress during the backward pass.
  ///   - algorithms: The algorithms of inter-node all-reduces from which the fastest is taken.
  init(
    _ arena: ParameterArena, _ gradients: NodeGradients, sliceSum: PairwiseSliceSum?,
    _ slices: BatchSlices, _ communicator: any Communicator, _ options: DataParallel.Options,
    overlap: Overlap, algorithms: [InterNodeAllReduce]
  ) throws(SharedMemoryError) {
    self.arena = arena
    self.gradients = gradients
    self.sliceSum = sliceSum
    self.overlap = overlap
    checksGradients = options.checksGradients
    let topology = communicator.topology
    let isOneNode = topology.nodeCount == 1 || options.localSteps != nil
    let blockExchange = gradients.blocks.flatMap {
      isOneNode ? nil : BlockExchange(slices, $0, to: gradients.own, communicator.acrossNodes)
    }
    // The all-reduces between nodes are for float32; float64 is for exactness, not for speed.
    let sumsWhole = !isOneNode && arena.dataType == .float64 && blockExchange == nil
    wholeSum = sumsWhole ? communicator : nil
    layout = BucketLayout(
      count: arena.count, bucketBytes: isOneNode ? 0 : options.bucketBytes, topology,
      sharesChunks: options.shardOptimizer)
    let chunks = layout.chunks(ofLocalRank: topology.localRank)
    let interNode: InterNodeReduction?
    if isOneNode || sumsWhole {
      (algorithm, interNode) = (nil, nil)
    } else {
      // Blocks go to the owner of their sum directly.
      let algorithms = blockExchange == nil ? algorithms : [.direct]
      let choice = AllReduceChoice(among: algorithms, chunks: chunks, communicator)
      algorithm = choice
      interNode = try InterNodeReduction(
        gradients, values: arena.valueBuffer, chunks: chunks, communicator, options,
        choice.algorithm, blockExchange: blockExchange)
    }
    (self.chunks, self.interNode) = (chunks, interNode)
    nodeIndex = topology.nodeIndex
    parts = chunks.map { interNode?.part(of: $0, node: topology.nodeIndex) ?? $0 }
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

  /// Calls `body` with this rank's parts, or ranges of them, and the sums of their gradients over
  /// all ranks; `body` updates the parameters.
  ///
  /// All ranks have completed all buckets, and know it of each other.
  func forEachSum(_ body: (_ elements: Range<Int>, _ sums: ArenaBuffer) -> Void) {
    sumWhole()
    for (bucket, chunk) in parts.enumerated() {
      if interNode != nil || areSumsInPlace {
        wait(for: bucket)
        body(chunk, gradients.own[chunk])
        interNode?.publishNextUpdate()
        if progressThread == nil { interNode?.advance() }
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

  /// Waits until the parameters that other nodes have updated have arrived, after `forEachSum`.
  func waitForParameters() {
    for bucket in chunks.indices {
      wait(for: bucket) { $0.isGathered(bucket) }
    }
  }

  /// Replaces this rank's gradients in its parts by their sums.
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
    interNode?.discard()
  }

  /// Drops what rounding took away from the gradients of earlier steps.
  ///
  /// No step is open.
  func dropResiduals() { interNode?.dropResiduals() }

  /// The parts of this rank's chunks that a node sums and updates.
  func parts(ofNode node: Int) -> [Range<Int>] {
    chunks.map { interNode?.part(of: $0, node: node) ?? $0 }
  }

  /// The elements that no rank of this node updates, where nodes share out the optimizer's state.
  var otherParts: [Range<Int>] {
    var others: [Range<Int>] = []
    for localRank in 0..<layout.chunksPerBucket {
      for chunk in layout.chunks(ofLocalRank: localRank) {
        let part = interNode?.part(of: chunk, node: nodeIndex) ?? chunk
        others += [chunk.lowerBound..<part.lowerBound, part.upperBound..<chunk.upperBound]
      }
    }
    return others.filter { !$0.isEmpty }
  }

  /// Completes the sums of this rank's chunks, where it has those of its parts, between steps.
  func gatherSums() { interNode?.gatherSums() }

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
  private func wait(for bucket: Int) { wait(for: bucket) { $0.isFinished(bucket) } }

  private func wait(for bucket: Int, until isDone: (InterNodeReduction) -> Bool) {
    guard let interNode, !isDone(interNode) else { return }
    Activity.waiting(for: .gradients, bucket: bucket) {
      var backoff = Backoff()
      while !isDone(interNode) {
        if let progressThread {
          progressThread.hurry()
        } else if interNode.advance() {
          backoff.reset()
        }
        backoff.pause()
      }
    }
  }
}
