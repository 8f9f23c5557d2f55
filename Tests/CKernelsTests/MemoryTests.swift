import CKernels
import Testing

@Suite("Copies between layouts")
struct MemoryTests {
  @Test(
    "move every element and no other",
    arguments: [
      (0, 3), (1, 1), (1, 9), (9, 1), (3, 5), (4, 4), (5, 3), (8, 8), (31, 33), (32, 64), (33, 31),
      (65, 7), (100, 100), (200, 211),
    ])
  func layouts(_ rows: Int, _ cols: Int) {
    let layouts: [(row: Int, col: Int)] = [
      (cols, 1), (1, rows), (cols + 3, 1), (1, rows + 2), (2 * cols, 2), (3, 3 * rows + 1),
    ]
    let sources = layouts + [(0, 1), (1, 0), (0, 0)]
    for to in layouts {
      for from in sources {
        let size = 6 * (rows + 3) * (cols + 3)
        let x = (0..<size).map { UInt32($0 + 1) }
        var expected = [UInt32](repeating: 0, count: size)
        for r in 0..<rows {
          for c in 0..<cols {
            expected[r * to.row + c * to.col] = x[r * from.row + c * from.col]
          }
        }
        var y = [UInt32](repeating: 0, count: size)
        ck_copy_b32(&y, x, rows, cols, to.row, to.col, from.row, from.col)
        #expect(y == expected, "4 bytes, to \(to) from \(from)")
        var z = [UInt64](repeating: 0, count: size)
        ck_copy_b64(&z, x.map { UInt64($0) }, rows, cols, to.row, to.col, from.row, from.col)
        #expect(z == expected.map { UInt64($0) }, "8 bytes, to \(to) from \(from)")
      }
    }
  }

  @Test("negative strides reverse")
  func reversal() {
    let x: [Float] = [1, 2, 3, 4, 5, 6]
    var y = [Float](repeating: 0, count: 6)
    x.withUnsafeBufferPointer { source in
      if let base = source.baseAddress { ck_copy_b32(&y, base + 5, 2, 3, 3, 1, -3, -1) }
    }
    #expect(y == [6, 5, 4, 3, 2, 1])
  }

  @Test("a hash follows from the bytes, and changes with each of them and with their number")
  func hashes() {
    for count in [0, 1, 7, 63, 64, 65, 200] {
      var bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 31) }
      let hash = ck_hash(bytes, count)
      #expect(ck_hash(bytes, count) == hash)
      #expect(ck_hash(bytes + [0], count + 1) != hash)
      for i in 0..<count {
        bytes[i] ^= 0x10
        #expect(ck_hash(bytes, count) != hash, "byte \(i) of \(count)")
        bytes[i] ^= 0x10
      }
    }
  }
}
