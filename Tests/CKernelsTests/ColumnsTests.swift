import CKernels
import Testing

@Suite("Batch normalization of channels in columns")
struct ColumnKernelTests {
  /// Rows around the blocks of rows, and columns around the widths of vectors.
  static let sizes = [(1, 1), (2, 3), (255, 16), (256, 17), (257, 64), (700, 65), (1030, 130)]

  @Test("sums, normalization and gradients equal their formulas in float64", arguments: sizes)
  func formulas(_ rows: Int, _ columns: Int) {
    check(Float.self, rows, columns, 2e-5)
    check(Double.self, rows, columns, 1e-12)
  }

  private func check<T: KernelElement & BinaryFloatingPoint>(
    _: T.Type, _ rows: Int, _ columns: Int, _ tolerance: Double
  ) {
    let (type, count) = (T.type, rows * columns)
    var numbers = Numbers(seed: rows)
    func random(_ count: Int) -> [T] { numbers.floats(count).map { T($0) } }
    // Far from zero: a sum of squares would lose the variance.
    let x = random(count).map { $0 + 100 }
    let (dy, gate, residual) = (random(count), random(count), random(count))
    let (center, scale, shift, slope) = (
      random(columns).map { $0 + 100 }, random(columns), random(columns), random(columns)
    )
    func column(_ values: [T], _ c: Int) -> [Double] {
      stride(from: c, to: count, by: columns).map { Double(values[$0]) }
    }
    let blocks = (rows + Int(CK_COLUMN_BLOCK) - 1) / Int(CK_COLUMN_BLOCK)
    var partial = [T](repeating: .nan, count: blocks * Int(CK_STATISTICS) * columns)
    var (mean, variance) = (random(columns), random(columns))
    ck_column_moments(type, &mean, &variance, &partial, x, rows, columns)
    let means = (0..<columns).map { c in column(x, c).reduce(0, +) / Double(rows) }
    expectClose(mean, means, tolerance, "mean")
    let variances = (0..<columns).map { c in
      column(x, c).reduce(0) { $0 + ($1 - means[c]) * ($1 - means[c]) } / Double(rows)
    }
    expectClose(variance, variances, tolerance, "variance")

    for (usesGate, usesResidual) in [(false, false), (true, false), (false, true), (true, true)] {
      gate.withUnsafeBytes { gateBytes in
        residual.withUnsafeBytes { residualBytes in
          let gatePointer = usesGate ? gateBytes.baseAddress : nil
          let y: [T] = guarded(count, guard: 7) {
            ck_column_affine(
              type, $0, x, center, scale, shift, usesResidual ? residualBytes.baseAddress : nil,
              usesGate, rows, columns)
          }
          let affine = (0..<count).map { i in
            let c = i % columns
            let distance = Double(x[i]) - Double(center[c])
            let v =
              distance * Double(scale[c]) + Double(shift[c])
              + (usesResidual ? Double(residual[i]) : 0)
            return usesGate ? max(v, 0) : v
          }
          expectClose(y, affine, tolerance, "affine")

          let g = (0..<count).map { usesGate && gate[$0] <= 0 ? 0 : Double(dy[$0]) }
          var (sum, product) = (center, center)
          ck_column_sums(
            type, &sum, &product, &partial, dy, gatePointer, x, center, rows, columns)
          var (sums, products) = (
            [Double](repeating: 0, count: columns), [Double](repeating: 0, count: columns)
          )
          for i in 0..<count {
            sums[i % columns] += g[i]
            products[i % columns] += g[i] * (Double(x[i]) - Double(center[i % columns]))
          }
          // Sums of terms of both signs: an error relative to the number of rows.
          for c in 0..<columns {
            #expect(abs(Double(sum[c]) - sums[c]) <= tolerance * Double(rows))
            #expect(abs(Double(product[c]) - products[c]) <= 3 * tolerance * Double(rows))
          }

          var dresidual = [T](repeating: 7, count: count)
          let dx: [T] = guarded(count, guard: 7) { dx in
            dresidual.withUnsafeMutableBytes {
              ck_column_backward(
                type, dx, usesResidual ? $0.baseAddress : nil, dy, gatePointer, x, center, scale,
                shift, slope, rows, columns)
            }
          }
          let expected = (0..<count).map { i in
            let c = i % columns
            let distance = Double(x[i]) - Double(center[c])
            return Double(scale[c]) * (g[i] - Double(shift[c]) - Double(slope[c]) * distance)
          }
          expectClose(dx, expected, tolerance, "backward")
          #expect(
            dresidual.map(Double.init) == (usesResidual ? g : .init(repeating: 7, count: count)))
        }
      }
    }
  }
}
