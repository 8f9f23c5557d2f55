import Base
import Foundation

/// What a rank calls, which must be the same on all ranks that take part.
struct Call: Equatable, CustomStringConvertible {
  var name: String
  var detail = ""
  var count = 0

  var description: String { detail.isEmpty ? name : "\(name) (\(detail), count \(count))" }
}

/// What the threads of `withRanks` share: where they wait for each other and leave messages.
///
/// Unchecked, because the compiler does not see that all state is read and written under the lock of
/// `condition`. A rank's buffer is used by others only while it waits, or until its message is
/// complete.
final class RankThreads: @unchecked Sendable {
  /// A call that waits for the other ranks that take part.
  private struct WaitingCall {
    let call: Call
    let ranks: [Int]
    let buffer: UnsafeMutableRawBufferPointer
  }

  let count: Int
  private let condition = NSCondition()
  /// For each rank, the call in which it waits.
  private var waiting: [WaitingCall?]
  /// For each rank, how many of its calls are complete, and what the last one gathered.
  private var completedCalls: [Int]
  private var gathered: [[UnsafeMutableRawBufferPointer]]
  private var leftRanks: Set<Int> = []
  private var firstFailure: CollectiveFailure?
  private var memoryOfNode: [Int: SharedMemory] = [:]
  /// Messages that wait for their other half, oldest first.
  private var messages: [ThreadMessage.Route: [ThreadMessage.Half]] = [:]

  init(count: Int) {
    self.count = count
    waiting = Array(repeating: nil, count: count)
    completedCalls = Array(repeating: 0, count: count)
    gathered = Array(repeating: [], count: count)
  }

  /// Why a collective could never complete, if that happened.
  var failure: CollectiveFailure? {
    condition.withLock { firstFailure }
  }

  // MARK: - Calls

  /// Returns the buffers of the ranks that take part when all have made the same call; ends the
  /// thread when that cannot happen.
  @discardableResult
  func meet(
    _ call: Call, rank: Int, among ranks: [Int],
    offering buffer: UnsafeMutableRawBufferPointer = .init(start: nil, count: 0)
  ) -> [UnsafeMutableRawBufferPointer] {
    condition.lock()
    let completed = completedCalls[rank]
    waiting[rank] = WaitingCall(call: call, ranks: ranks, buffer: buffer)
    failIfStuck()
    if firstFailure == nil { completeCall(of: ranks) }
    // A completed call counts, also when a rank has failed since: others use our buffer.
    while completedCalls[rank] == completed && firstFailure == nil { condition.wait() }
    guard completedCalls[rank] > completed else { endThread(ofRank: rank) }
    let buffers = gathered[rank]
    condition.unlock()
    return buffers
  }

  /// Completes the call of these ranks, if all of them wait; they call the same, or are stuck.
  private func completeCall(of ranks: [Int]) {
    let calls = ranks.compactMap { waiting[$0] }
    guard calls.count == ranks.count else { return }
    for rank in ranks {
      gathered[rank] = calls.map(\.buffer)
      completedCalls[rank] += 1
      waiting[rank] = nil
    }
    condition.broadcast()
  }

  /// Finds a rank that waits for one which has left, or for one which waits for it in another call.
  private func failIfStuck() {
    guard firstFailure == nil else { return }
    for (rank, waitingCall) in waiting.enumerated() {
      guard let waitingCall else { continue }
      for other in waitingCall.ranks {
        if leftRanks.contains(other) {
          fail(rank, "waits in \(waitingCall.call), but another rank has ended")
          return
        }
        guard let otherCall = waiting[other], otherCall.ranks.contains(rank) else { continue }
        if otherCall.call != waitingCall.call || otherCall.ranks != waitingCall.ranks {
          fail(rank, "calls \(waitingCall.call), but rank \(other) calls \(otherCall.call)")
          return
        }
      }
    }
  }

  private func fail(_ rank: Int, _ message: String) {
    firstFailure =
      firstFailure
      ?? CollectiveFailure(
        rank: rank, host: hostName(), message: message, exitStatus: .internalError,
        worldSize: count)
    condition.broadcast()
  }

  /// Notes that a rank makes no more calls.
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

  /// Ends the calling thread, which holds the lock, and with it its rank.
  private func endThread(ofRank rank: Int) -> Never {
    leftRanks.insert(rank)
    condition.broadcast()
    condition.unlock()
    Thread.exit()
    fatalError("withRanks: a stopped thread ran on")
  }

  // MARK: - Memory of nodes

  func store(_ memory: SharedMemory, node: Int) {
    condition.withLock { memoryOfNode[node] = memory }
  }

  func memory(ofNode node: Int) -> SharedMemory {
    condition.withLock { memoryOfNode[node]! }
  }

  // MARK: - Messages

  /// Completes a message together with its other half, or leaves it for that.
  func start(_ message: ThreadMessage.Half) {
    condition.withLock {
      let route = message.route
      guard let other = messages[route]?.first, other.isSend != message.isSend else {
        messages[route, default: []].append(message)
        return
      }
      remove(other)
      let (send, receive) = message.isSend ? (message, other) : (other, message)
      if send.bytes.count == receive.bytes.count {
        receive.bytes.copyMemory(from: UnsafeRawBufferPointer(send.bytes))
      } else {
        fail(
          route.destination,
          "receives \(receive.bytes.count) bytes from rank \(route.source), which sends "
            + "\(send.bytes.count)")
      }
      (send.isComplete, receive.isComplete) = (true, true)
    }
  }

  /// Whether a message is complete; ends the thread when it never will be.
  func test(_ message: ThreadMessage.Half) -> Bool {
    condition.lock()
    if !message.isComplete, leftRanks.contains(message.peer) {
      fail(message.rank, "waits for a message of rank \(message.peer), which has ended")
    }
    if firstFailure != nil && !message.isComplete { endThread(ofRank: message.rank) }
    let isComplete = message.isComplete
    condition.unlock()
    // There are more ranks than cores: give way to the one that is waited for.
    if !isComplete { sched_yield() }
    return isComplete
  }

  /// Withdraws a message whose buffer is about to become invalid.
  func cancel(_ message: ThreadMessage.Half) {
    condition.withLock { remove(message) }
  }

  private func remove(_ message: ThreadMessage.Half) {
    messages[message.route]?.removeAll { $0 === message }
    if messages[message.route]?.isEmpty == true { messages[message.route] = nil }
  }
}

/// A message that one thread of `withRanks` has started to send or to receive.
final class ThreadMessage: PendingMessage {
  /// What a send and a receive must have in common to belong together.
  struct Route: Hashable {
    let source: Int
    let destination: Int
    let tag: Int
  }

  /// One end of a message.
  final class Half {
    let route: Route
    let isSend: Bool
    let bytes: UnsafeMutableRawBufferPointer
    /// Read and written under the lock of `RankThreads`.
    var isComplete = false

    init(_ route: Route, isSend: Bool, _ bytes: UnsafeMutableRawBufferPointer) {
      self.route = route
      self.isSend = isSend
      self.bytes = bytes
    }

    /// The rank whose end this is.
    var rank: Int { isSend ? route.source : route.destination }
    /// The rank at the other end.
    var peer: Int { isSend ? route.destination : route.source }
  }

  private let threads: RankThreads
  private let half: Half

  init(
    _ threads: RankThreads, _ route: Route, isSend: Bool, _ bytes: UnsafeMutableRawBufferPointer
  ) {
    self.threads = threads
    half = Half(route, isSend: isSend, bytes)
    threads.start(half)
  }

  deinit { threads.cancel(half) }

  func test() -> Bool { threads.test(half) }
}
