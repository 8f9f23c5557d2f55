#if canImport(Glibc)
  import Glibc
#endif

/// A run of one rank: every collective leaves the values as they are.
public final class SingleProcess: Communicator {
  /// Creates the communicator of a run of one rank.
  public init() {}

  /// Zero.
  public let rank = 0
  /// One.
  public let worldSize = 1
  /// One node with one rank.
  public let topology = Topology(rank: 0, nodeOfRank: [0])
  /// This rank alone.
  public let node: any NodeCommunicator = SingleRankNode()
  /// This rank alone.
  public let acrossNodes: any InterNodeCommunicator = SingleRankAcrossNodes()

  /// Leaves the buffer as it is.
  public func allReduce(
    _ buffer: UnsafeMutableBufferPointer<Float>, _ operation: ReductionOperation
  ) {}

  /// Leaves the buffer as it is.
  public func allReduce(
    _ buffer: UnsafeMutableBufferPointer<Double>, _ operation: ReductionOperation
  ) {}

  /// Leaves the bytes as they are.
  public func broadcast(_ bytes: UnsafeMutableRawBufferPointer, root: Int) {
    precondition(root == 0, "broadcast: there is no rank \(root) in a run of 1")
  }

  /// Returns the bytes.
  public func allGather(_ bytes: [UInt8]) -> [[UInt8]] { [bytes] }

  /// Returns at once.
  public func barrier() {}

  /// Ends the process.
  public func abort(exitCode: Int32) -> Never { exit(exitCode) }

  /// Does nothing.
  public func finalize() {}
}

private final class SingleRankNode: NodeCommunicator {
  let rank = 0
  let size = 1

  func allocateShared(byteCount: Int) throws(SharedMemoryError) -> SharedMemory {
    .ofProcess(byteCounts: [byteCount])
  }

  func barrier() {}
}

private final class SingleRankAcrossNodes: InterNodeCommunicator {
  let rank = 0
  let size = 1
  let canProgressOnAnyThread = true

  func nextTag() -> Int { 0 }

  func startSend(_ bytes: UnsafeRawBufferPointer, to peer: Int, tag: Int) -> any PendingMessage {
    preconditionFailure("startSend: there is no rank \(peer) among 1")
  }

  func startReceive(
    _ bytes: UnsafeMutableRawBufferPointer, from peer: Int, tag: Int
  ) -> any PendingMessage {
    preconditionFailure("startReceive: there is no rank \(peer) among 1")
  }
}
