import CKernels
import Foundation
import Testing

@Suite("Kernels of networks")
struct NetworksTests {
  private func normal(_ x: Double) -> Double { 0.5 * erfc(-x / 2.0.squareRoot()) }

  @Test("the error function is accurate to a few units of the last place")
  func errorFunction() {
    let x = (-60000...60000).map { Float($0) / 10000 }
    var y = [Float](repeating: 0, count: x.count)
    ck_erf_f32(&y, x, x.count)
    let worst = zip(x, y).map { ulps($1, from: erf(Double($0))) }.max()!
    #expect(worst <= 4, "\(worst)")
    var edges = [Float](repeating: 0, count: 5)
    ck_erf_f32(&edges, [0, -.infinity, .infinity, 1e-30, .nan], 5)
    #expect(edges[0..<4] == [0, -1, 1, 1.1283791e-30] && edges[4].isNaN)
  }

  @Test("smooth activations agree with their formulas")
  func activations() {
    for n in lengths {
      var numbers = Numbers(seed: n)
      // Away from 0, where two of them have corners.
      let x = numbers.floats(n, in: -9...9).map { abs($0) < 1e-3 ? 1 : $0 }
      let (wide, dy) = (x.map { Double($0) }, numbers.floats(n))
      func check(
        _ name: String,
        _ forward: (UnsafeMutablePointer<Float>?, UnsafePointer<Float>?, Int) -> Void,
        _ backward: (
          UnsafeMutablePointer<Float>?, UnsafePointer<Float>?, UnsafePointer<Float>?, Int
        ) -> Void, _ f: (Double) -> Double
      ) {
        expectClose(guarded(n, guard: 7) { forward($0, x, n) }, wide.map(f), 2e-6, name)
        let slopes = zip(wide, dy).map { x, g in
          Double(g) * (f(x + 1e-5) - f(x - 1e-5)) / 2e-5
        }
        expectClose(guarded(n, guard: 7) { backward($0, dy, x, n) }, slopes, 1e-5, name)
      }
      check("gelu", ck_gelu_f32, ck_gelu_backward_f32) { $0 * normal($0) }
      check("gelu_tanh", ck_gelu_tanh_f32, ck_gelu_tanh_backward_f32) {
        0.5 * $0 * (1 + tanh((2 / Double.pi).squareRoot() * ($0 + 0.044715 * $0 * $0 * $0)))
      }
      check("silu", ck_silu_f32, ck_silu_backward_f32) { $0 / (1 + exp(-$0)) }
      check("softplus", ck_softplus_f32, ck_softplus_backward_f32) { log1p(exp($0)) }
      check(
        "elu", { ck_elu_f32($0, $1, $2, 0.5) }, { ck_elu_backward_f32($0, $1, $2, $3, 0.5) }
      ) { $0 > 0 ? $0 : 0.5 * expm1($0) }
      check(
        "leaky_relu", { ck_leaky_relu_f32($0, $1, $2, 0.25) },
        { ck_leaky_relu_backward_f32($0, $1, $2, $3, 0.25) }
      ) { $0 > 0 ? $0 : 0.25 * $0 }
    }
  }

  @Test("elu keeps the digits of small numbers")
  func small() {
    var y = [Float](repeating: 0, count: 3)
    ck_elu_f32(&y, [-1e-10, -1e-4, -200], 3, 1)
    #expect(y[0] == -1e-10 && ulps(y[1], from: expm1(Double(Float(-1e-4)))) <= 4 && y[2] == -1)
  }

  @Test(
    "rows are normalised, and their gradients summed",
    arguments: [(1, 1), (3, 5), (200, 17), (7, 64), (3, 1000), (300, 300)])
  func layerNorm(_ rows: Int, _ cols: Int) {
    var numbers = Numbers(seed: rows)
    let n = rows * cols
    let (x, dy) = (numbers.floats(n), numbers.floats(n))
    let (weight, bias) = (numbers.floats(cols), numbers.floats(cols))
    var (mean, scale) = ([Float](repeating: 0, count: rows), [Float](repeating: 0, count: rows))
    let y = guarded(n, guard: 7) {
      ck_layer_norm_f32($0, &mean, &scale, x, weight, bias, rows, cols, 1e-5)
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
    let dweight = guarded(cols, guard: 7) {
      ck_layer_norm_sums_f32($0, &dbias, dy, x, mean, scale, rows, cols)
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
    let mean = guarded(channels, guard: 7) {
      ck_channel_moments_f32($0, &variance, x, rows, channels, cols)
    }
    expectClose(mean, means, 1e-6, "mean")
    expectClose(variance, variances, 1e-5, "variance")
    let (scale, shift) = (numbers.floats(channels), numbers.floats(channels))
    let expected = (0..<n).map { i in
      let c = i / cols % channels
      return (Double(x[i]) - Double(mean[c])) * Double(scale[c]) + Double(shift[c])
    }
    expectClose(
      guarded(n, guard: 7) {
        ck_channel_affine_f32($0, x, mean, scale, shift, rows, channels, cols)
      }, expected, 1e-5, "affine")
    var product = [Float](repeating: 0, count: channels)
    let sum = guarded(channels, guard: 7) {
      ck_channel_sums_f32($0, &product, dy, x, mean, rows, channels, cols)
    }
    expectClose(sum, sums { i, _ in Double(dy[i]) }, 1e-4, "sum")
    expectClose(
      product, sums { i, c in Double(dy[i]) * (Double(x[i]) - Double(mean[c])) }, 1e-4, "product")
  }

  @Test("rows are taken and added by index, in order", arguments: [1, 3, 16, 33, 700])
  func indices(_ cols: Int) {
    var numbers = Numbers(seed: cols)
    let (table, count) = (50, 300)
    let x = numbers.floats(table * cols)
    let places = numbers.integers(count, in: 0...Int32(table - 1))
    let taken = guarded(count * cols, guard: Float(7)) {
      ck_gather_rows($0, x, places, count, cols * 4)
    }
    #expect(taken == places.flatMap { x[Int($0) * cols..<(Int($0) + 1) * cols] })
    var expected = x
    for (r, place) in places.enumerated() {
      for c in 0..<cols { expected[Int(place) * cols + c] += taken[r * cols + c] }
    }
    let added = guarded(table * cols, guard: Float(7)) { y in
      for i in x.indices { y[i] = x[i] }
      ck_scatter_add_rows_f32(y, taken, places, count, cols)
    }
    #expect(added == expected)
  }

  @Test("AdamW follows the rule")
  func adamw() {
    for n in lengths {
      var numbers = Numbers(seed: n)
      let (w, m, g) = (numbers.floats(n), numbers.floats(n), numbers.floats(n))
      let v = numbers.floats(n, in: 0...2)
      var (newM, newV) = (m, v)
      let y = guarded(n, guard: Float(7)) { result in
        for i in 0..<n { result[i] = w[i] }
        ck_adamw_f32(result, &newM, &newV, g, n, 0.1, 0.9, 0.99, 1e-3, 0.5, 0.19, 0.0199)
      }
      var expected: [Double] = []
      for i in 0..<n {
        let moment = 0.9 * Double(m[i]) + 0.1 * Double(g[i])
        let square = 0.99 * Double(v[i]) + 0.01 * Double(g[i]) * Double(g[i])
        expected.append(
          Double(w[i]) * (1 - 0.05) - 0.1 / 0.19 * moment
            / ((square / 0.0199).squareRoot() + 1e-3))
      }
      expectClose(y, expected, 2e-6, "w")
      expectClose(newM, (0..<n).map { 0.9 * Double(m[$0]) + 0.1 * Double(g[$0]) }, 1e-6, "m")
      let squares = (0..<n).map { 0.99 * Double(v[$0]) + 0.01 * Double(g[$0]) * Double(g[$0]) }
      expectClose(newV, squares, 1e-6, "v")
    }
  }
}
