import Base
import CMPI
import CSharedMemory
import Collectives

#if canImport(Glibc)
  import Glibc
#endif

/// The ranks that share memory with this one.
final class MPINode: NodeCommunicator {
  private let group: MPIGroup
  /// Ranks whose messages make progress while this one waits in a barrier.
  private let counterparts: MPIGroup
  /// Where the ranks wait for each other.
  private var barrierMemory: SharedMemory?

  init(_ group: MPIGroup, progressing counterparts: MPIGroup) throws(SharedMemoryError) {
    self.group = group
    self.counterparts = counterparts
    barrierMemory = try allocateShared(
      byteCount: group.rank == 0 ? MemoryLayout<csm_barrier>.stride : 0)
  }

  var rank: Int { group.rank }
  var size: Int { group.size }

  /// Each rank creates an anonymous segment, which the others map too.
  func allocateShared(byteCount: Int) throws(SharedMemoryError) -> SharedMemory {
    let size = max(byteCount, 1)
    var descriptor: Int32 = -1
    var own: UnsafeMutableRawPointer? = csm_create(size, &descriptor)
    var failure = own == nil ? Int(errno) : 0
    let offers = Activity.waiting(for: .allGather) {
      group.allGather([failure == 0 ? 1 : 0, Int(getpid()), Int(descriptor), byteCount])
    }
    var segments: [UnsafeMutableRawBufferPointer] = []
    if offers.allSatisfy({ $0[0] == 1 }) {
      for (local, offer) in offers.enumerated() {
        let memory =
          local == rank ? own : csm_open(Int32(offer[1]), Int32(offer[2]), max(offer[3], 1))
        guard let memory else {
          failure = Int(errno)
          break
        }
        segments.append(UnsafeMutableRawBufferPointer(start: memory, count: offer[3]))
      }
    }
    let failures = Activity.waiting(for: .allGather) { group.allGather([failure]).map { $0[0] } }
    if descriptor >= 0 { csm_close(descriptor) }
    let release = { [segments] in
      for segment in segments { csm_unmap(segment.baseAddress, max(segment.count, 1)) }
    }
    if let failure = failures.first(where: { $0 != 0 }) {
      if segments.isEmpty, let own { csm_unmap(own, size) }
      own = nil
      release()
      throw SharedMemoryError(
        byteCount: byteCount, reason: String(cString: strerror(Int32(failure))))
    }
    return SharedMemory(segments: segments, release: release)
  }

  func barrier() {
    guard size > 1, let barrierMemory else { return }
    let barrier = barrierMemory.segments[0].baseAddress!.assumingMemoryBound(to: csm_barrier.self)
    Activity.waiting(for: .nodeBarrier) {
      let ticket = csm_arrive(barrier, UInt32(size))
      while !csm_has_passed(barrier, ticket, 1000) {
        // Others may wait for a message that leaves only when MPI is called.
        var isThere: Int32 = 0
        checkMPI(
          MPI_Iprobe(
            cmpi_any_source(), cmpi_any_tag(), counterparts.communicator, &isThere,
            cmpi_status_ignore()),
          "MPI_Iprobe")
        sched_yield()
      }
    }
  }
}
