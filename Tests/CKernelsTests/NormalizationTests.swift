import CKernels
import Testing

@Suite("Normalization kernels")
struct NormalizationKernelTests {
  @Test(
    "rows are normalized, and their gradients summed",
    arguments: [(1, 1), (3, 5), (200, 17), (7, 64), (3, 1000), (300, 300)])
  func layerNorm(_ rows: Int, _ cols: Int) {
    var numbers = Numbers(seed: rows)
    let n = rows * cols
    let (x, dy) = (numbers.floats(n), numbers.floats(n))
    let (weight, bias) = (numbers.floats(cols), numbers.floats(cols))
    var (mean, rstd) = ([Float](repeating: 0, count: rows), [Float](repeating: 0, count: rows))
    let y = guarded(n, guard: Float(7)) {
      ck_layer_norm(ck_f32, $0, &mean, &rstd, x, weight, bias, rows, cols, 1e-5)
    }
    var (expected, normalized) = ([Double](), [Double]())
    for r in 0..<rows {
      let row = x[r * cols..<(r + 1) * cols].map { Double($0) }
      let m = row.reduce(0, +) / Double(cols)
      let v = row.reduce(0) { $0 + ($1 - m) * ($1 - m) } / Double(cols)
      normalized += row.map { ($0 - m) / (v + 1e-5).squareRoot() }
      expected += (0..<cols).map {
        normalized[r * cols + $0] * Double(weight[$0]) + Double(bias[$0])
      }
    }
    expectClose(y, expected, 1e-5, "y")
    var dbias = [Float](repeating: 0, count: cols)
    let dweight = guarded(cols, guard: Float(7)) {
      ck_layer_norm_sums(ck_f32, $0, &dbias, dy, x, mean, rstd, rows, cols)
    }
    var (sums, products) = (
      [Double](repeating: 0, count: cols), [Double](repeating: 0, count: cols)
    )
    for i in 0..<n {
      sums[i % cols] += Double(dy[i])
      products[i % cols] += Double(dy[i]) * normalized[i]
    }
    expectClose(dweight, products, 1e-4, "dweight")
    expectClose(dbias, sums, 1e-4, "dbias")
  }

  @Test(
    "rows are divided by their root mean square",
    arguments: [(1, 1), (3, 5), (200, 17), (7, 64), (3, 1000)])
  func rmsNorm(_ rows: Int, _ cols: Int) {
    var numbers = Numbers(seed: rows)
    let n = rows * cols
    let (x, dy, weight) = (numbers.floats(n), numbers.floats(n), numbers.floats(cols))
    var rms = [Float](repeating: 0, count: rows)
    let y = guarded(n, guard: Float(7)) {
      ck_rms_norm(ck_f32, $0, &rms, x, weight, rows, cols, 1e-5)
    }
    let dx = guarded(n, guard: Float(7)) {
      ck_rms_norm_backward(ck_f32, $0, dy, x, rms, weight, rows, cols)
    }
    let dweight = guarded(cols, guard: Float(7)) {
      ck_rms_norm_sums(ck_f32, $0, dy, x, rms, rows, cols)
    }
    var (expected, gradient) = ([Double](), [Double]())
    var products = [Double](repeating: 0, count: cols)
    for r in 0..<rows {
      let row = x[r * cols..<(r + 1) * cols].map { Double($0) }
      let factor = 1 / (row.reduce(0) { $0 + $1 * $1 } / Double(cols) + 1e-5).squareRoot()
      let g = (0..<cols).map { Double(dy[r * cols + $0]) * Double(weight[$0]) }
      let mean = (0..<cols).reduce(0) { $0 + g[$1] * row[$1] * factor } / Double(cols)
      for c in 0..<cols {
        expected.append(row[c] * factor * Double(weight[c]))
        gradient.append(factor * (g[c] - row[c] * factor * mean))
        products[c] += Double(dy[r * cols + c]) * row[c] * factor
      }
    }
    expectClose(y, expected, 1e-5, "y")
    expectClose(dx, gradient, 1e-4, "dx")
    expectClose(dweight, products, 1e-4, "dweight")
  }

  @Test("channels", arguments: [(1, 1, 1), (3, 5, 7), (2, 3, 33), (1, 17, 100), (4, 64, 200)])
  func channels(_ rows: Int, _ channels: Int, _ cols: Int) {
    var numbers = Numbers(seed: cols)
    let n = rows * channels * cols
    let (x, dy) = (numbers.floats(n), numbers.floats(n))
    func sums(_ f: (Int, Int) -> Double) -> [Double] {
      var result = [Double](repeating: 0, count: channels)
      for i in 0..<n { result[i / cols % channels] += f(i, i / cols % channels) }
      return result
    }
    let size = Double(rows * cols)
    let means = sums { i, _ in Double(x[i]) / size }
    let variances = sums { i, c in (Double(x[i]) - means[c]) * (Double(x[i]) - means[c]) / size }
    var variance = [Float](repeating: 0, count: channels)
    let mean = guarded(channels, guard: Float(7)) {
      ck_channel_moments(ck_f32, $0, &variance, x, rows, channels, cols)
    }
    expectClose(mean, means, 1e-6, "mean")
    expectClose(variance, variances, 1e-5, "variance")
    let (scale, shift) = (numbers.floats(channels), numbers.floats(channels))
    let expected = (0..<n).map { i in
      let c = i / cols % channels
      return (Double(x[i]) - Double(mean[c])) * Double(scale[c]) + Double(shift[c])
    }
    expectClose(
      guarded(n, guard: Float(7)) {
        ck_channel_affine(ck_f32, $0, x, mean, scale, shift, rows, channels, cols)
      }, expected, 1e-5, "affine")
    var product = [Float](repeating: 0, count: channels)
    let sum = guarded(channels, guard: Float(7)) {
      ck_channel_sums(ck_f32, $0, &product, dy, x, mean, rows, channels, cols)
    }
    expectClose(sum, sums { i, _ in Double(dy[i]) }, 1e-4, "sum")
    expectClose(
      product, sums { i, c in Double(dy[i]) * (Double(x[i]) - Double(mean[c])) }, 1e-4, "product")
  }
}
