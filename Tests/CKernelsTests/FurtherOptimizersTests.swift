import CKernels
import Testing

/// A step of an optimizer on weights, up to three states, and gradients.
struct OptimizerStep: Sendable, CustomTestStringConvertible {
  typealias Pointer = UnsafeMutableRawPointer

  let testDescription: String
  let run:
    @Sendable (
      ck_type, _ w: Pointer, _ states: [Pointer], _ gradients: Pointer, Int,
      UnsafeMutablePointer<ck_bit_sums>
    ) -> Void

  static let all = [
    OptimizerStep(testDescription: "Adam") {
      ck_adam($0, $1, $2[0], $2[1], nil, $3, $4, 0.1, 0.9, 0.99, 1e-3, 0.1, 0.19, 0.02, $5)
    },
    OptimizerStep(testDescription: "Adam with amsgrad") {
      ck_adam($0, $1, $2[0], $2[1], $2[2], $3, $4, 0.1, 0.9, 0.99, 1e-3, 0.1, 0.19, 0.02, $5)
    },
    OptimizerStep(testDescription: "RMSprop") {
      ck_rmsprop($0, $1, $2[1], nil, nil, $3, $4, 0.1, 0.9, 1e-3, 0, 0.1, $5)
    },
    OptimizerStep(testDescription: "RMSprop, centered, with momentum") {
      ck_rmsprop($0, $1, $2[1], $2[0], $2[2], $3, $4, 0.1, 0.9, 1e-3, 0.5, 0.1, $5)
    },
    OptimizerStep(testDescription: "Adagrad") {
      ck_adagrad($0, $1, $2[1], $3, $4, 0.1, 1e-3, 0.1, $5)
    },
    OptimizerStep(testDescription: "Lion") {
      ck_lion($0, $1, $2[0], $3, $4, 0.1, 0.9, 0.99, 0.1, $5)
    },
    OptimizerStep(testDescription: "LARS") {
      ck_lars($0, $1, $2[0], $3, $4, 0.1, 0.9, 0.1, 0.3, false, $5)
    },
    OptimizerStep(testDescription: "LAMB") {
      ck_lamb($0, $1, $2[0], $2[1], $4, 0.1, 1e-3, 0.1, 0.19, 0.02, $5)
    },
    OptimizerStep(testDescription: "the direction of LAMB") { type, w, states, gradients, n, _ in
      ck_lamb_direction(
        type, states[2], states[0], states[1], w, gradients, n, 0.9, 0.99, 1e-3, 0.1, 0.19, 0.02)
    },
  ]
}

@Suite("Steps of further optimizers")
struct FurtherOptimizersTests {
  /// Weights and states after a step on some of the elements at a time.
  private func step<T: FloatingPoint>(
    _ method: OptimizerStep, _ type: ck_type, _ arrays: [[T]], parts size: Int
  ) -> (arrays: [[T]], bits: ck_bit_sums) {
    var bits = ck_bit_sums()
    let buffers = arrays.map { array in
      let buffer = UnsafeMutableBufferPointer<T>.allocate(capacity: array.count)
      _ = buffer.initialize(from: array)
      return buffer
    }
    defer { buffers.forEach { $0.deallocate() } }
    let count = arrays[0].count
    for start in stride(from: 0, to: count, by: size) {
      let places = buffers.map { UnsafeMutableRawPointer($0.baseAddress! + start) }
      method.run(type, places[0], Array(places[1...3]), places[4], min(size, count - start), &bits)
    }
    return (buffers.map { Array($0) }, bits)
  }

  @Test(
    "an element is updated alike wherever it stands, in both types, and bits are added up",
    arguments: OptimizerStep.all)
  func elements(_ method: OptimizerStep) {
    for n in lengths where n > 0 {
      var numbers = Numbers(seed: n)
      let (w, m, g) = (numbers.floats(n), numbers.floats(n, in: -1...1), numbers.floats(n))
      let (v, largest) = (numbers.floats(n, in: 2...3), numbers.floats(n, in: 0...2))
      let arrays = [w, m, v, largest, g]
      let whole = step(method, ck_f32, arrays, parts: n)
      let single = step(method, ck_f32, arrays, parts: 1)
      #expect(whole.arrays == single.arrays)
      if method.testDescription != "the direction of LAMB" {
        #expect(whole.bits.before == ck_bit_sum(w, n))
        #expect(whole.bits.after == ck_bit_sum(whole.arrays[0], n))
        #expect(single.bits.after == whole.bits.after)
      }
      let doubles = step(method, ck_f64, arrays.map { $0.map { Double($0) } }, parts: n)
      for (float, double) in zip(whole.arrays, doubles.arrays) {
        expectClose(float, double, 1e-5, "n = \(n)")
      }
    }
  }
}
