import CKernels
import Foundation
import Testing

@Suite("Kernels of the library")
struct LibraryKernelTests {
  @Test(
    "argsort sorts rows of every length, equal elements in order",
    arguments: [0, 1, 2, 15, 17, 100, 1023, 1024, 5000])
  func sorting(_ n: Int) {
    var numbers = Numbers(seed: n)
    // Few distinct values, so that many are equal.
    let integers = numbers.integers(2 * n, in: -40...40)
    var floats = integers.map { Float($0) / 4 }
    for i in stride(from: 3, to: floats.count, by: 7) { floats[i] = i % 2 == 0 ? .nan : -.infinity }
    for i in stride(from: 5, to: floats.count, by: 11) { floats[i] = i % 2 == 0 ? 0.0 : -0.0 }
    func order<T>(_ x: [T], _ row: Int, _ descending: Bool, isLess: (T, T) -> Bool) -> [Int32] {
      (0..<n).sorted { i, j in
        let (a, b) = (x[row * n + i], x[row * n + j])
        if isLess(a, b) { return !descending }
        if isLess(b, a) { return descending }
        return i < j
      }.map { Int32($0) }
    }
    func isLess<F: BinaryFloatingPoint>(_ a: F, _ b: F) -> Bool {
      a.isNaN ? false : b.isNaN ? true : a < b
    }
    var scratch = [UInt64](repeating: 0, count: 4 * max(n, 1))
    for descending in [false, true] {
      func sorted(_ type: ck_type, _ x: UnsafeRawPointer) -> [Int32] {
        guarded(2 * n, guard: Int32(-7)) { ck_argsort(type, $0, x, &scratch, 2, n, descending) }
      }
      let doubles = floats.map { Double($0) * 1e100 }
      let longs = integers.map { Int64($0) << 40 }
      let expected = (0..<2).flatMap { order(floats, $0, descending, isLess: isLess) }
      #expect(sorted(ck_f32, floats) == expected)
      #expect(sorted(ck_f64, doubles) == expected)
      let ofIntegers = (0..<2).flatMap { order(integers, $0, descending, isLess: <) }
      #expect(sorted(ck_i32, integers) == ofIntegers)
      #expect(sorted(ck_i64, longs) == ofIntegers)
    }
  }

  @Test("products and running products and extrema are those of loops")
  func scans() {
    let (outer, count, inner) = (3, 40, 5)
    var numbers = Numbers(seed: 3)
    let x = numbers.floats(outer * count * inner)
    let product = guarded(outer * inner, guard: Float(7)) {
      ck_prod(ck_f32, $0, x, outer, count, inner)
    }
    let running = guarded(x.count, guard: Float(7)) {
      ck_cumulative_product(ck_f32, $0, x, outer, count, inner)
    }
    let largest = guarded(x.count, guard: Int32(7)) {
      ck_cumulative_argmax(ck_f32, $0, x, outer, count, inner)
    }
    for o in 0..<outer {
      for i in 0..<inner {
        var (expected, best) = (Float(1), 0)
        for k in 0..<count {
          let at = (o * count + k) * inner + i
          expected *= x[at]
          if x[at] >= x[(o * count + best) * inner + i] { best = k }
          #expect(running[at] == expected && largest[at] == Int32(best))
        }
        let error = abs(product[o * inner + i] - expected)
        #expect(error <= 1e-5 * abs(expected) || expected.isSubnormal || expected == 0)
      }
    }
  }

  @Test("resampling and its transpose are one matrix", arguments: [1, 3, 20])
  func resampling(_ inner: Int) {
    let (outer, n, m, taps) = (2, 4, 6, 3)
    var numbers = Numbers(seed: inner)
    let indices = numbers.integers(m * taps, in: 0...Int32(n - 1))
    let weights = numbers.floats(m * taps).map { Double($0) }
    let x = numbers.floats(outer * n * inner)
    let dy = numbers.floats(outer * m * inner)
    var y = [Float](repeating: 0, count: dy.count)
    var dx = [Float](repeating: 0, count: x.count)
    for o in 0..<outer {
      for j in 0..<m * taps {
        for i in 0..<inner {
          let (from, to) = ((o * n + Int(indices[j])) * inner + i, (o * m + j / taps) * inner + i)
          y[to] += Float(weights[j]) * x[from]
          dx[from] += Float(weights[j]) * dy[to]
        }
      }
    }
    let computed = guarded(y.count, guard: Float(7)) {
      ck_resample(ck_f32, $0, x, indices, weights, outer, n, m, inner, taps)
    }
    let back = guarded(x.count, guard: Float(7)) {
      ck_resample_transposed(ck_f32, $0, dy, indices, weights, outer, n, m, inner, taps)
    }
    for (a, b) in zip(computed + back, y + dx) { #expect(abs(a - b) <= 1e-5 * max(1, abs(b))) }
  }

  @Test("functions are those of the C library, integers have the rest of their division")
  func functions() {
    let x: [Double] = [0.3, 0.7, 0.9]
    let functions: [(UnsafeMutableRawPointer, UnsafeRawPointer) -> Void] = [
      { ck_tan(ck_f64, $0, $1, 3) }, { ck_asin(ck_f64, $0, $1, 3) },
      { ck_log1p(ck_f64, $0, $1, 3) },
      { ck_erfc(ck_f64, $0, $1, 3) }, { ck_lgamma(ck_f64, $0, $1, 3) },
    ]
    let expected: [(Double) -> Double] = [tan, asin, log1p, erfc, lgamma]
    for (function, ours) in zip(functions, expected) {
      #expect(guarded(3, guard: 7.0) { function($0, x) } == x.map(ours))
    }
    let (a, b): ([Int32], [Int32]) = ([7, -7, 7, -7, 5, .min], [3, 3, -3, -3, 0, -1])
    var shape = ck_broadcast(rows: 1, cols: 6, a_row: 0, a_col: 1, b_row: 0, b_col: 1)
    #expect(
      guarded(6, guard: Int32(9)) { ck_fmod(ck_i32, $0, a, b, &shape) } == [1, -1, 1, -1, 0, 0])
    #expect(
      guarded(6, guard: Int32(9)) { ck_remainder(ck_i32, $0, a, b, &shape) } == [
        1, 2, -2, -1, 0, 0,
      ])
  }
}
