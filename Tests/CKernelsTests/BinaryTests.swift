import CKernels
import Foundation
import Testing

/// How an operand lies over [rows, cols].
enum Layout: CaseIterable, Sendable {
  case dense, scalar, row, column, transposed, spaced

  func strides(_ rows: Int, _ cols: Int) -> (row: Int, col: Int) {
    switch self {
    case .dense: (cols, 1)
    case .scalar: (0, 0)
    case .row: (0, 1)
    case .column: (1, 0)
    case .transposed: (1, rows)
    case .spaced: (2 * cols + 3, 2)
    }
  }
}

private func broadcast(
  _ rows: Int, _ cols: Int, _ aRow: Int, _ aCol: Int, _ bRow: Int, _ bCol: Int
) -> ck_broadcast {
  ck_broadcast(rows: rows, cols: cols, a_row: aRow, a_col: aCol, b_row: bRow, b_col: bCol)
}

struct BinaryCase: Sendable, CustomTestStringConvertible {
  typealias Kernel =
    @Sendable (
      ck_type, UnsafeMutableRawPointer, UnsafeRawPointer, UnsafeRawPointer,
      UnsafePointer<ck_broadcast>
    ) -> Void
  let testDescription: String
  let kernel: Kernel
  let reference: @Sendable (Double, Double) -> Double

  init(
    _ name: String, _ kernel: @escaping Kernel,
    _ reference: @escaping @Sendable (Double, Double) -> Double
  ) {
    testDescription = name
    self.kernel = kernel
    self.reference = reference
  }

  func callAsFunction<T: KernelElement>(
    _ y: UnsafeMutablePointer<T>, _ a: UnsafePointer<T>, _ b: UnsafePointer<T>, _ rows: Int,
    _ cols: Int, _ aRow: Int, _ aCol: Int, _ bRow: Int, _ bCol: Int
  ) {
    kernel(T.type, y, a, b, [broadcast(rows, cols, aRow, aCol, bRow, bCol)])
  }

  static let all: [BinaryCase] = [
    .init("add", ck_add) { $0 + $1 },
    .init("sub", ck_sub) { $0 - $1 },
    .init("mul", ck_mul) { $0 * $1 },
    .init("div", ck_div) { $0 / $1 },
    .init("maximum", ck_maximum) {
      $0.isNaN || $1.isNaN ? .nan : max($0, $1)
    },
    .init("minimum", ck_minimum) {
      $0.isNaN || $1.isNaN ? .nan : min($0, $1)
    },
    .init("squared difference", ck_squared_difference) {
      ($0 - $1) * ($0 - $1)
    },
    .init("pow", ck_pow) { pow($0, $1) },
  ]
}

struct ComparisonCase: Sendable, CustomTestStringConvertible {
  let testDescription: String
  let kernel:
    @Sendable (
      ck_type, UnsafeMutablePointer<UInt8>, UnsafeRawPointer, UnsafeRawPointer,
      UnsafePointer<ck_broadcast>
    ) -> Void
  let reference: @Sendable (Double, Double) -> Bool

  func callAsFunction<T: KernelElement>(
    _ y: UnsafeMutablePointer<UInt8>, _ a: UnsafePointer<T>, _ b: UnsafePointer<T>, _ rows: Int,
    _ cols: Int, _ aRow: Int, _ aCol: Int, _ bRow: Int, _ bCol: Int
  ) {
    kernel(T.type, y, a, b, [broadcast(rows, cols, aRow, aCol, bRow, bCol)])
  }

  static let all: [ComparisonCase] = [
    .init(testDescription: "equal", kernel: ck_equal) { $0 == $1 },
    .init(testDescription: "less", kernel: ck_less) { $0 < $1 },
    .init(testDescription: "less or equal", kernel: ck_less_equal) { $0 <= $1 },
  ]
}

struct IntegerCase: Sendable, CustomTestStringConvertible {
  let testDescription: String
  let kernel: BinaryCase.Kernel
  let reference: @Sendable (Int32, Int32) -> Int32

  func callAsFunction(
    _ y: UnsafeMutablePointer<Int32>, _ a: UnsafePointer<Int32>, _ b: UnsafePointer<Int32>,
    _ rows: Int, _ cols: Int, _ aRow: Int, _ aCol: Int, _ bRow: Int, _ bCol: Int
  ) {
    kernel(ck_i32, y, a, b, [broadcast(rows, cols, aRow, aCol, bRow, bCol)])
  }

  static let all: [IntegerCase] = [
    .init(testDescription: "add", kernel: ck_add) { $0 &+ $1 },
    .init(testDescription: "sub", kernel: ck_sub) { $0 &- $1 },
    .init(testDescription: "mul", kernel: ck_mul) { $0 &* $1 },
    .init(testDescription: "maximum", kernel: ck_maximum) { max($0, $1) },
    .init(testDescription: "minimum", kernel: ck_minimum) { min($0, $1) },
  ]
}

@Suite("Kernels of two operands")
struct BinaryTests {
  private static let shapes = [
    (1, 1), (1, 7), (1, 100), (7, 1), (1000, 1), (3, 2), (1000, 3), (100, 10), (5, 31), (5, 32),
    (4, 33), (3, 64), (17, 100), (2, 600), (3, 1025), (300, 129), (4001, 10), (1, 40001), (0, 5),
    (5, 0),
  ]

  /// What a strided kernel should give, by indices.
  private func expected<T, R>(
    _ a: [T], _ b: [T], _ rows: Int, _ cols: Int, _ aLayout: Layout, _ bLayout: Layout,
    _ f: (T, T) -> R
  ) -> [R] {
    let (s, t) = (aLayout.strides(rows, cols), bLayout.strides(rows, cols))
    return (0..<rows).flatMap { r in
      (0..<cols).map { c in f(a[r * s.row + c * s.col], b[r * t.row + c * t.col]) }
    }
  }

  @Test("agree with the formula for every layout of the operands", arguments: BinaryCase.all)
  func layouts(_ kernel: BinaryCase) {
    var numbers = Numbers(seed: 5)
    let a = numbers.floats(100_000, in: 0.1...3)
    let b = numbers.floats(100_000, in: 0.1...3)
    let (c, d) = (a.map { Double($0) }, b.map { Double($0) })
    for (rows, cols) in Self.shapes {
      for first in Layout.allCases {
        for second in Layout.allCases {
          let (s, t) = (first.strides(rows, cols), second.strides(rows, cols))
          let what = "\(rows)x\(cols) \(first) \(second)"
          let exact = expected(c, d, rows, cols, first, second, kernel.reference)
          let float = guarded(rows * cols, guard: 7) {
            kernel($0, a, b, rows, cols, s.row, s.col, t.row, t.col)
          }
          expectClose(float, exact, 1e-6, what)
          let double = guarded(rows * cols, guard: 7) {
            kernel($0, c, d, rows, cols, s.row, s.col, t.row, t.col)
          }
          expectClose(double, exact, 1e-14, what)
        }
      }
    }
  }

  @Test("write over their first or second operand", arguments: BinaryCase.all)
  func inPlace(_ kernel: BinaryCase) {
    for (rows, cols) in Self.shapes where rows * cols > 0 {
      for other in Layout.allCases {
        var numbers = Numbers(seed: rows)
        let a = numbers.floats(rows * cols, in: 0.1...3)
        let b = numbers.floats(100_000, in: 0.1...3)
        let t = other.strides(rows, cols)
        let exact = expected(a, b, rows, cols, .dense, other) {
          kernel.reference(Double($0), Double($1))
        }
        var y = a
        y.withUnsafeMutableBufferPointer {
          kernel($0.baseAddress!, $0.baseAddress!, b, rows, cols, cols, 1, t.row, t.col)
        }
        expectClose(y, exact, 1e-6, "\(rows)x\(cols) over a, \(other)")
        let reversed = expected(b, a, rows, cols, other, .dense) {
          kernel.reference(Double($0), Double($1))
        }
        y = a
        y.withUnsafeMutableBufferPointer {
          kernel($0.baseAddress!, b, $0.baseAddress!, rows, cols, t.row, t.col, cols, 1)
        }
        expectClose(y, reversed, 1e-6, "\(rows)x\(cols) over b, \(other)")
      }
    }
  }

  @Test("comparisons give ones and zeros", arguments: ComparisonCase.all)
  func comparisons(_ kernel: ComparisonCase) {
    var numbers = Numbers(seed: 6)
    let (i, j) = (numbers.integers(100_000, in: -2...2), numbers.integers(100_000, in: -2...2))
    let (c, d) = (i.map { Double($0) }, j.map { Double($0) })
    let (a, b) = (i.map { Float($0) }, j.map { Float($0) })
    let wide = (i.map { Int64($0) }, j.map { Int64($0) })
    for (rows, cols) in Self.shapes {
      for second in Layout.allCases {
        let t = second.strides(rows, cols)
        let n = rows * cols
        let exact: [UInt8] = expected(c, d, rows, cols, .dense, second) {
          kernel.reference($0, $1) ? 1 : 0
        }
        #expect(
          guarded(n, guard: 7) { kernel($0, a, b, rows, cols, cols, 1, t.row, t.col) }
            == exact)
        #expect(
          guarded(n, guard: 7) { kernel($0, c, d, rows, cols, cols, 1, t.row, t.col) }
            == exact)
        #expect(
          guarded(n, guard: 7) { kernel($0, i, j, rows, cols, cols, 1, t.row, t.col) }
            == exact)
        #expect(
          guarded(n, guard: 7) { kernel($0, wide.0, wide.1, rows, cols, cols, 1, t.row, t.col) }
            == exact)
      }
    }
  }

  @Test("integers wrap around and never trap", arguments: IntegerCase.all)
  func integers(_ kernel: IntegerCase) {
    var numbers = Numbers(seed: 7)
    var a = numbers.integers(100_000, in: Int32.min...Int32.max)
    var b = numbers.integers(100_000, in: -5...5)
    a[0] = .min
    b[0] = -1
    for (rows, cols) in Self.shapes {
      for first in Layout.allCases {
        for second in Layout.allCases {
          let (s, t) = (first.strides(rows, cols), second.strides(rows, cols))
          let exact = expected(a, b, rows, cols, first, second, kernel.reference)
          let y = guarded(rows * cols, guard: 7) {
            kernel($0, a, b, rows, cols, s.row, s.col, t.row, t.col)
          }
          #expect(y == exact)
        }
      }
    }
  }

  @Test("maximum and minimum give NaN if either is NaN, comparisons with NaN are false")
  func notANumber() {
    let a: [Float] = [.nan, 1, .nan, 2]
    let b: [Float] = [1, .nan, .nan, 1]
    var shape = broadcast(1, 4, 4, 1, 4, 1)
    var y = [Float](repeating: 0, count: 4)
    ck_maximum(ck_f32, &y, a, b, &shape)
    #expect(y[0].isNaN && y[1].isNaN && y[2].isNaN && y[3] == 2)
    ck_minimum(ck_f32, &y, a, b, &shape)
    #expect(y[0].isNaN && y[1].isNaN && y[2].isNaN && y[3] == 1)
    var z = [UInt8](repeating: 7, count: 4)
    ck_less_equal(ck_f32, &z, a, b, &shape)
    #expect(z == [0, 0, 0, 0])
    ck_equal(ck_f32, &z, a, a, &shape)
    #expect(z == [0, 1, 0, 1])
  }

  @Test("add row adds one row to every row in place")
  func addRow() {
    for (rows, cols) in Self.shapes {
      var numbers = Numbers(seed: cols)
      let (x, row) = (numbers.floats(rows * cols), numbers.floats(cols))
      let expected = (0..<rows * cols).map { x[$0] + row[$0 % cols] }
      var y = x
      ck_add_row(ck_f32, &y, row, rows, cols)
      #expect(y == expected)
      var w = x.map { Double($0) }
      ck_add_row(ck_f64, &w, row.map { Double($0) }, rows, cols)
      expectClose(w, expected.map { Double($0) }, 1e-6, "double")
    }
  }
}
