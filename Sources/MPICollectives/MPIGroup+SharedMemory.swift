import CMPI
import CSharedMemory

#if canImport(Glibc)
  import Glibc
#endif

extension MPIGroup {
  /// For each rank of the group, a number that is the same for ranks that can open each other's
  /// memory.
  ///
  /// Collective. MPI puts all ranks of a host into one group. In containers or PID namespaces of their own they
  /// share no memory nevertheless: a process number then means nothing, or another process.
  func memorySharingClasses() -> [Int] {
    var descriptor: Int32 = -1
    let own = csm_create(MemoryLayout<UInt64>.stride, &descriptor)
    // What another rank must find in the memory that it opens: this one's and no other.
    let token = Int(UInt.random(in: 1 ... .max) >> 1)
    own?.storeBytes(of: token, as: Int.self)
    defer {
      if let own {
        csm_unmap(own, MemoryLayout<UInt64>.stride)
        csm_close(descriptor)
      }
    }
    let offers = allGather([Int(getpid()), Int(descriptor), own == nil ? 0 : token])
    let opened = offers.indices.map { other -> Int in
      if other == rank { return 1 }
      let (process, descriptor, token) = (offers[other][0], offers[other][1], offers[other][2])
      guard token != 0,
        let memory = csm_open(Int32(process), Int32(descriptor), MemoryLayout<UInt64>.stride)
      else { return 0 }
      defer { csm_unmap(memory, MemoryLayout<UInt64>.stride) }
      return memory.load(as: Int.self) == token ? 1 : 0
    }
    // The others may still open this rank's memory until all have told.
    return memorySharingClasses(allGather(opened))
  }

  /// The same, given for each rank whose memory it can open.
  private func memorySharingClasses(_ opened: [[Int]]) -> [Int] {
    let partners = opened.indices.map { rank in
      opened.indices.filter { opened[rank][$0] == 1 && opened[$0][rank] == 1 }
    }
    return partners.indices.map { rank in
      // Ranks that do not all share with each other share with none.
      partners[rank].allSatisfy { partners[$0] == partners[rank] } ? partners[rank][0] : rank
    }
  }
}
