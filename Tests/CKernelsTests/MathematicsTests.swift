import CKernels
import Foundation
import Testing

@Suite("Polynomials of float32")
struct MathematicsTests {
  /// The largest error in units of the last place, and where it is.
  private func worst(
    _ kernel: UnaryCase.Kernel, _ x: [Float],
    _ reference: (Double) -> Double
  ) -> (error: Double, at: Float) {
    var y = [Float](repeating: 0, count: x.count)
    kernel(ck_f32, &y, x, x.count)
    var result = (error: 0.0, at: Float(0))
    for (argument, value) in zip(x, y) {
      let error = ulps(value, from: reference(Double(argument)))
      if error > result.error { result = (error, argument) }
    }
    return result
  }

  private func grid(_ range: ClosedRange<Float>, _ count: Int) -> [Float] {
    let step = (range.upperBound - range.lowerBound) / Float(count)
    return (0...count).map { range.lowerBound + step * Float($0) }
  }

  /// Every `stride`-th float there is, NaN and infinities included.
  private func allFloats(every stride: Int) -> [Float] {
    Swift.stride(from: 0, to: 1 << 32, by: stride).map { Float(bitPattern: UInt32($0)) }
  }

  @Test("exp is within 2 units in the last place, also where it overflows or is denormal")
  func exponential() {
    let result = worst(ck_exp, grid(-104...89, 2_000_000) + allFloats(every: 9973), exp)
    #expect(result.error <= 2, "at \(result.at)")
  }

  @Test("log is within 2 units in the last place, also of denormals")
  func logarithm() {
    let x = allFloats(every: 3001) + grid(0.5...2, 500_000)
    let result = worst(ck_log, x, log)
    #expect(result.error <= 2, "at \(result.at)")
  }

  @Test("tanh is within 4 units in the last place")
  func hyperbolicTangent() {
    let x = allFloats(every: 9973) + grid(-10...10, 500_000)
    let result = worst(ck_tanh, x, tanh)
    #expect(result.error <= 4, "at \(result.at)")
  }

  @Test("sigmoid is within 4 units in the last place")
  func sigmoid() {
    let x = allFloats(every: 9973) + grid(-104...20, 500_000)
    let result = worst(ck_sigmoid, x) { x in
      x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x))
    }
    #expect(result.error <= 4, "at \(result.at)")
  }

  @Test("sin and cos are within 4 units in the last place, also next to their zeros")
  func circular() {
    let zeros = (-5215...5215).flatMap { k -> [Float] in
      let x = Float(Double(k) * Double.pi / 2)
      return [x.nextDown, x, x.nextUp]
    }
    let x = grid(-8192...8192, 1_000_000) + grid(-1...1, 100_000) + zeros
    let sine = worst(ck_sin, x, sin)
    #expect(sine.error <= 4, "at \(sine.at)")
    let cosine = worst(ck_cos, x, cos)
    #expect(cosine.error <= 4, "at \(cosine.at)")
  }

  @Test("sin and cos are right far from zero, and NaN of infinities")
  func circularEverywhere() {
    let x = allFloats(every: 100_003)
    #expect(worst(ck_sin, x, sin).error <= 4)
    #expect(worst(ck_cos, x, cos).error <= 4)
  }

  @Test("signs of zero are kept")
  func zeros() {
    for kernel in [ck_sin, ck_tanh, ck_sqrt, ck_floor, ck_round] {
      var y: [Float] = [1, 1]
      kernel(ck_f32, &y, [0, -0.0] as [Float], 2)
      #expect(y[0] == 0 && y[0].sign == .plus && y[1] == 0 && y[1].sign == .minus)
    }
  }

  @Test("the error function is accurate to a few units of the last place")
  func errorFunction() {
    let x = (-60000...60000).map { Float($0) / 10000 }
    var y = [Float](repeating: 0, count: x.count)
    ck_erf(ck_f32, &y, x, x.count)
    let worst = zip(x, y).map { ulps($1, from: erf(Double($0))) }.max()!
    #expect(worst <= 4, "\(worst)")
    var edges = [Float](repeating: 0, count: 5)
    ck_erf(ck_f32, &edges, [0, -.infinity, .infinity, 1e-30, .nan] as [Float], 5)
    #expect(edges[0..<4] == [0, -1, 1, 1.1283791e-30] && edges[4].isNaN)
  }
}
