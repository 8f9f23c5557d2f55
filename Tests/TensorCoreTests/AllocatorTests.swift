import TensorCore
import TestSupport
import Testing

@Suite("The tensors' allocator")
struct AllocatorTests {
  @Test("blocks of all sizes are aligned and do not overlap")
  func distinctBlocks() {
    var random = SystemRandomNumberGenerator()
    var blocks: [(storage: Storage, mark: UInt8)] = []
    func isIntact(_ block: (storage: Storage, mark: UInt8)) -> Bool {
      UnsafeRawBufferPointer(start: block.storage.pointer, count: block.storage.byteCount)
        .allSatisfy { $0 == block.mark }
    }
    for step in 0..<2000 {
      if blocks.count == 40 || (!blocks.isEmpty && random.next() % 3 == 0) {
        let block = blocks.remove(at: Int.random(in: blocks.indices, using: &random))
        #expect(isIntact(block), "\(block.storage.byteCount) bytes")
      } else {
        // Around the limit between small and large blocks, and around the sizes of large ones.
        let base = [64, 4096, 256 << 10, 320 << 10, 2 << 20].randomElement(using: &random)!
        let count = Int.random(in: base * 3 / 4...base * 5 / 4, using: &random)
        let block = (storage: Storage(byteCount: count), mark: UInt8(truncatingIfNeeded: step))
        #expect(UInt(bitPattern: block.storage.pointer) % 64 == 0)
        block.storage.pointer.initializeMemory(as: UInt8.self, repeating: block.mark, count: count)
        blocks.append(block)
      }
    }
    #expect(blocks.allSatisfy(isIntact))
  }

  // The following run in processes of their own: other tests ask for memory at the same time.

  @Test("freed blocks serve requests of any other size", arguments: [1, 2])
  func joinedBlocks(_ stride: Int) async {
    await #expect(processExitsWith: .success) { [stride] in
      _ = Storage(byteCount: 64 << 20)
      let before = MemoryStatistics.current
      for _ in 0..<3 {
        var parts = (0..<64).map { _ in Optional(Storage(byteCount: 1 << 20)) }
        // Each after the one behind it, or first every other one.
        for start in 0..<stride {
          for index in Swift.stride(from: 63 - start, through: 0, by: -stride) {
            parts[index] = nil
          }
        }
        _ = Storage(byteCount: 40 << 20)
        _ = Storage(byteCount: 64 << 20)
      }
      #expect(MemoryStatistics.current == before)
    }
  }

  @Test("the shortest range that is long enough is used, so that a longer one stays whole")
  func bestFit() async {
    await #expect(processExitsWith: .success) {
      _ = Storage(byteCount: 16 << 20)
      // They lie behind each other in these 16 MiB.
      var blocks = [8, 1, 3, 4].map { Optional(Storage(byteCount: $0 << 20)) }
      let before = MemoryStatistics.current.systemAllocations
      blocks[0] = nil
      blocks[2] = nil
      blocks += [2, 8].map { Storage(byteCount: $0 << 20) }
      #expect(MemoryStatistics.current.systemAllocations == before)
      withExtendedLifetime(blocks) {}
    }
  }

  // Sanitizers keep freed memory.
  #if !SANITIZERS
    @Test("free memory goes back to the system before more is asked for")
    func returnedPages() async {
      await #expect(processExitsWith: .success) {
        func write(_ byteCount: Int) {
          let storage = Storage(byteCount: byteCount)
          storage.pointer.initializeMemory(as: UInt8.self, repeating: 1, count: byteCount)
        }
        let before = try residentBytes()
        write(128 << 20)
        #expect(try residentBytes() - before >= 128 << 20)
        write(192 << 20)
        let grown = try residentBytes() - before
        #expect(grown >= 192 << 20 && grown < 224 << 20)
        Storage.returnFreePages()
        #expect(try residentBytes() - before < 32 << 20)
      }
    }
  #endif
}
