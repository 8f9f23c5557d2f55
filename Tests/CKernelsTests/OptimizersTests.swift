import CKernels
import Testing

struct DescentCase: Sendable {
  let momentum: Float
  let dampening: Float
  let weightDecay: Float
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
        var g = 0.25 * Double(grad[i]) + Double(rule.weightDecay) * Double(w[i])
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
      let y = guarded(n, guard: Float(7)) { result in
        for i in 0..<n { result[i] = w[i] }
        velocity.withUnsafeMutableBufferPointer { v in
          ck_sgd_f32(
            result, rule.momentum == 0 ? nil : v.baseAddress, grad, n, 0.1, rule.momentum,
            rule.dampening, rule.weightDecay, rule.nesterov, rule.first, 0.25)
        }
      }
      expectClose(y, expectedW, 1e-6, "w")
      expectClose(velocity, expectedV, 1e-6, "velocity")
    }
  }
}
