// Ranks as threads of one process: what a test needs of a distributed run, without MPI.
import Foundation
import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

/// Runs `body` once for each rank, each on a thread of its own, and returns the results by rank.
///
/// When ranks throw, the error of the lowest of them is thrown here, and the others are stopped at
/// their next collective. A collective that can never be complete, because a rank has returned or
/// calls another one, stops all ranks too and throws a `CollectiveFailure`. The thread of a stopped
/// rank ends there: what its frames own is not released.
public func withRanks<Value: Sendable>(
  _ count: Int, body: @escaping @Sendable (any Communicator) throws -> Value
) throws -> [Value] {
  precondition(count > 0, "withRanks: \(count) ranks")
  let meeting = MeetingPoint(count: count)
  let outcomes = Outcomes<Value>(count: count)
  for rank in 0..<count {
    let thread = Thread {
      let communicator = ThreadCommunicator(rank: rank, meeting: meeting)
      outcomes.store(Result { try body(communicator) }, rank: rank)
      meeting.leave()
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

  fileprivate init(rank: Int, meeting: MeetingPoint) {
    self.rank = rank
    self.meeting = meeting
  }

  /// The number of threads.
  public var worldSize: Int { meeting.count }
  /// The rank, as all ranks are on this machine.
  public var localRank: Int { rank }
  /// The number of threads, as all ranks are on this machine.
  public var localSize: Int { meeting.count }
  /// Zero.
  public var nodeLeader: Int { 0 }

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

  /// Replaces each element by its reduction over the ranks, before it returns.
  public func startAllReduce(
    _ buffer: UnsafeMutableBufferPointer<Float>, _ operation: ReductionOperation
  ) -> any PendingReduction {
    reduce(buffer, operation)
    return FinishedReduction()
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
  private let condition = NSCondition()
  private var calls: [Call?]
  private var offered: [UnsafeMutableRawBufferPointer]
  private var gathered: [UnsafeMutableRawBufferPointer] = []
  private var meetings = 0
  private var left = 0
  private var failureOfCall: CollectiveFailure?

  init(count: Int) {
    self.count = count
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
      left += 1
      condition.broadcast()
      condition.unlock()
      endThread()
    }
    let buffers = gathered
    condition.unlock()
    return buffers
  }

  /// Says that the calling rank comes no more.
  func leave() {
    condition.withLock {
      left += 1
      failIfStuck()
      condition.broadcast()
    }
  }

  /// Returns when no rank runs any more.
  func waitUntilAllLeft() {
    condition.withLock {
      while left < count { condition.wait() }
    }
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
    if left > 0 {
      message = "waits in \(call), but another rank has ended"
    } else if let other = calls.firstIndex(where: { $0 != nil && $0 != call }),
      let otherCall = calls[other]
    {
      message = "calls \(call), but rank \(other) calls \(otherCall)"
    } else {
      return
    }
    failureOfCall = CollectiveFailure(
      rank: rank, host: hostName(), message: message, exitCode: 70, worldSize: count)
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
