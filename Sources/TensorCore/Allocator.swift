import Glibc
import Synchronization

/// Statistics of the tensors' allocator.
public struct MemoryStatistics: Sendable, Equatable {
  /// Bytes in use by living tensors, rounded up to size classes.
  public var bytesInUse = 0
  /// Bytes allocated from the system and kept: in use, cached or not yet used.
  public var bytesReserved = 0
  /// The number of allocations from the system; constant once a training loop repeats its sizes.
  public var systemAllocations = 0

  /// The current statistics, over all threads.
  public static var current: MemoryStatistics { Allocator.state.withLock { $0.statistics } }
}

/// The caching allocator under `Storage`.
///
/// Sizes are rounded up to classes, four per power of two. A freed block goes to the free list of its
/// class, so a training step that repeats its sizes allocates nothing from the system. Small blocks
/// are taken from 2 MiB slabs; larger ones have a mapping of their own. Both start at multiples of
/// 2 MiB and are advised to use huge pages.
///
/// With `-D SANITIZERS`, every block comes from `malloc` and is as long as requested: sanitizers see
/// accesses beyond its end and after its release.
enum Allocator {
  /// Blocks are kept as addresses, which are Sendable.
  struct State {
    var free = [[UInt]](repeating: [], count: 4 * 64)
    var slab: UInt = 0
    var slabRemainder = 0
    var statistics = MemoryStatistics()
  }

  static let state = Mutex(State())
  private static let slabSize = 2 << 20
  private static let largestInSlab = 256 << 10

  #if SANITIZERS
    static func allocate(_ byteCount: Int) -> UnsafeMutableRawPointer {
      var block: UnsafeMutableRawPointer?
      require(
        posix_memalign(&block, 64, max(byteCount, 1)) == 0,
        "out of memory: the system refused \(byteCount) bytes for a tensor")
      state.withLock { $0.statistics.bytesInUse += sizeClass(byteCount).size }
      return block!
    }

    static func free(_ block: UnsafeMutableRawPointer, _ byteCount: Int) {
      state.withLock { $0.statistics.bytesInUse -= sizeClass(byteCount).size }
      Glibc.free(block)
    }
  #else
    static func allocate(_ byteCount: Int) -> UnsafeMutableRawPointer {
      let (index, size) = sizeClass(byteCount)
      let address = state.withLock { state in
        state.statistics.bytesInUse += size
        if let block = state.free[index].popLast() { return block }
        guard size <= largestInSlab else { return map(size, &state.statistics) }
        if state.slabRemainder < size {
          state.slab = map(slabSize, &state.statistics)
          state.slabRemainder = slabSize
        }
        let block = state.slab
        state.slab += UInt(size)
        state.slabRemainder -= size
        return block
      }
      return UnsafeMutableRawPointer(bitPattern: address)!
    }

    static func free(_ block: UnsafeMutableRawPointer, _ byteCount: Int) {
      let (index, size) = sizeClass(byteCount)
      let address = UInt(bitPattern: block)
      state.withLock { state in
        state.statistics.bytesInUse -= size
        state.free[index].append(address)
      }
    }
  #endif

  /// The class of a request and its size: 64, 80 → 128, … in quarters of powers of two, multiples
  /// of 64.
  private static func sizeClass(_ byteCount: Int) -> (index: Int, size: Int) {
    let bytes = max(byteCount, 64)
    // 2^exponent < bytes <= 2^(exponent + 1)
    let exponent = Int.bitWidth - 1 - (bytes - 1).leadingZeroBitCount
    let quarter = max((1 << exponent) >> 2, 1)
    let steps = (bytes - (1 << exponent) + quarter - 1) / quarter  // 1...4
    let size = ((1 << exponent) + steps * quarter + 63) & ~63
    return (4 * exponent + steps - 1, size)
  }

  /// Memory from the system for a block of `size` bytes, starting at a multiple of 2 MiB.
  private static func map(_ size: Int, _ statistics: inout MemoryStatistics) -> UInt {
    let pageSize = 4096
    let size = (size + pageSize - 1) & ~(pageSize - 1)
    // Map more than needed, and unmap both ends.
    let length = size + slabSize
    let mapping = mmap(nil, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let mapping, mapping != MAP_FAILED else {
      fatalError("out of memory: the system refused \(size) bytes for a tensor")
    }
    let address = UInt(bitPattern: mapping)
    let aligned = (address + UInt(slabSize) - 1) & ~(UInt(slabSize) - 1)
    let head = Int(aligned - address)
    let tail = length - head - size
    if head > 0 { munmap(mapping, head) }
    if tail > 0 { munmap(mapping + head + size, tail) }
    if size >= slabSize { madvise(mapping + head, size, MADV_HUGEPAGE) }
    statistics.bytesReserved += size
    statistics.systemAllocations += 1
    return aligned
  }
}
