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
        ck_copy(ck_f32, &y, x, rows, cols, to.row, to.col, from.row, from.col)
        #expect(y == expected, "4 bytes, to \(to) from \(from)")
        var z = [UInt64](repeating: 0, count: size)
        ck_copy(ck_f64, &z, x.map { UInt64($0) }, rows, cols, to.row, to.col, from.row, from.col)
        #expect(z == expected.map { UInt64($0) }, "8 bytes, to \(to) from \(from)")
      }
    }
  }

  @Test("negative strides reverse")
  func reversal() {
    let x: [Float] = [1, 2, 3, 4, 5, 6]
    var y = [Float](repeating: 0, count: 6)
    x.withUnsafeBufferPointer { source in
      if let base = source.baseAddress { ck_copy(ck_f32, &y, base + 5, 2, 3, 3, 1, -3, -1) }
    }
    #expect(y == [6, 5, 4, 3, 2, 1])
  }

  @Test("rows are taken and added by index, in order", arguments: [1, 3, 16, 33, 700])
  func indices(_ cols: Int) {
    var numbers = Numbers(seed: cols)
    let (table, count) = (50, 300)
    let x = numbers.floats(table * cols)
    let places = numbers.integers(count, in: 0...Int32(table - 1))
    let taken = guarded(count * cols, guard: Float(7)) {
      ck_gather_rows(ck_f32, $0, x, places, count, cols)
    }
    #expect(taken == places.flatMap { x[Int($0) * cols..<(Int($0) + 1) * cols] })
    var expected = x
    for (r, place) in places.enumerated() {
      for c in 0..<cols { expected[Int(place) * cols + c] += taken[r * cols + c] }
    }
    let added = guarded(table * cols, guard: Float(7)) { y in
      for i in x.indices { y[i] = x[i] }
      ck_scatter_add_rows(ck_f32, y, taken, places, count, cols)
    }
    #expect(added == expected)
  }

  @Test("elements are taken and added by index, in order")
  func elements() {
    // Along the middle axis of [4, 5, 3], for indices [4, 2, 3]: a row of three at a time.
    let shape = ck_indexed(rows: 2, cols: 3, row: 0, col: 1, step: 3)
    func check<T: KernelElement & Numeric>(_: T.Type) {
      let x = (0..<60).map { T(exactly: $0)! }
      let indices: [Int32] = (0..<24).map { ($0 * 7 + $0 / 6) % 5 }
      let y = guarded(24, guard: T(exactly: 7)!) { y in
        for o in 0..<4 {
          ck_gather(
            T.type, y + o * 6, Array(x[o * 15..<o * 15 + 15]), Array(indices[o * 6..<o * 6 + 6]),
            shape)
        }
      }
      let places = (0..<24).map { $0 / 6 * 15 + Int(indices[$0]) * 3 + $0 % 3 }
      #expect(y == places.map { x[$0] })
      var sums = x
      for (element, place) in places.enumerated() { sums[place] += y[element] }
      let added = guarded(60, guard: T(exactly: 7)!) { z in
        for i in 0..<60 { z[i] = x[i] }
        for o in 0..<4 {
          ck_scatter_add(
            T.type, z + o * 15, Array(y[o * 6..<o * 6 + 6]), Array(indices[o * 6..<o * 6 + 6]),
            shape)
        }
      }
      #expect(added == sums)
    }
    check(Float.self)
    check(Double.self)
    check(Int32.self)
  }

  @Test("a sum of bits is the sum of the words, and changes with each bit")
  func bitSums() {
    for count in [0, 1, 7, 8, 15, 16, 63, 64, 255, 256, 264] {
      var words = (0..<count).map { UInt32(truncatingIfNeeded: $0 * 0x9e37_79b9) }
      let expected = words.reduce(0, &+)
      #expect(ck_bit_sum(words, count) == expected)
      for bit in 0..<32 * count {
        words[bit / 32] ^= 1 << (bit % 32)
        #expect(ck_bit_sum(words, count) != expected, "bit \(bit) of \(32 * count)")
        words[bit / 32] ^= 1 << (bit % 32)
      }
    }
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
