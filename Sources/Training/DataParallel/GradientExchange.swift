import CKernels
import CSharedMemory
import Collectives
import Foundation
import Optimizers
import Synchronization
import TensorCore

/// How sums across machines get on while this rank computes.
public enum Overlap: String, Sendable, Codable, CaseIterable {
  /// Whatever fits the run; see `resolved`.
  case auto
  /// They do not: all is added up after the backward pass.
  case sync
  /// The rank looks after them whenever a parameter's gradient is final.
  case poll
  /// A thread of their own looks after them.
  case thread

  /// The mode for a run.
  ///
  /// On one machine there is nothing to wait for: shared memory is summed where it lies. Across
  /// machines a thread that mostly sleeps costs less than the waiting that it saves, also where it
  /// has no core of its own.
  func resolved(_ placement: Placement, _ communicator: any Communicator) -> Overlap {
    if placement.nodeCount == 1 { return .sync }
    switch self {
    case .auto, .thread: return communicator.canAdvanceOnAnyThread ? .thread : .poll
    case .sync, .poll: return self
    }
  }
}

/// Adds up the gradients of all ranks; each rank gets the sums of its share of every bucket.
///
/// The ranks of a machine read each other's gradients where they lie. Across machines a share
/// travels between the ranks of equal local rank, bucket by bucket in a fixed order, as soon as the
/// bucket's gradients are final on all ranks of the machine.
final class GradientExchange {
  private let arena: ParameterArena
  private let engine: Engine
  private let driver: Driver?
  private let overlap: Overlap
  /// The bounds of the buckets in the arena.
  let buckets: [Range<Int>]
  /// The ranks of a machine that have shares.
  private let sharingRanks: Int
  /// The parameters of each bucket, and the buckets of each parameter, by their numbers.
  private let entriesOfBucket: [Range<Int>]
  private let bucketsOfEntry: [Range<Int>]
  private let entryOfLeaf: [ObjectIdentifier: Int]
  /// For each bucket, how many of its gradients are not final in this step.
  private var pending: [Int] = []
  private var publishedBuckets = 0
  /// Whether the sums of this rank's shares lie where its gradients were.
  private var areSharesSummed = false
  /// Where pieces of shares are summed.
  private let piece: UnsafeMutableBufferPointer<Float>
  /// The buckets of all steps before this one.
  private var base = 0
  /// Brings a bucket's gradients to their last state before others read them.
  private let complete: (_ bucket: Range<Int>, _ entries: Range<Int>) -> Void

  init(
    _ arena: ParameterArena, _ memory: SharedMemory, _ communicator: any Communicator,
    _ placement: Placement, bucketBytes: Int, overlap: Overlap,
    complete: @escaping (_ bucket: Range<Int>, _ entries: Range<Int>) -> Void
  ) throws(SharedMemoryError) {
    self.arena = arena
    self.overlap = overlap
    self.complete = complete
    let buckets = GradientExchange.buckets(
      count: arena.count, bytes: placement.nodeCount == 1 ? 0 : bucketBytes)
    self.buckets = buckets
    sharingRanks = placement.smallestLocalSize
    let ranges = arena.entries.map(\.range)
    func indices(_ items: [Range<Int>], overlapping range: Range<Int>) -> Range<Int> {
      let first = items.firstIndex { $0.upperBound > range.lowerBound } ?? items.count
      let end = items.firstIndex { $0.lowerBound >= range.upperBound } ?? items.count
      return first..<max(first, end)
    }
    entriesOfBucket = buckets.map { indices(ranges, overlapping: $0) }
    bucketsOfEntry = ranges.map { indices(buckets, overlapping: $0) }
    entryOfLeaf = Dictionary(
      uniqueKeysWithValues: arena.entries.enumerated().map {
        (ObjectIdentifier($0.element.parameter), $0.offset)
      })
    engine = Engine(
      gradients: memory.segments.map { $0.baseAddress!.assumingMemoryBound(to: Float.self) },
      communicator, placement,
      counters: try communicator.allocateShared(byteCount: 64),
      buckets: buckets,
      shares: buckets.map {
        GradientExchange.share(
          of: $0, localRank: placement.localRank, among: placement.smallestLocalSize)
      })
    driver = overlap == .thread ? Driver(engine) : nil
    // Small enough for the nearest cache, or large enough to be worth dividing between threads.
    piece = .allocate(
      capacity: Threads.count == 1 ? 4096 : ParameterArena.normBlock * Threads.count)
  }

  deinit {
    driver?.stop()
    piece.deallocate()
  }

  /// Buckets of whole blocks; the last megabyte, which nothing is left to hide behind, in small ones.
  static func buckets(count: Int, bytes: Int) -> [Range<Int>] {
    let block = ParameterArena.normBlock
    // Sums of more elements than an Int32 can count never arise.
    let largest = 1 << 26
    func blocks(_ bytes: Int) -> Int { max(1, bytes / MemoryLayout<Float>.stride / block) * block }
    guard bytes > 0 else {
      return stride(from: 0, to: count, by: largest).map { $0..<min($0 + largest, count) }
    }
    let size = min(blocks(bytes), largest)
    let small = min(size, blocks(1 << 18))
    let tail = blocks(1 << 20)
    var bounds = [0]
    while bounds.last! < count {
      let rest = count - bounds.last!
      let next = rest > tail + small ? min(size, (rest - tail) / block * block) : min(small, rest)
      bounds.append(bounds.last! + next)
    }
    return zip(bounds, bounds.dropFirst()).map { $0..<$1 }
  }

  /// The whole blocks of a bucket that a rank adds up and updates; the ranks of a machine divide a
  /// bucket between them, and those that have no counterpart on another machine get none.
  private static func share(
    of bucket: Range<Int>, localRank: Int, among ranks: Int
  ) -> Range<Int> {
    let block = ParameterArena.normBlock
    let blocks = (bucket.count + block - 1) / block
    func bound(_ rank: Int) -> Int {
      min(bucket.lowerBound + blocks * min(rank, ranks) / ranks * block, bucket.upperBound)
    }
    return bound(localRank)..<bound(localRank + 1)
  }

  /// Opens a step.
  func begin() {
    if !pending.isEmpty { base += buckets.count }
    publishedBuckets = 0
    areSharesSummed = false
    pending = entriesOfBucket.map(\.count)
    if let driver { driver.wake() } else { engine.begin() }
  }

  /// Says that nothing more will be added to the gradient of a parameter in this step.
  func markFinal(_ leaf: Tensor) {
    guard overlap != .sync, let entry = entryOfLeaf[ObjectIdentifier(leaf)] else { return }
    for bucket in bucketsOfEntry[entry] { pending[bucket] -= 1 }
    while publishedBuckets < buckets.count, pending[publishedBuckets] == 0 { publishNext() }
    if overlap == .poll { engine.advance() }
  }

  /// Says that all gradients are final, those that parameters do not have included.
  func markAllFinal() {
    while publishedBuckets < buckets.count { publishNext() }
  }

  private func publishNext() {
    complete(buckets[publishedBuckets], entriesOfBucket[publishedBuckets])
    publishedBuckets += 1
    engine.publish(base + publishedBuckets)
  }

  /// Calls `body` with this rank's shares and the sums of their gradients over all ranks.
  ///
  /// All ranks have marked all gradients as final, and know it.
  func forEachShare(_ body: ParameterUpdate) {
    for (index, share) in engine.shares.enumerated() {
      if engine.sumsAreLocal {
        // A piece goes through the cache once: summed into memory that stays there, and used.
        for start in stride(from: share.lowerBound, to: share.upperBound, by: piece.count) {
          let part = start..<min(start + piece.count, share.upperBound)
          engine.sumOnNode(part, into: piece.baseAddress!)
          body(part, piece.baseAddress!)
        }
      } else {
        while engine.finishedBuckets <= base + index {
          if let driver { driver.hurry() } else { engine.advance() }
          sched_yield()
        }
        body(share, arena.gradients.baseAddress! + share.lowerBound)
      }
    }
  }

  /// Puts the sums of this rank's shares in the place of its own gradients.
  ///
  /// All ranks have marked all gradients as final, and know it.
  func sumShares() {
    if areSharesSummed { return }
    areSharesSummed = true
    if engine.sumsAreLocal {
      for share in engine.shares {
        engine.sumOnNode(share, into: arena.gradients.baseAddress! + share.lowerBound)
      }
    } else {
      forEachShare { _, _ in }
    }
  }

  /// The shares of this rank.
  var shares: [Range<Int>] { engine.shares }

  /// Waits for what is under way, when its result is not wanted.
  func discard() {
    if !engine.sumsAreLocal { forEachShare { _, _ in } }
  }

  /// The seconds from the first sum across machines to the end of the last one, in this step.
  var secondsUnderWay: Double { engine.secondsUnderWay }

  /// The shares of the arena's elements that the rank of the given local number sums.
  func shares(ofLocalRank localRank: Int) -> [Range<Int>] {
    buckets.map { GradientExchange.share(of: $0, localRank: localRank, among: sharingRanks) }
  }
}

/// What adds up shares, on the rank's thread or on one of its own.
///
/// Unchecked: between `begin` and the end of a step one thread only advances it; what others read is
/// in atomics. The memory of gradients belongs to it once they are published.
private final class Engine: @unchecked Sendable {
  private let gradients: [UnsafeMutablePointer<Float>]
  private let communicator: any Communicator
  private let localRank: Int
  private let nodeCount: Int
  private let counters: SharedMemory
  private let buckets: [Range<Int>]
  let shares: [Range<Int>]
  private var nextToStart = 0
  private var underWay: [(bucket: Int, sum: any PendingReduction)] = []
  private var started: ContinuousClock.Instant?
  private var ended: ContinuousClock.Instant?
  /// Counts the buckets of all steps; those of a step begin at `base`.
  private var base = 0
  private let finished = Atomic(0)

  init(
    gradients: [UnsafeMutablePointer<Float>], _ communicator: any Communicator,
    _ placement: Placement, counters: SharedMemory, buckets: [Range<Int>], shares: [Range<Int>]
  ) {
    self.gradients = gradients
    self.communicator = communicator
    self.localRank = placement.localRank
    nodeCount = placement.nodeCount
    self.counters = counters
    self.buckets = buckets
    self.shares = shares
    base = -buckets.count
  }

  /// Whether one machine holds all gradients.
  var sumsAreLocal: Bool { nodeCount == 1 }

  var secondsUnderWay: Double {
    guard let started, let ended else { return 0 }
    return (ended - started) / .seconds(1)
  }

  func begin() {
    base += buckets.count
    nextToStart = 0
    started = nil
    ended = nil
  }

  /// Says that so many buckets of all steps are final on this rank.
  func publish(_ count: Int) {
    csm_publish(counter(localRank), UInt64(count))
  }

  /// How many buckets of all steps have been summed.
  var finishedBuckets: Int { finished.load(ordering: .acquiring) }

  var isStepFinished: Bool { finishedBuckets >= base + buckets.count }

  /// Starts the sums of buckets that are final on all ranks of this machine, and moves on those that
  /// are under way.
  ///
  /// Returns whether any has started or ended.
  @discardableResult
  func advance() -> Bool {
    guard !sumsAreLocal, !buckets.isEmpty else { return false }
    let before = (nextToStart, underWay.count)
    while nextToStart < buckets.count, isPublished(nextToStart) {
      let share = shares[nextToStart]
      if !share.isEmpty {
        started = started ?? .now
        sumOnNode(share, into: gradients[localRank] + share.lowerBound)
        let own = UnsafeMutableBufferPointer(
          start: gradients[localRank] + share.lowerBound, count: share.count)
        underWay.append((nextToStart, communicator.startSumAcrossNodes(own)))
      }
      nextToStart += 1
    }
    underWay.removeAll { $0.sum.advance() }
    if nextToStart == buckets.count, underWay.isEmpty, ended == nil { ended = .now }
    let done = base + (underWay.first?.bucket ?? nextToStart)
    if finished.load(ordering: .relaxed) != done { finished.store(done, ordering: .releasing) }
    return (nextToStart, underWay.count) != before
  }

  /// Adds up the gradients of this machine's ranks.
  func sumOnNode(_ elements: Range<Int>, into sums: UnsafeMutablePointer<Float>) {
    guard !elements.isEmpty else { return }
    let terms = gradients.map { UnsafeRawPointer($0 + elements.lowerBound) }
    ck_sum_tree(ck_f32, sums, terms, terms.count, elements.count)
  }

  private func isPublished(_ bucket: Int) -> Bool {
    gradients.indices.allSatisfy { csm_published(counter($0)) > UInt64(base + bucket) }
  }

  private func counter(_ localRank: Int) -> UnsafeMutablePointer<UInt64> {
    counters.segments[localRank].baseAddress!.assumingMemoryBound(to: UInt64.self)
  }
}

/// A thread that advances sums across machines, asleep most of the time.
private final class Driver: Sendable {
  /// Microseconds between two looks at the network.
  ///
  /// Each look costs those who compute a change of threads, so they become rarer while nothing is
  /// done, up to what the system's buffers bridge.
  private static let pauses = 100...1000
  private let isStopped = Atomic(false)
  private let isWaitedFor = Atomic(false)
  private let wakeUp = DispatchSemaphore(value: 0)

  init(_ engine: Engine) {
    let thread = Thread { [self] in
      while true {
        wakeUp.wait()
        if isStopped.load(ordering: .acquiring) { return }
        engine.begin()
        isWaitedFor.store(false, ordering: .relaxed)
        var pause = Driver.pauses.lowerBound
        repeat {
          let hasMoved = engine.advance()
          if engine.isStepFinished { break }
          pause = hasMoved ? Driver.pauses.lowerBound : min(2 * pause, Driver.pauses.upperBound)
          if isWaitedFor.load(ordering: .relaxed) { sched_yield() } else { usleep(UInt32(pause)) }
        } while !engine.isStepFinished && !isStopped.load(ordering: .acquiring)
      }
    }
    thread.name = "gradients"
    thread.start()
  }

  /// Advances the sums of a step to their end.
  func wake() { wakeUp.signal() }

  /// Says that there is nothing else to do than to wait for the sums.
  func hurry() { isWaitedFor.store(true, ordering: .relaxed) }

  func stop() {
    isStopped.store(true, ordering: .releasing)
    wakeUp.signal()
  }
}
