import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

/// Memory that the ranks of a node share: a segment for each rank, which starts as zeros.
///
/// What one rank writes, another may read after both have called a collective or the node's
/// `barrier()`, or after it has read a `SharedCounter` that the first one has set.
public final class SharedMemory {
  /// The segments of the node's ranks, by local rank.
  public let segments: [UnsafeMutableRawBufferPointer]
  private let release: () -> Void

  /// Takes over segments; `release` is called when they are no longer needed.
  package init(
    segments: [UnsafeMutableRawBufferPointer], release: @escaping () -> Void
  ) {
    self.segments = segments
    self.release = release
  }

  /// Segments that the threads of this process share.
  static func ofProcess(byteCounts: [Int]) -> SharedMemory {
    let segments = byteCounts.map { count in
      let segment = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 4096)
      segment.initializeMemory(as: UInt8.self, repeating: 0)
      return segment
    }
    return SharedMemory(segments: segments) { segments.forEach { $0.deallocate() } }
  }

  deinit { release() }

  /// Writes zeros into the pages that begin in some bytes of a segment: the system places a page on the
  /// NUMA node of the thread that writes it first.
  ///
  /// Nobody else uses these pages meanwhile, and nothing has been written yet.
  package func place(_ bytes: Range<Int>, ofSegment segment: Int) {
    let page = sysconf(Int32(_SC_PAGESIZE))
    let memory = segments[segment]
    for offset in stride(
      from: (bytes.lowerBound + page - 1) / page * page, to: bytes.upperBound, by: page)
    {
      memory.storeBytes(of: 0, toByteOffset: offset, as: UInt8.self)
    }
  }
}

/// A failure to share memory between the ranks of a node.
public struct SharedMemoryError: Error, Equatable, CustomStringConvertible {
  /// What went wrong and what helps.
  public let description: String

  /// Creates an error from the failed call's reason.
  package init(byteCount: Int, reason: String) {
    description =
      "\(byteCount) bytes of memory could not be shared between the ranks of node \(hostName()): "
      + "\(reason); give the job more memory, and run its ranks as one user in one container"
  }
}

/// A counter for each rank of a node, in shared memory: a rank sets its own, and all ranks read it.
///
/// A rank that reads a value can also read everything that was written before the value was set.
package struct SharedCounter {
  private let memory: SharedMemory
  private let rank: Int

  /// Allocates the counters, which start at zero.
  ///
  /// Collective over the ranks of the node.
  package init(_ node: any NodeCommunicator) throws(SharedMemoryError) {
    // A cache line for each rank, so that the counter of one does not slow down the others.
    memory = try node.allocateShared(byteCount: 64)
    rank = node.rank
  }

  /// Sets this rank's counter.
  package func set(_ value: Int) { counter(rank).pointee.store(value, ordering: .releasing) }

  /// The smallest counter of the node's ranks.
  package var minimum: Int {
    memory.segments.indices.map { counter($0).pointee.load(ordering: .acquiring) }.min()!
  }

  private func counter(_ rank: Int) -> UnsafeMutablePointer<Atomic<Int>> {
    memory.segments[rank].baseAddress!.assumingMemoryBound(to: Atomic<Int>.self)
  }
}
