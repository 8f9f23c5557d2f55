import CKernels
import Testing

/// A storage type whose arithmetic is done in float32: kernels load, compute as for float32, and round
/// when they store.
@Suite("bfloat16")
struct BFloat16Tests {
  @Test("conversions round to nearest, ties to even, and keep infinities and NaN")
  func conversions() {
    let edges: [Float] = [
      0, -0.0, 1, 1.00390625, 1.0039063, 1.01171875, -3e38, 3.4e38, .infinity, -.infinity, .nan,
      .leastNonzeroMagnitude,
      .greatestFiniteMagnitude, 65537,
    ]
    for n in lengths {
      var numbers = Numbers(seed: n)
      let x = (edges + numbers.floats(n, in: -1e6...1e6)).suffix(max(n, edges.count)).map { $0 }
      let y = guarded(x.count, guard: BFloat16(7)) {
        ck_convert(ck_bf16, $0, ck_f32, x, x.count)
      }
      #expect(y == narrowed(x))
      let back = guarded(x.count, guard: Float(7)) { ck_convert(ck_f32, $0, ck_bf16, y, y.count) }
      #expect(back.map(\.bitPattern) == y.map(\.float.bitPattern))
      let wide = guarded(x.count, guard: Double(7)) { ck_convert(ck_f64, $0, ck_bf16, y, y.count) }
      #expect(wide.map { Float($0).bitPattern } == y.map(\.float.bitPattern))
      let integers = numbers.integers(n, in: -200...200)
      let whole = guarded(n, guard: BFloat16(7)) { ck_convert(ck_bf16, $0, ck_i32, integers, n) }
      #expect(whole == narrowed(integers.map { Float($0) }))
      #expect(
        guarded(n, guard: Int32(7)) { ck_convert(ck_i32, $0, ck_bf16, whole, n) } == integers)
    }
  }

  @Test("rounding in place keeps what it takes away, where that is finite")
  func residuals() {
    let edges: [Float] = [0, -0.0, 1.0039063, 3.4e38, .infinity, -.infinity, .nan]
    for n in lengths {
      var numbers = Numbers(seed: n)
      let x = (edges + numbers.floats(n, in: -10...10)).suffix(max(n, edges.count)).map { $0 }
      let before = numbers.floats(x.count, in: -0.1...0.1)
      var (inPlace, residual) = (x, before)
      let y = guarded(x.count, guard: BFloat16(7)) {
        ck_round_to_bfloat16($0, &inPlace, &residual, x.count)
      }
      #expect(y == narrowed(x))
      #expect(inPlace.map(\.bitPattern) == y.map(\.float.bitPattern))
      let expected = zip(before, zip(x, inPlace)).map { old, pair in
        let sum = old + (pair.0 - pair.1)
        return sum.isFinite ? sum : 0
      }
      #expect(residual == expected)
      var alone = x
      ck_round_to_bfloat16(nil, &alone, nil, x.count)
      #expect(alone.map(\.bitPattern) == inPlace.map(\.bitPattern))
    }
  }

  @Test("functions of one array are those of float32, rounded", arguments: UnaryCase.all)
  func unary(_ kernel: UnaryCase) {
    for n in lengths {
      var numbers = Numbers(seed: n)
      let x = narrowed(numbers.doubles(n, in: kernel.range).map { Float($0) })
      let wide = guarded(n, guard: Float(7)) { kernel($0, x.map(\.float), n) }
      #expect(guarded(n, guard: BFloat16(7)) { kernel($0, x, n) } == narrowed(wide))
    }
  }

  @Test("functions of two arrays are those of float32, rounded", arguments: BinaryCase.all)
  func binary(_ kernel: BinaryCase) {
    for (rows, cols) in [(1, 1), (1, 100), (7, 33), (50, 3), (4, 64)] {
      var numbers = Numbers(seed: cols)
      let a = narrowed(numbers.floats(10_000, in: 0.1...3))
      let b = narrowed(numbers.floats(10_000, in: 0.1...3))
      for layout in Layout.allCases {
        let t = layout.strides(rows, cols)
        let wide = guarded(rows * cols, guard: Float(7)) {
          kernel($0, a.map(\.float), b.map(\.float), rows, cols, cols, 1, t.row, t.col)
        }
        let y = guarded(rows * cols, guard: BFloat16(7)) {
          kernel($0, a, b, rows, cols, cols, 1, t.row, t.col)
        }
        #expect(y == narrowed(wide))
      }
    }
  }

  @Test("elements are moved as they are")
  func moves() {
    for n in lengths {
      var numbers = Numbers(seed: n)
      let (a, b) = (narrowed(numbers.floats(n)), narrowed(numbers.floats(n)))
      let condition = numbers.integers(n, in: 0...1).map { UInt8($0) }
      #expect(
        guarded(n, guard: BFloat16(7)) { ck_where(ck_bf16, $0, condition, a, b, n) }
          == (0..<n).map { condition[$0] != 0 ? a[$0] : b[$0] })
      #expect(
        guarded(n, guard: BFloat16(7)) { ck_fill(ck_bf16, $0, n, 1.5) }
          == Array(repeating: BFloat16(1.5), count: n))
    }
    let x = (0..<33 * 37).map { BFloat16(Float($0 % 250)) }
    let y = guarded(x.count, guard: BFloat16(7)) { ck_copy(ck_bf16, $0, x, 33, 37, 1, 33, 37, 1) }
    #expect(y == x.indices.map { x[$0 % 33 * 37 + $0 / 33] })
  }
}
