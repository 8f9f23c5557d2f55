import Glibc
import Synchronization

/// Statistics of the tensors' allocator.
public struct MemoryStatistics: Sendable, Equatable {
  /// Bytes in use by living tensors, rounded up to the sizes of blocks.
  public var bytesInUse = 0
  /// Bytes of address space from the system: in use, cached, or without pages.
  public var bytesReserved = 0
  /// The number of allocations from the system; constant once a training loop repeats its sizes.
  public var systemAllocations = 0

  /// The current statistics, over all threads.
  public static var current: MemoryStatistics { Allocator.state.withLock { $0.statistics } }
}

/// The caching allocator under `Storage`.
///
/// Small sizes are rounded up to classes, four per power of two. A freed small block goes to the free
/// list of its class; new ones are cut from slabs of 2 MiB.
///
/// A large block is a multiple of 64 KiB, cut from the shortest free range that has it. A freed one is
/// joined with the free memory beside it, which then serves any size: weights that have moved into
/// an arena leave their memory to activations, and activations to gradients of other sizes.
///
/// A training step that repeats its sizes finds the memory as the step before found it, and allocates
/// nothing from the system. When more memory is needed, the pages of what is free go back to the system
/// first. All mappings consist of whole huge pages.
///
/// With `-D SANITIZERS`, every block comes from `malloc` and is as long as requested: sanitizers see
/// accesses beyond its end and after its release.
enum Allocator {
  /// Blocks are kept as addresses, which are Sendable.
  struct State {
    /// The free small blocks of each class.
    var small = [[UInt]](repeating: [], count: 4 * 64)
    var slab: UInt = 0
    var slabRemainder = 0
    /// The free memory for large blocks.
    var large = FreeRanges()
    var statistics = MemoryStatistics()
  }

  static let state = Mutex(State())
  fileprivate static let hugePage = 2 << 20
  private static let largestSmall = 256 << 10

  #if SANITIZERS
    static func allocate(_ byteCount: Int) -> UnsafeMutableRawPointer {
      var block: UnsafeMutableRawPointer?
      require(
        posix_memalign(&block, 64, max(byteCount, 1)) == 0,
        "out of memory: the system refused \(byteCount) bytes for a tensor")
      state.withLock { $0.statistics.bytesInUse += size(byteCount) }
      return block!
    }

    static func free(_ block: UnsafeMutableRawPointer, _ byteCount: Int) {
      state.withLock { $0.statistics.bytesInUse -= size(byteCount) }
      Glibc.free(block)
    }
  #else
    static func allocate(_ byteCount: Int) -> UnsafeMutableRawPointer {
      let size = size(byteCount)
      let address = state.withLock { state in
        state.statistics.bytesInUse += size
        return size > largestSmall
          ? state.takeLarge(size) : state.takeSmall(size, sizeClass(byteCount).index)
      }
      return UnsafeMutableRawPointer(bitPattern: address)!
    }

    static func free(_ block: UnsafeMutableRawPointer, _ byteCount: Int) {
      let size = size(byteCount)
      let address = UInt(bitPattern: block)
      state.withLock { state in
        state.statistics.bytesInUse -= size
        if size > largestSmall {
          state.large.insert(address..<address + UInt(size))
        } else {
          state.small[sizeClass(byteCount).index].append(address)
        }
      }
    }
  #endif

  /// Returns the pages of free large blocks to the system.
  ///
  /// The addresses stay; a block that lies there later gets new pages as it is written.
  static func returnFreePages() {
    state.withLock { $0.returnFreePages() }
  }

  /// The size of the block for a request.
  private static func size(_ byteCount: Int) -> Int {
    let size = sizeClass(byteCount).size
    return size > largestSmall ? (byteCount + 0xFFFF) & ~0xFFFF : size
  }

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

  /// Maps memory for at least `size` bytes.
  fileprivate static func map(_ size: Int, _ statistics: inout MemoryStatistics) -> Range<UInt> {
    let size = (size + hugePage - 1) & ~(hugePage - 1)
    // Map more than needed, and unmap both ends. The system maps downwards, so what stays ends where
    // it may touch the mapping before.
    let length = size + hugePage
    let mapping = mmap(nil, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let mapping, mapping != MAP_FAILED else {
      fatalError("out of memory: the system refused \(size) bytes for a tensor")
    }
    let address = UInt(bitPattern: mapping)
    let aligned = (address + UInt(hugePage)) & ~(UInt(hugePage) - 1)
    let head = Int(aligned - address)
    let tail = length - head - size
    munmap(mapping, head)
    if tail > 0 { munmap(mapping + head + size, tail) }
    madvise(mapping + head, size, MADV_HUGEPAGE)
    statistics.bytesReserved += size
    statistics.systemAllocations += 1
    return aligned..<aligned + UInt(size)
  }
}

extension Allocator.State {
  fileprivate mutating func takeSmall(_ size: Int, _ sizeClass: Int) -> UInt {
    if let block = small[sizeClass].popLast() { return block }
    if slabRemainder < size {
      slab = Allocator.map(Allocator.hugePage, &statistics).lowerBound
      slabRemainder = Allocator.hugePage
    }
    let block = slab
    slab += UInt(size)
    slabRemainder -= size
    return block
  }

  fileprivate mutating func takeLarge(_ size: Int) -> UInt {
    if let block = large.take(size) { return block }
    returnFreePages()
    large.insert(Allocator.map(size, &statistics))
    return large.take(size)!
  }

  fileprivate mutating func returnFreePages() {
    // Huge pages are returned whole.
    let page = UInt(Allocator.hugePage)
    for range in large.ranges {
      let start = (range.lowerBound + page - 1) / page * page
      let end = range.upperBound / page * page
      if start < end {
        madvise(UnsafeMutableRawPointer(bitPattern: start)!, Int(end - start), MADV_DONTNEED)
      }
    }
  }
}
