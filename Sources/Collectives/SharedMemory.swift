/// Memory that the ranks of a machine share.
///
/// Every rank has brought in a segment, which starts as zeros, and sees those of the others. What
/// one rank writes another may read once both have been in a collective or in `nodeBarrier()`.
public final class SharedMemory {
  /// The segments of the machine's ranks, by local rank.
  public let segments: [UnsafeMutableRawBufferPointer]
  private let release: () -> Void

  /// Takes over segments; `release` is called when they are needed no more.
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
}

/// A failure to share memory between the ranks of a machine.
public struct SharedMemoryError: Error, Equatable, CustomStringConvertible {
  /// What went wrong and what helps.
  public let description: String

  /// Creates an error from the failed call's reason.
  package init(byteCount: Int, reason: String) {
    description =
      "\(byteCount) bytes of memory could not be shared between the ranks of machine \(hostName()): "
      + "\(reason); give the job more memory, and run its ranks as one user in one container"
  }
}
