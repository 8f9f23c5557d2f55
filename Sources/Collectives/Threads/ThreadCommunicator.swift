import Foundation
import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

/// Runs `body` once for each rank, each on a thread of its own, and returns the results by rank.
///
/// This is a distributed run for tests: no MPI, one process. The ranks behave as if they ran on
/// several nodes, `ranksPerNode` consecutive ones on each; without it they run on one node.
///
/// When ranks throw, the error of the lowest of them is thrown here, and the others are stopped at
/// their next collective. A collective that can never complete, because a rank has returned or calls
/// another one, stops all ranks too and throws a `CollectiveFailure`. The thread of a stopped rank
/// ends there: what its frames own is not released.
public func withRanks<Value: Sendable>(
  _ count: Int, ranksPerNode: Int? = nil,
  body: @escaping @Sendable (any Communicator) throws -> Value
) throws -> [Value] {
  let ranksPerNode = ranksPerNode ?? count
  precondition(
    count > 0 && ranksPerNode > 0, "withRanks: \(count) ranks, \(ranksPerNode) on a node")
  let threads = RankThreads(count: count)
  let outcomes = Outcomes<Value>(count: count)
  for rank in 0..<count {
    let thread = Thread {
      let communicator = ThreadCommunicator(rank, of: threads, ranksPerNode: ranksPerNode)
      outcomes.store(Result { try body(communicator) }, rank: rank)
      threads.leave(rank)
    }
    // A backward pass may recurse deeper than the half megabyte that threads have by default.
    thread.stackSize = 16 << 20
    thread.start()
  }
  threads.waitUntilAllLeft()
  return try outcomes.inRankOrder(failure: threads.failure)
}

/// One rank of `withRanks`.
///
/// `allReduce` adds values in rank order, so a sum has the same bits on all ranks.
public final class ThreadCommunicator: Communicator {
  /// The number of this thread among the ranks.
  public let rank: Int
  /// The nodes that the ranks stand for.
  public let topology: Topology
  /// The ranks of this rank's node.
  public let node: any NodeCommunicator
  /// The ranks of equal local rank.
  public let acrossNodes: any InterNodeCommunicator
  private let threads: RankThreads
  private let everyone: [Int]

  fileprivate init(_ rank: Int, of threads: RankThreads, ranksPerNode: Int) {
    self.rank = rank
    self.threads = threads
    everyone = Array(0..<threads.count)
    topology = Topology(rank: rank, nodeOfRank: everyone.map { $0 / ranksPerNode })
    node = ThreadNode(topology, threads)
    acrossNodes = ThreadsAcrossNodes(topology, threads)
  }

  /// The number of threads.
  public var worldSize: Int { threads.count }

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

  /// Returns when every rank has called it.
  public func barrier() { threads.meet(Call(name: "barrier"), rank: rank, among: everyone) }

  /// Ends the process, which all ranks are threads of.
  public func abort(exitCode: Int32) -> Never { exit(exitCode) }

  /// Returns when every rank has called it.
  public func finalize() { threads.meet(Call(name: "finalize"), rank: rank, among: everyone) }

  /// Each rank reduces its own section of all buffers, and writes the result to all of them.
  private func reduce<Scalar: BinaryFloatingPoint>(
    _ buffer: UnsafeMutableBufferPointer<Scalar>, _ operation: ReductionOperation
  ) {
    let call = Call(
      name: "allReduce", detail: "\(operation) of \(Scalar.self)", count: buffer.count)
    meet(call, offering: UnsafeMutableRawBufferPointer(buffer)) { buffers in
      let start = buffer.count * rank / worldSize
      let count = buffer.count * (rank + 1) / worldSize - start
      guard count > 0 else { return }
      let sections = buffers.compactMap {
        $0.bindMemory(to: Scalar.self).baseAddress.map { $0 + start }
      }
      for section in sections.dropFirst() {
        operation.accumulate(section, into: sections[0], count: count)
      }
      for section in sections.dropFirst() {
        section.update(from: sections[0], count: count)
      }
    }
  }

  /// Calls `body` with the buffers of all ranks, which stay valid until every rank is done.
  private func meet<Result>(
    _ call: Call, offering buffer: UnsafeMutableRawBufferPointer,
    _ body: ([UnsafeMutableRawBufferPointer]) -> Result
  ) -> Result {
    let result = body(threads.meet(call, rank: rank, among: everyone, offering: buffer))
    threads.meet(call, rank: rank, among: everyone)
    return result
  }
}

/// The ranks of one node of a `ThreadCommunicator`.
private final class ThreadNode: NodeCommunicator {
  private let topology: Topology
  private let threads: RankThreads

  init(_ topology: Topology, _ threads: RankThreads) {
    self.topology = topology
    self.threads = threads
  }

  var rank: Int { topology.localRank }
  var size: Int { topology.localSize }

  func allocateShared(byteCount: Int) throws(SharedMemoryError) -> SharedMemory {
    var size = byteCount
    let sizes = withUnsafeMutableBytes(of: &size) { own in
      let sizes = meet("node.allocateShared", offering: own).map { $0.load(as: Int.self) }
      meet("node.allocateShared")
      return sizes
    }
    if rank == 0 { threads.store(.ofProcess(byteCounts: sizes), node: topology.nodeIndex) }
    meet("node.allocateShared")
    defer { meet("node.allocateShared") }
    return threads.memory(ofNode: topology.nodeIndex)
  }

  func barrier() { meet("node.barrier") }

  @discardableResult
  private func meet(
    _ name: String, offering buffer: UnsafeMutableRawBufferPointer = .init(start: nil, count: 0)
  ) -> [UnsafeMutableRawBufferPointer] {
    threads.meet(
      Call(name: name), rank: topology.rank, among: topology.nodes[topology.nodeIndex],
      offering: buffer)
  }
}

/// The ranks of equal local rank of a `ThreadCommunicator`.
private final class ThreadsAcrossNodes: InterNodeCommunicator {
  let rank: Int
  let canProgressOnAnyThread = true
  private let threads: RankThreads
  /// The ranks in the run of these ranks.
  private let ranks: [Int]
  private var lastTag = -1

  init(_ topology: Topology, _ threads: RankThreads) {
    self.threads = threads
    ranks = topology.nodes.compactMap { node in
      topology.localRank < node.count ? node[topology.localRank] : nil
    }
    rank = ranks.firstIndex(of: topology.rank)!
  }

  var size: Int { ranks.count }

  func nextTag() -> Int {
    lastTag += 1
    return lastTag
  }

  func startSend(_ bytes: UnsafeRawBufferPointer, to peer: Int, tag: Int) -> any PendingMessage {
    ThreadMessage(
      threads, .init(source: ranks[rank], destination: ranks[peer], tag: tag), isSend: true,
      UnsafeMutableRawBufferPointer(mutating: bytes))
  }

  func startReceive(
    _ bytes: UnsafeMutableRawBufferPointer, from peer: Int, tag: Int
  ) -> any PendingMessage {
    ThreadMessage(
      threads, .init(source: ranks[peer], destination: ranks[rank], tag: tag), isSend: false, bytes)
  }
}

/// The results of the ranks.
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
