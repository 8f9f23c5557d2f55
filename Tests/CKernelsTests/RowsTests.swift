import CKernels
import Foundation
import Testing

@Suite("Softmax and cross-entropy")
struct RowsTests {
  static let shapes = [
    (0, 3), (1, 1), (3, 2), (5, 7), (4, 8), (100, 10), (3, 16), (2, 17), (7, 33), (5, 1000),
    (1, 40001), (3000, 10),
  ]

  private func rows(_ x: [Double], _ cols: Int, _ f: ([Double], Int) -> [Double]) -> [Double] {
    (0..<(x.count / cols)).flatMap { f(Array(x[$0 * cols..<($0 + 1) * cols]), $0) }
  }

  private func logSumExp(_ row: [Double]) -> Double {
    let top = row.max() ?? 0
    return top + log(row.reduce(0) { $0 + exp($1 - top) })
  }

  @Test("agree with the formulas in double precision", arguments: shapes)
  func forward(_ count: Int, _ cols: Int) {
    var numbers = Numbers(seed: cols)
    let x = numbers.floats(count * cols, in: -20...20)
    let w = x.map { Double($0) }
    let n = count * cols
    let softmax = rows(w, cols) { row, _ in
      let normalizer = logSumExp(row)
      return row.map { exp($0 - normalizer) }
    }
    expectClose(
      guarded(n, guard: Float(7)) { ck_softmax(ck_f32, $0, x, count, cols) }, softmax, 2e-6, "float"
    )
    expectClose(
      guarded(n, guard: Double(7)) { ck_softmax(ck_f64, $0, w, count, cols) }, softmax, 1e-14,
      "double")
    let logSoftmax = rows(w, cols) { row, _ in
      let normalizer = logSumExp(row)
      return row.map { $0 - normalizer }
    }
    expectClose(
      guarded(n, guard: Float(7)) { ck_log_softmax(ck_f32, $0, x, count, cols) }, logSoftmax, 2e-6,
      "float"
    )
    expectClose(
      guarded(n, guard: Double(7)) { ck_log_softmax(ck_f64, $0, w, count, cols) }, logSoftmax,
      1e-13,
      "double")
    var inPlace = x
    inPlace.withUnsafeMutableBufferPointer {
      if let x = $0.baseAddress { ck_softmax(ck_f32, x, x, count, cols) }
    }
    expectClose(inPlace, softmax, 2e-6, "in place")
  }

  @Test("backward passes agree with the formulas", arguments: shapes)
  func backward(_ count: Int, _ cols: Int) {
    var numbers = Numbers(seed: cols)
    let n = count * cols
    let (dy, y) = (numbers.doubles(n, in: -1...1), numbers.doubles(n, in: -4...0))
    let (s, t) = (dy.map { Float($0) }, y.map { Float($0) })
    let softmax = rows(y, cols) { row, r in
      let g = Array(dy[r * cols..<(r + 1) * cols])
      let total = zip(g, row).reduce(0) { $0 + $1.0 * $1.1 }
      return zip(g, row).map { $1 * ($0 - total) }
    }
    let scale = Double(cols)
    expectClose(
      guarded(n, guard: Float(7)) { ck_softmax_backward(ck_f32, $0, s, t, count, cols) }, softmax,
      1e-6 * scale.squareRoot() + 1e-6, "float")
    expectClose(
      guarded(n, guard: Double(7)) { ck_softmax_backward(ck_f64, $0, dy, y, count, cols) }, softmax,
      1e-11,
      "double")
    let logSoftmax = rows(y, cols) { row, r in
      let g = Array(dy[r * cols..<(r + 1) * cols])
      let total = g.reduce(0, +)
      return zip(g, row).map { $0 - exp($1) * total }
    }
    expectClose(
      guarded(n, guard: Float(7)) { ck_log_softmax_backward(ck_f32, $0, s, t, count, cols) },
      logSoftmax,
      1e-6 * scale.squareRoot() + 1e-6, "float")
    expectClose(
      guarded(n, guard: Double(7)) { ck_log_softmax_backward(ck_f64, $0, dy, y, count, cols) },
      logSoftmax,
      1e-11, "double")
  }

  @Test("cross-entropy and its gradient agree with the formulas", arguments: shapes)
  func crossEntropy(_ count: Int, _ cols: Int) {
    var numbers = Numbers(seed: cols)
    let n = count * cols
    let x = numbers.floats(n, in: -20...20)
    let w = x.map { Double($0) }
    let labels = numbers.integers(count, in: 0...Int32(cols - 1))
    let normalizers = (0..<count).map { logSumExp(Array(w[$0 * cols..<($0 + 1) * cols])) }
    let losses = (0..<count).map { normalizers[$0] - w[$0 * cols + Int(labels[$0])] }
    var saved = [Float](repeating: 0, count: 2 * count)
    let loss = guarded(count, guard: Float(7)) {
      ck_cross_entropy(ck_f32, $0, &saved, x, labels, count, cols, nil)
    }
    expectClose(loss, losses, 2e-6, "losses")
    expectClose(
      (0..<count).map { saved[2 * $0] + saved[2 * $0 + 1] }, normalizers, 2e-6, "log sum exp")
    var wide = [Double](repeating: 0, count: 2 * count)
    let exactLoss = guarded(count, guard: Double(7)) {
      ck_cross_entropy(ck_f64, $0, &wide, w, labels, count, cols, nil)
    }
    expectClose(exactLoss, losses, 1e-13, "losses")
    expectClose(
      (0..<count).map { wide[2 * $0] + wide[2 * $0 + 1] }, normalizers, 1e-13, "log sum exp")

    let dy = numbers.floats(max(count, 1))
    for stride in [0, 1] {
      let gradient = (0..<n).map { k -> Double in
        let (r, c) = (k / cols, k % cols)
        return Double(dy[r * stride])
          * (exp(w[k] - normalizers[r]) - (c == Int(labels[r]) ? 1 : 0))
      }
      expectClose(
        guarded(n, guard: Float(7)) {
          ck_cross_entropy_backward(ck_f32, $0, dy, stride, x, saved, labels, count, cols, nil)
        }, gradient, 2e-5, "float")
      expectClose(
        guarded(n, guard: Double(7)) {
          ck_cross_entropy_backward(
            ck_f64,
            $0, dy.map { Double($0) }, stride, w, wide, labels, count, cols, nil)
        }, gradient, 1e-12, "double")
    }
  }

  @Test("large logits do not overflow, and excluded classes get nothing")
  func extremes() {
    var y = [Float](repeating: 7, count: 3)
    ck_softmax(ck_f32, &y, [1000, 1000, -.infinity] as [Float], 1, 3)
    #expect(y == [0.5, 0.5, 0])
    ck_log_softmax(ck_f32, &y, [1e4, 0, -1e4] as [Float], 1, 3)
    #expect(y == [0, -1e4, -2e4])
    ck_softmax(ck_f32, &y, [1, .nan, 2] as [Float], 1, 3)
    #expect(y.allSatisfy { $0.isNaN })
    ck_softmax(ck_f32, &y, [-.infinity, -.infinity, -.infinity] as [Float], 1, 3)
    #expect(y.allSatisfy { $0.isNaN })
  }
}
