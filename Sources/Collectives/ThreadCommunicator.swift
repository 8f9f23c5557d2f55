// Ranks as threads of one process: what a test needs of a distributed run, without MPI.
import Base
import Foundation
import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

/// Runs `body` once for each rank, each on a thread of its own, and returns the results by rank.
///
/// The ranks behave as if they were spread over machines, `ranksPerNode` consecutive ones on each;
/// without it they are on one.
///
/// When ranks throw, the error of the lowest of them is thrown here, and the others are stopped at
/// their next collective. A collective that can never be complete, because a rank has returned or
/// calls another one, stops all ranks too and throws a `CollectiveFailure`. The thread of a stopped
/// rank ends there: what its frames own is not released.
public func withRanks<Value: Sendable>(
  _ count: Int, ranksPerNode: Int? = nil,
  body: @escaping @Sendable (any Communicator) throws -> Value
) throws -> [Value] {
  let ranksPerNode = ranksPerNode ?? count
  precondition(
    count > 0 && ranksPerNode > 0, "withRanks: \(count) ranks, \(ranksPerNode) on a machine")
  let meeting = MeetingPoint(count: count, ranksPerNode: ranksPerNode)
  let outcomes = Outcomes<Value>(count: count)
  for rank in 0..<count {
    let thread = Thread {
      let communicator = ThreadCommunicator(rank: rank, meeting: meeting)
      outcomes.store(Result { try body(communicator) }, rank: rank)
      meeting.leave(rank)
    }
    // A backward pass may recurse deeper than the half megabyte that threads have by default.
    thread.stackSize = 16 << 20
    thread.start()
  }
  meeting.waitUntilAllLeft()
  return try outcomes.inRankOrder(failure: meeting.failure)
}

/// One rank of `withRanks`.
///
/// Values are added in the order of the ranks, so that a sum has the same bits everywhere.
public final class ThreadCommunicator: Communicator {
  /// The number of this thread among the ranks.
  public let rank: Int
  private let meeting: MeetingPoint
  private var startedSums = 0

  fileprivate init(rank: Int, meeting: MeetingPoint) {
    self.rank = rank
    self.meeting = meeting
  }

  /// The number of threads.
  public var worldSize: Int { meeting.count }
  /// The number of this thread among those of its machine.
  public var localRank: Int { rank - nodeLeader }
  /// The number of threads of this thread's machine.
  public var localSize: Int { min(meeting.ranksPerNode, worldSize - nodeLeader) }
  /// The lowest thread of this thread's machine.
  public var nodeLeader: Int { rank / meeting.ranksPerNode * meeting.ranksPerNode }

  /// Replaces each element by its reduction over the ranks.
  public func allReduce(
    _ buffer: UnsafeMutableBufferPointer<Float>, _ operation: ReductionOperation
  ) {
    reduce(buffer, operation)
  }

  /// Replaces each element by its reduction over the ranks.
  public func allReduce(
    _ buffer: UnsafeMutableBufferPointer<Double>, _ operation: ReductionOperation
  ) {
    reduce(buffer, operation)
  }

  /// True.
  public var canAdvanceOnAnyThread: Bool { true }

  /// Starts a sum, which is made as soon as the last machine has started it.
  public func startSumAcrossNodes(
    _ buffer: UnsafeMutableBufferPointer<Float>
  ) -> any PendingReduction {
    defer { startedSums += 1 }
    return MeetingPoint.SumAcrossNodes(
      meeting, localRank: localRank, number: startedSums, node: nodeLeader / meeting.ranksPerNode,
      buffer)
  }

  /// Allocates memory of this process.
  public func allocateShared(byteCount: Int) throws(SharedMemoryError) -> SharedMemory {
    meeting.allocateShared(
      byteCount: byteCount, rank: rank, node: nodeLeader..<nodeLeader + localSize)
  }

  /// Returns when every rank of this machine has come here.
  ///
  /// Waits for those of the other machines too: ranks do the same in the same order.
  public func nodeBarrier() {
    meeting.meet(Call(name: "nodeBarrier"), rank: rank)
  }

  /// Copies the bytes of rank `root` to every rank.
  public func broadcast(_ bytes: UnsafeMutableRawBufferPointer, root: Int) {
    precondition(
      root >= 0 && root < worldSize, "broadcast: there is no rank \(root) in a run of \(worldSize)")
    let call = Call(name: "broadcast", detail: "from rank \(root)", count: bytes.count)
    meet(call, offering: bytes) { buffers in
      if rank != root { bytes.copyMemory(from: UnsafeRawBufferPointer(buffers[root])) }
    }
  }

  /// Returns the bytes of every rank, in rank order.
  public func allGather(_ bytes: [UInt8]) -> [[UInt8]] {
    var bytes = bytes
    return bytes.withUnsafeMutableBytes { own in
      meet(Call(name: "allGather"), offering: own) { buffers in buffers.map { Array($0) } }
    }
  }

  /// Returns when every rank has come here.
  public func barrier() {
    meeting.meet(Call(name: "barrier"), rank: rank)
  }

  /// Ends the process, which all ranks are threads of.
  public func abort(exitCode: Int32) -> Never { exit(exitCode) }

  /// Each rank reduces its own part of all buffers, and writes the result to all of them.
  private func reduce<Scalar: BinaryFloatingPoint>(
    _ buffer: UnsafeMutableBufferPointer<Scalar>, _ operation: ReductionOperation
  ) {
    let call = Call(
      name: "allReduce", detail: "\(operation) of \(Scalar.self)", count: buffer.count)
    meet(call, offering: UnsafeMutableRawBufferPointer(buffer)) { buffers in
      let start = buffer.count * rank / worldSize
      let count = buffer.count * (rank + 1) / worldSize - start
      guard count > 0 else { return }
      let parts = buffers.compactMap {
        $0.bindMemory(to: Scalar.self).baseAddress.map { $0 + start }
      }
      for part in parts.dropFirst() {
        operation.accumulate(part, into: parts[0], count: count)
      }
      for part in parts.dropFirst() {
        part.update(from: parts[0], count: count)
      }
    }
  }

  /// Calls `body` with the buffers of all ranks, which stay in place until every rank is done.
  private func meet<Result>(
    _ call: Call, offering buffer: UnsafeMutableRawBufferPointer,
    _ body: ([UnsafeMutableRawBufferPointer]) -> Result
  ) -> Result {
    let result = body(meeting.meet(call, rank: rank, offering: buffer))
    meeting.meet(call, rank: rank)
    return result
  }
}

/// What a rank calls, which must be the same on all ranks.
private struct Call: Equatable, CustomStringConvertible {
  var name: String
  var detail = ""
  var count = 0

  var description: String { detail.isEmpty ? name : "\(name) (\(detail), count \(count))" }
}

/// Where the threads of `withRanks` wait for each other.
///
/// Unchecked, because the compiler does not see that all state is read and written under the lock
/// of `condition`. The buffers that it hands over are used by other ranks only between two
/// meetings, while their owner waits for the second.
private final class MeetingPoint: @unchecked Sendable {
  let count: Int
  let ranksPerNode: Int
  private let condition = NSCondition()
  private var calls: [Call?]
  private var offered: [UnsafeMutableRawBufferPointer]
  private var gathered: [UnsafeMutableRawBufferPointer] = []
  private var meetings = 0
  private var leftRanks: Set<Int> = []
  private var failureOfCall: CollectiveFailure?
  private var allocations: [SharedMemory?]
  private var sums: [SumKey: SumOfNodes] = [:]

  init(count: Int, ranksPerNode: Int) {
    self.count = count
    self.ranksPerNode = ranksPerNode
    allocations = Array(repeating: nil, count: count)
    calls = Array(repeating: nil, count: count)
    offered = Array(
      repeating: UnsafeMutableRawBufferPointer(start: nil, count: 0), count: count)
  }

  /// Why a collective could never be complete, if that happened.
  var failure: CollectiveFailure? {
    condition.withLock { failureOfCall }
  }

  /// Returns the buffers of all ranks when all have come; ends the thread when that cannot happen.
  @discardableResult
  func meet(
    _ call: Call, rank: Int,
    offering buffer: UnsafeMutableRawBufferPointer = .init(start: nil, count: 0)
  ) -> [UnsafeMutableRawBufferPointer] {
    condition.lock()
    let meeting = meetings
    calls[rank] = call
    offered[rank] = buffer
    failIfStuck()
    if failureOfCall == nil && !calls.contains(nil) { openNextMeeting() }
    // A meeting that took place counts, also when a rank has failed since: others use our buffer.
    while meetings == meeting && failureOfCall == nil { condition.wait() }
    guard meetings > meeting else {
      leftRanks.insert(rank)
      condition.broadcast()
      condition.unlock()
      endThread()
    }
    let buffers = gathered
    condition.unlock()
    return buffers
  }

  /// Says that the calling rank comes no more.
  func leave(_ rank: Int) {
    condition.withLock {
      leftRanks.insert(rank)
      failIfStuck()
      condition.broadcast()
    }
  }

  /// Returns when no rank runs any more.
  func waitUntilAllLeft() {
    condition.withLock {
      while leftRanks.count < count { condition.wait() }
    }
  }

  /// Allocates the segments of the ranks of one machine, which all come here.
  func allocateShared(byteCount: Int, rank: Int, node: Range<Int>) -> SharedMemory {
    var size = byteCount
    let sizes = withUnsafeMutableBytes(of: &size) { own in
      let sizes = meet(Call(name: "allocateShared"), rank: rank, offering: own).map {
        $0.load(as: Int.self)
      }
      meet(Call(name: "allocateShared"), rank: rank)
      return sizes
    }
    if rank == node.lowerBound {
      let memory = SharedMemory.ofProcess(byteCounts: Array(sizes[node]))
      condition.withLock { allocations[rank] = memory }
    }
    meet(Call(name: "allocateShared"), rank: rank)
    defer { meet(Call(name: "allocateShared"), rank: rank) }
    return condition.withLock { allocations[node.lowerBound]! }
  }

  /// Which of the sums across machines: the local rank that makes it, and its number there.
  struct SumKey: Hashable {
    let localRank: Int
    let number: Int
  }

  /// What the machines bring into a sum, and how many have yet to hear that it is made.
  private struct SumOfNodes {
    var buffers: [UnsafeMutableBufferPointer<Float>?]
    var unaware: Int
    var isMade: Bool { !buffers.contains { $0 == nil } }
  }

  /// A sum across machines that one rank has started.
  final class SumAcrossNodes: PendingReduction {
    private let meeting: MeetingPoint
    private let key: SumKey
    private let rank: Int
    private var isDone = false

    init(
      _ meeting: MeetingPoint, localRank: Int, number: Int, node: Int,
      _ buffer: UnsafeMutableBufferPointer<Float>
    ) {
      self.meeting = meeting
      key = SumKey(localRank: localRank, number: number)
      rank = node * meeting.ranksPerNode + localRank
      meeting.offer(buffer, key, node: node)
    }

    func advance() -> Bool {
      if !isDone { isDone = meeting.hearOfSum(key, rank: rank) }
      return isDone
    }
  }

  private func offer(_ buffer: UnsafeMutableBufferPointer<Float>, _ key: SumKey, node: Int) {
    condition.withLock {
      let nodes = (count + ranksPerNode - 1) / ranksPerNode
      var sum =
        sums[key] ?? SumOfNodes(buffers: Array(repeating: nil, count: nodes), unaware: nodes)
      sum.buffers[node] = buffer
      sums[key] = sum
      if sum.isMade { addInPairs(sum.buffers.map { $0! }) }
    }
  }

  /// Makes the sum of buffers, pairs first, in all of them.
  private func addInPairs(_ buffers: [UnsafeMutableBufferPointer<Float>]) {
    var distance = 1
    while distance < buffers.count {
      for first in stride(from: 0, to: buffers.count - distance, by: 2 * distance) {
        guard let sum = buffers[first].baseAddress,
          let term = buffers[first + distance].baseAddress
        else { continue }
        ReductionOperation.sum.accumulate(term, into: sum, count: buffers[first].count)
      }
      distance *= 2
    }
    for buffer in buffers.dropFirst() { _ = buffer.update(fromContentsOf: buffers[0]) }
  }

  /// Whether a sum is made; ends the thread when it never will be.
  private func hearOfSum(_ key: SumKey, rank: Int) -> Bool {
    condition.lock()
    if sums[key]!.isMade {
      sums[key]!.unaware -= 1
      if sums[key]!.unaware == 0 { sums[key] = nil }
      condition.unlock()
      return true
    }
    let isHopeless = sums[key]!.buffers.enumerated().contains { node, buffer in
      buffer == nil && leftRanks.contains(node * ranksPerNode + key.localRank)
    }
    guard failureOfCall != nil || isHopeless else {
      condition.unlock()
      return false
    }
    leftRanks.insert(rank)
    condition.broadcast()
    condition.unlock()
    endThread()
  }

  private func openNextMeeting() {
    gathered = offered
    calls = Array(repeating: nil, count: count)
    meetings += 1
    condition.broadcast()
  }

  /// Finds a rank that waits for one which has left, or for one which calls something else.
  private func failIfStuck() {
    guard failureOfCall == nil, let rank = calls.firstIndex(where: { $0 != nil }),
      let call = calls[rank]
    else { return }
    let message: String
    if !leftRanks.isEmpty {
      message = "waits in \(call), but another rank has ended"
    } else if let other = calls.firstIndex(where: { $0 != nil && $0 != call }),
      let otherCall = calls[other]
    {
      message = "calls \(call), but rank \(other) calls \(otherCall)"
    } else {
      return
    }
    failureOfCall = CollectiveFailure(
      rank: rank, host: hostName(), message: message, exitStatus: .internalError,
      worldSize: count)
    condition.broadcast()
  }

  private func endThread() -> Never {
    Thread.exit()
    fatalError("withRanks: a stopped thread ran on")
  }
}

/// The results of the ranks, as their threads leave them.
private final class Outcomes<Value: Sendable>: Sendable {
  private let values: Mutex<[Result<Value, any Error>?]>

  init(count: Int) {
    values = Mutex(Array(repeating: nil, count: count))
  }

  func store(_ outcome: Result<Value, any Error>, rank: Int) {
    values.withLock { $0[rank] = outcome }
  }

  /// The values by rank; throws the error of the lowest rank that threw, or else `failure`.
  func inRankOrder(failure: CollectiveFailure?) throws -> [Value] {
    let outcomes = values.withLock { $0 }
    let finished = try outcomes.compactMap { try $0?.get() }
    if let failure { throw failure }
    return finished
  }
}
