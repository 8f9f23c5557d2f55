#if canImport(Glibc)
  import Glibc
#endif

/// A run of one rank: every collective leaves the values as they are.
public final class SingleProcess: Communicator {
  /// Creates the communicator of a run without other ranks.
  public init() {}

  /// Zero.
  public let rank = 0
  /// One.
  public let worldSize = 1
  /// Zero.
  public let localRank = 0
  /// One.
  public let localSize = 1
  /// Zero.
  public let nodeLeader = 0
  /// True.
  public let canAdvanceOnAnyThread = true

  /// Leaves the buffer as it is.
  public func allReduce(
    _ buffer: UnsafeMutableBufferPointer<Float>, _ operation: ReductionOperation
  ) {}

  /// Leaves the buffer as it is.
  public func allReduce(
    _ buffer: UnsafeMutableBufferPointer<Double>, _ operation: ReductionOperation
  ) {}

  /// Leaves the buffer as it is.
  public func startSumAcrossNodes(
    _ buffer: UnsafeMutableBufferPointer<Float>
  ) -> any PendingReduction {
    FinishedReduction()
  }

  /// Allocates memory of this process.
  public func allocateShared(byteCount: Int) throws(SharedMemoryError) -> SharedMemory {
    .ofProcess(byteCounts: [byteCount])
  }

  /// Returns at once.
  public func nodeBarrier() {}

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
}
