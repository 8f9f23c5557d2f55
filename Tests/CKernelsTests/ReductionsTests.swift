import CKernels
import Testing

@Suite("Reductions")
struct ReductionsTests {
  private static let shapes: [(outer: Int, reduce: Int, inner: Int)] =
    lengths.filter { $0 > 0 }.map { (1, $0, 1) }
    + [
      (1000, 10, 1), (3, 1, 1), (7, 33, 1), (2, 3000, 1), (5, 4, 3), (3, 100, 2), (2, 1000, 7),
      (1, 50_000, 3), (1, 9, 15), (4, 9, 16), (2, 300, 17), (1, 700, 64), (2, 20, 100),
      (1, 64, 513), (1, 3, 2000), (1, 1000, 200), (0, 4, 3), (1, 4100, 33), (100, 1, 5),
    ]

  private func expected<T, R>(
    _ x: [T], _ shape: (outer: Int, reduce: Int, inner: Int), _ f: ([T]) -> R
  ) -> [R] {
    (0..<shape.outer).flatMap { o in
      (0..<shape.inner).map { i in
        f((0..<shape.reduce).map { x[(o * shape.reduce + $0) * shape.inner + i] })
      }
    }
  }

  private func count(_ shape: (outer: Int, reduce: Int, inner: Int)) -> Int {
    shape.outer * shape.reduce * shape.inner
  }

  @Test("sums agree with sums in double precision")
  func sums() {
    for shape in Self.shapes {
      var numbers = Numbers(seed: count(shape))
      let x = numbers.floats(count(shape), in: -1...2)
      let (outer, reduce, inner) = shape
      let n = outer * inner
      let exact = expected(x.map { Double($0) }, shape) { $0.reduce(0, +) }
      let y = guarded(n, guard: Float(7)) { ck_sum(ck_f32, $0, x, outer, reduce, inner) }
      expectClose(y, exact, 2e-6, "float \(shape)")
      let z = guarded(n, guard: Double(7)) {
        ck_sum(ck_f64, $0, x.map { Double($0) }, outer, reduce, inner)
      }
      expectClose(z, exact, 1e-13, "double \(shape)")
      let i = numbers.integers(count(shape), in: Int32.min...Int32.max)
      #expect(
        guarded(n, guard: Int32(7)) { ck_sum(ck_i32, $0, i, outer, reduce, inner) }
          == expected(i, shape) { $0.reduce(0, &+) })
    }
  }

  @Test("the error of a long sum stays small")
  func longSums() {
    let n = 10_000_000
    let x = [Float](repeating: 0.1, count: n)
    var y: [Float] = [0]
    ck_sum(ck_f32, &y, x, 1, n, 1)
    #expect(abs(Double(y[0]) / (Double(Float(0.1)) * Double(n)) - 1) < 3e-7)
    var columns: [Float] = [0, 0, 0, 0, 0]
    ck_sum(ck_f32, &columns, x, 1, n / 5, 5)
    for column in columns {
      #expect(abs(Double(column) / (Double(Float(0.1)) * Double(n / 5)) - 1) < 1e-6)
    }
  }

  @Test("an empty sum is zero")
  func emptySum() {
    var y: [Float] = [7, 7, 7]
    ck_sum(ck_f32, &y, [] as [Float], 3, 0, 1)
    #expect(y == [0, 0, 0])
    y = [7, 7, 7]
    ck_sum(ck_f32, &y, [] as [Float], 1, 0, 3)
    #expect(y == [0, 0, 0])
    var wide = [Double](repeating: 7, count: 40)
    ck_sum(ck_f64, &wide, [] as [Double], 1, 0, 40)
    #expect(wide.allSatisfy { $0 == 0 })
  }

  @Test("extrema and where they stand are the first largest and smallest")
  func extrema() {
    for shape in Self.shapes {
      var numbers = Numbers(seed: count(shape))
      // Few different values, so that equal ones occur.
      let i = numbers.integers(count(shape), in: -50...50)
      let (x, w) = (i.map { Float($0) }, i.map { Double($0) })
      let (outer, reduce, inner) = shape
      let n = outer * inner
      let large = expected(i, shape) { $0.max() ?? 0 }
      let small = expected(i, shape) { $0.min() ?? 0 }
      let largeAt = expected(i, shape) { v in Int32(v.firstIndex(of: v.max() ?? 0) ?? 0) }
      let smallAt = expected(i, shape) { v in Int32(v.firstIndex(of: v.min() ?? 0) ?? 0) }
      let what = "\(shape)"
      #expect(
        guarded(n, guard: Int32(7)) { ck_max(ck_i32, $0, i, outer, reduce, inner) } == large,
        "\(what)")
      #expect(
        guarded(n, guard: Int32(7)) { ck_min(ck_i32, $0, i, outer, reduce, inner) } == small,
        "\(what)")
      #expect(
        guarded(n, guard: Float(7)) { ck_max(ck_f32, $0, x, outer, reduce, inner) }
          == large.map { Float($0) }, "\(what)")
      #expect(
        guarded(n, guard: Float(7)) { ck_min(ck_f32, $0, x, outer, reduce, inner) }
          == small.map { Float($0) }, "\(what)")
      #expect(
        guarded(n, guard: Double(7)) { ck_max(ck_f64, $0, w, outer, reduce, inner) }
          == large.map { Double($0) }, "\(what)")
      #expect(
        guarded(n, guard: Double(7)) { ck_min(ck_f64, $0, w, outer, reduce, inner) }
          == small.map { Double($0) }, "\(what)")
      for argmax in [
        guarded(n, guard: Int32(7)) { ck_argmax(ck_i32, $0, i, outer, reduce, inner) },
        guarded(n, guard: Int32(7)) { ck_argmax(ck_f32, $0, x, outer, reduce, inner) },
        guarded(n, guard: Int32(7)) { ck_argmax(ck_f64, $0, w, outer, reduce, inner) },
      ] {
        #expect(argmax == largeAt, "\(what)")
      }
      for argmin in [
        guarded(n, guard: Int32(7)) { ck_argmin(ck_i32, $0, i, outer, reduce, inner) },
        guarded(n, guard: Int32(7)) { ck_argmin(ck_f32, $0, x, outer, reduce, inner) },
        guarded(n, guard: Int32(7)) { ck_argmin(ck_f64, $0, w, outer, reduce, inner) },
      ] {
        #expect(argmin == smallAt, "\(what)")
      }
    }
  }

  @Test("NaN wins, and the first NaN is found", arguments: [1, 3, 20, 70])
  func notANumber(inner: Int) {
    for reduce in [2, 9, 40, 2000] {
      for place in [0, reduce / 2, reduce - 1] {
        var x = [Float](repeating: 1, count: reduce * inner)
        for r in [place, reduce - 1] {
          for i in 0..<inner { x[r * inner + i] = .nan }
        }
        var y = [Float](repeating: 0, count: inner)
        ck_max(ck_f32, &y, x, 1, reduce, inner)
        #expect(y.allSatisfy { $0.isNaN })
        y = [Float](repeating: 0, count: inner)
        ck_min(ck_f32, &y, x, 1, reduce, inner)
        #expect(y.allSatisfy { $0.isNaN })
        var at = [Int32](repeating: 7, count: inner)
        ck_argmax(ck_f32, &at, x, 1, reduce, inner)
        #expect(at.allSatisfy { $0 == place })
        ck_argmin(ck_f32, &at, x, 1, reduce, inner)
        #expect(at.allSatisfy { $0 == place })
      }
    }
  }

  @Test("infinities are the extrema of infinities")
  func infinities() {
    for n in lengths where n > 0 {
      var y: [Float] = [0]
      var at: [Int32] = [7]
      ck_max(ck_f32, &y, [Float](repeating: -.infinity, count: n), 1, n, 1)
      #expect(y == [-.infinity])
      ck_argmax(ck_f32, &at, [Float](repeating: -.infinity, count: n), 1, n, 1)
      #expect(at == [0])
      ck_min(ck_f32, &y, [Float](repeating: .infinity, count: n), 1, n, 1)
      #expect(y == [.infinity])
    }
  }

  @Test("cumulative sums agree with their definition, from both ends")
  func cumulativeSums() {
    for (outer, count, inner) in [
      (1, 1, 1), (3, 0, 4), (2, 9, 1), (3, 5, 7), (1, 40, 33), (0, 3, 2),
    ] {
      func check<T: KernelElement & Numeric>(_: T.Type) {
        let n = outer * count * inner
        let x = (0..<n).map { T(exactly: $0 % 11 - 5)! }
        for fromEnd in [false, true] {
          let y = guarded(n, guard: T(exactly: 7)!) {
            ck_cumulative_sum(T.type, $0, x, outer, count, inner, fromEnd)
          }
          let expected = (0..<n).map { i -> T in
            let (o, k, c) = (i / inner / count, i / inner % count, i % inner)
            let lines = fromEnd ? Array(k..<count) : Array(0...k)
            return lines.reduce(0) { $0 + x[(o * count + $1) * inner + c] }
          }
          #expect(y == expected)
        }
      }
      check(Float.self)
      check(Double.self)
      check(Int32.self)
    }
  }

  @Test("sums of squares do not overflow float32")
  func sumOfSquares() {
    for n in lengths + [200_000] {
      var numbers = Numbers(seed: n)
      let x = numbers.floats(n)
      let exact = x.reduce(0) { $0 + Double($1) * Double($1) }
      #expect(close(ck_sum_squares(ck_f32, x, n), exact, 1e-12))
    }
    #expect(
      close(
        ck_sum_squares(ck_f32, [1e30, 1e30] as [Float], 2), 2 * Double(Float(1e30) as Float) * 1e30,
        1e-6))
  }

  @Test("one number that is not finite is found wherever it stands")
  func finiteness() {
    for n in lengths + [200_000] where n > 0 {
      var x = [Float](repeating: .greatestFiniteMagnitude, count: n)
      var w = [Double](repeating: -.greatestFiniteMagnitude, count: n)
      #expect(ck_all_finite(ck_f32, x, n) && ck_all_finite(ck_f64, w, n))
      for place in Set([0, n / 2, n - 1]) {
        for bad in [Float.nan, .infinity, -.infinity] {
          x[place] = bad
          w[place] = Double(bad)
          #expect(!ck_all_finite(ck_f32, x, n) && !ck_all_finite(ck_f64, w, n))
        }
        x[place] = 0
        w[place] = 0
      }
    }
    #expect(ck_all_finite(ck_f32, [] as [Float], 0))
  }
}
