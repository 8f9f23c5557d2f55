import CKernels
import Testing

struct DescentCase: Sendable {
  let momentum: Double
  let dampening: Double
  let weightDecay: Double
  let nesterov: Bool
  let first: Bool

  static let all: [DescentCase] = [
    .init(momentum: 0, dampening: 0, weightDecay: 0, nesterov: false, first: false),
    .init(momentum: 0, dampening: 0, weightDecay: 0.1, nesterov: false, first: true),
    .init(momentum: 0.9, dampening: 0, weightDecay: 0, nesterov: false, first: true),
    .init(momentum: 0.9, dampening: 0.5, weightDecay: 0.01, nesterov: false, first: false),
    .init(momentum: 0.9, dampening: 0, weightDecay: 0.01, nesterov: true, first: true),
    .init(momentum: 0.9, dampening: 0, weightDecay: 0.01, nesterov: true, first: false),
  ]
}

@Suite("Optimizer steps")
struct OptimizersTests {
  @Test("stochastic gradient descent follows the rule", arguments: DescentCase.all)
  func descent(_ rule: DescentCase) {
    for n in lengths {
      var numbers = Numbers(seed: n)
      let (w, grad) = (numbers.floats(n), numbers.floats(n))
      // At the first step the velocity may hold anything.
      let old = rule.first ? [Float](repeating: .nan, count: n) : numbers.floats(n)
      var expectedW: [Double] = []
      var expectedV: [Double] = []
      for i in 0..<n {
        var g = Double(grad[i]) + Double(rule.weightDecay) * Double(w[i])
        var v = Double(old[i])
        if rule.momentum != 0 {
          let momentum = Double(rule.momentum)
          v = rule.first ? g : momentum * v + (1 - Double(rule.dampening)) * g
          g = rule.nesterov ? g + momentum * v : v
        }
        expectedW.append(Double(w[i]) - 0.1 * g)
        expectedV.append(v)
      }
      var velocity = old
      // Sums are added to what is there.
      var bits = ck_bit_sums(before: 1, after: 2)
      let y = guarded(n, guard: Float(7)) { result in
        for i in 0..<n { result[i] = w[i] }
        velocity.withUnsafeMutableBufferPointer { v in
          ck_sgd(
            ck_f32,
            result, rule.momentum == 0 ? nil : v.baseAddress, grad, n, 0.1, rule.momentum,
            rule.dampening, rule.weightDecay, rule.nesterov, rule.first, &bits)
        }
      }
      expectClose(y, expectedW, 1e-6, "w")
      #expect(bits.before == 1 &+ ck_bit_sum(w, n))
      #expect(bits.after == 2 &+ ck_bit_sum(y, n))
      expectClose(velocity, expectedV, 1e-6, "velocity")
    }
  }

  @Test("AdamW follows the rule")
  func adamw() {
    for n in lengths {
      var numbers = Numbers(seed: n)
      let (w, m, g) = (numbers.floats(n), numbers.floats(n), numbers.floats(n))
      let v = numbers.floats(n, in: 0...2)
      var (newM, newV) = (m, v)
      var bits = ck_bit_sums(before: 1, after: 2)
      let y = guarded(n, guard: Float(7)) { result in
        for i in 0..<n { result[i] = w[i] }
        ck_adamw(
          ck_f32, result, &newM, &newV, g, n, 0.1, 0.9, 0.99, 1e-3, 0.5, 0.19, 0.0199, &bits)
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
      #expect(bits.before == 1 &+ ck_bit_sum(w, n))
      #expect(bits.after == 2 &+ ck_bit_sum(y, n))
      expectClose(newM, (0..<n).map { 0.9 * Double(m[$0]) + 0.1 * Double(g[$0]) }, 1e-6, "m")
      let squares = (0..<n).map { 0.99 * Double(v[$0]) + 0.01 * Double(g[$0]) * Double(g[$0]) }
      expectClose(newV, squares, 1e-6, "v")
    }
  }

  @Test("a moving average follows the rule")
  func movingAverage() {
    for n in lengths {
      var numbers = Numbers(seed: n)
      let (average, w) = (numbers.floats(n), numbers.floats(n))
      let y = guarded(n, guard: Float(7)) { result in
        for i in 0..<n { result[i] = average[i] }
        ck_moving_average(ck_f32, result, w, n, 0.9)
      }
      expectClose(
        y, (0..<n).map { 0.9 * Double(average[$0]) + 0.1 * Double(w[$0]) }, 1e-6, "average")
    }
  }
}
