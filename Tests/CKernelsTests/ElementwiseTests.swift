import CKernels
import Foundation
import Testing

struct UnaryCase: Sendable, CustomTestStringConvertible {
  typealias Kernel =
    @Sendable (ck_type, UnsafeMutableRawPointer, UnsafeRawPointer, Int) -> Void
  let testDescription: String
  let kernel: Kernel
  let range: ClosedRange<Double>
  let reference: @Sendable (Double) -> Double

  init(
    _ name: String, _ kernel: @escaping Kernel, _ range: ClosedRange<Double> = -3...3,
    _ reference: @escaping @Sendable (Double) -> Double
  ) {
    testDescription = name
    self.kernel = kernel
    self.range = range
    self.reference = reference
  }

  func callAsFunction<T: KernelElement>(
    _ y: UnsafeMutablePointer<T>, _ x: UnsafePointer<T>, _ n: Int
  ) {
    kernel(T.type, y, x, n)
  }

  static let all: [UnaryCase] = [
    .init("neg", ck_neg) { -$0 },
    .init("abs", ck_abs) { abs($0) },
    .init("sign", ck_sign) { $0 > 0 ? 1 : $0 < 0 ? -1 : $0 },
    .init("square", ck_square) { $0 * $0 },
    .init("sqrt", ck_sqrt, 0...9) { $0.squareRoot() },
    .init("reciprocal", ck_reciprocal, 0.1...9) { 1 / $0 },
    .init("exp", ck_exp) { exp($0) },
    .init("log", ck_log, 0.001...100) { log($0) },
    .init("sin", ck_sin, -50...50) { sin($0) },
    .init("cos", ck_cos, -50...50) { cos($0) },
    .init("tanh", ck_tanh) { tanh($0) },
    .init("sigmoid", ck_sigmoid, -20...20) { 1 / (1 + exp(-$0)) },
    .init("relu", ck_relu) { $0 > 0 || $0.isNaN ? $0 : 0 },
    .init("floor", ck_floor) { $0.rounded(.down) },
    .init("round", ck_round) { $0.rounded(.toNearestOrEven) },
    .init(
      "clamp", { ck_clamp($0, $1, $2, $3, -1, 0.5) }
    ) { $0.isNaN ? $0 : min(max($0, -1), 0.5) },
    .init(
      "affine", { ck_affine($0, $1, $2, $3, 2, -0.5) }
    ) { 2 * $0 - 0.5 },
    .init(
      "square by pow", { ck_pow_scalar($0, $1, $2, $3, 2) }
    ) { pow($0, 2) },
    .init(
      "reciprocal by pow", { ck_pow_scalar($0, $1, $2, $3, -1) }
    ) { pow($0, -1) },
    .init(
      "power of 0.5", { ck_pow_scalar($0, $1, $2, $3, 0.5) }
    ) { pow($0, 0.5) },
    .init(
      "power of 1.5", { ck_pow_scalar($0, $1, $2, $3, 1.5) }, 0...5
    ) { pow($0, 1.5) },
  ]
}

struct PairCase: Sendable, CustomTestStringConvertible {
  typealias Kernel =
    @Sendable (
      ck_type, UnsafeMutableRawPointer, UnsafeRawPointer, UnsafeRawPointer, Int
    ) -> Void
  let testDescription: String
  let kernel: Kernel
  let ranges: [ClosedRange<Double>]
  let reference: @Sendable (Double, Double) -> Double

  init(
    _ name: String, _ kernel: @escaping Kernel,
    _ ranges: [ClosedRange<Double>] = [-3...3, -3...3],
    _ reference: @escaping @Sendable (Double, Double) -> Double
  ) {
    testDescription = name
    self.kernel = kernel
    self.ranges = ranges
    self.reference = reference
  }

  func callAsFunction<T: KernelElement>(
    _ y: UnsafeMutablePointer<T>, _ a: UnsafePointer<T>, _ b: UnsafePointer<T>, _ n: Int
  ) {
    kernel(T.type, y, a, b, n)
  }

  static let all: [PairCase] = [
    .init("relu backward", ck_relu_backward) { $1 > 0 ? $0 : 0 },
    .init("sigmoid backward", ck_sigmoid_backward, [-3...3, 0...1]) {
      $0 * $1 * (1 - $1)
    },
    .init("tanh backward", ck_tanh_backward, [-3...3, -1...1]) {
      $0 * (1 - $1 * $1)
    },
    .init("bce", ck_bce, [0.001...0.999, 0...1]) {
      -($1 * max(log($0), -100) + (1 - $1) * max(log(1 - $0), -100))
    },
    .init("bce with logits", ck_bce_logits, [-30...30, 0...1]) {
      max($0, 0) - $0 * $1 + log1p(exp(-abs($0)))
    },
    .init(
      "bce backward",
      { type, dp, p, t, n in
        withGradient(0.5, type) { ck_bce_backward(type, dp, $0, 0, p, t, n) }
      },
      [0.001...0.999, 0...1]
    ) { 0.5 * ($0 - $1) / ($0 * (1 - $0)) },
    .init(
      "bce with logits backward",
      { type, dx, x, t, n in
        withGradient(0.5, type) { ck_bce_logits_backward(type, dx, $0, 0, x, t, n) }
      },
      [-30...30, 0...1]
    ) { 0.5 * (1 / (1 + exp(-$0)) - $1) },
  ]

  /// Calls `body` with a single gradient for all elements.
  private static func withGradient(
    _ value: Double, _ type: ck_type, _ body: (UnsafeRawPointer) -> Void
  ) {
    var (narrow, wide) = (Float(value), value)
    if type == ck_f32 { body(&narrow) } else { body(&wide) }
  }
}

@Suite("Elementwise kernels")
struct ElementwiseTests {
  @Test("agree with the formula for every length", arguments: UnaryCase.all)
  func unary(_ kernel: UnaryCase) {
    var numbers = Numbers(seed: 1)
    for n in lengths {
      let x = numbers.doubles(n, in: kernel.range)
      let narrow = x.map { Float($0) }
      let double = guarded(n, guard: 7) { kernel($0, x, n) }
      expectClose(double, x.map(kernel.reference), 1e-14, "double")
      let float = guarded(n, guard: 7) { kernel($0, narrow, n) }
      expectClose(float, narrow.map { kernel.reference(Double($0)) }, 1e-6, "float")
    }
  }

  @Test("work in place", arguments: UnaryCase.all)
  func inPlace(_ kernel: UnaryCase) {
    for n in lengths {
      var numbers = Numbers(seed: n)
      let x = numbers.doubles(n, in: kernel.range)
      var y = [Float](repeating: 0, count: n)
      var z = x.map { Float($0) }
      kernel(&y, z, n)
      z.withUnsafeMutableBufferPointer { if let z = $0.baseAddress { kernel(z, z, n) } }
      #expect(y.map(\.bitPattern) == z.map(\.bitPattern))
      var w = x
      w.withUnsafeMutableBufferPointer { if let w = $0.baseAddress { kernel(w, w, n) } }
      expectClose(w, x.map(kernel.reference), 1e-14, "double")
    }
  }

  @Test("treat special values as the formula does", arguments: UnaryCase.all)
  func specialValues(_ kernel: UnaryCase) {
    let special: [Double] = [
      .nan, .infinity, -.infinity, 0, -0.0, 1, -1, 0.5, 1.5, 2.5, -0.5, -2.5, 1e30, -1e30, 1e-30,
      -1e-30, 200, -200,
    ]
    for value in special {
      let float = guarded(19, guard: 7) {
        kernel($0, [Float](repeating: Float(value), count: 19), 19)
      }
      let expected = Float(kernel.reference(Double(Float(value))))
      expectClose(
        float, [Double](repeating: Double(expected), count: 19), 1e-6, "float of \(value)")
      let double = guarded(5, guard: 7) {
        kernel($0, [Double](repeating: value, count: 5), 5)
      }
      expectClose(
        double, [Double](repeating: kernel.reference(value), count: 5), 1e-14, "double of \(value)")
    }
  }

  @Test("of two arrays agree with the formula", arguments: PairCase.all)
  func pairs(_ kernel: PairCase) {
    var numbers = Numbers(seed: 2)
    for n in lengths {
      let a = numbers.doubles(n, in: kernel.ranges[0])
      let b = numbers.doubles(n, in: kernel.ranges[1])
      let double = guarded(n, guard: 7) { kernel($0, a, b, n) }
      expectClose(double, zip(a, b).map(kernel.reference), 1e-12, "double")
      let (s, t) = (a.map { Float($0) }, b.map { Float($0) })
      let float = guarded(n, guard: 7) { kernel($0, s, t, n) }
      expectClose(
        float, zip(s, t).map { kernel.reference(Double($0), Double($1)) }, 2e-5, "float")
    }
  }

  @Test("binary cross-entropy is clamped where the logarithm is not finite")
  func clampedCrossEntropy() {
    let p: [Float] = [0, 1, 0, 1]
    let t: [Float] = [1, 0, 0, 1]
    var y = [Float](repeating: 7, count: 4)
    ck_bce(ck_f32, &y, p, t, 4)
    #expect(y == [100, 100, 0, 0])
    let one: [Float] = [1, 2, 3, 4]
    ck_bce_backward(ck_f32, &y, one, 1, p, t, 4)
    #expect(y == [-1e12, 2e12, 0, 0])
    let x: [Float] = [1000, -1000, .infinity, 0]
    ck_bce_logits(ck_f32, &y, x, [0, 1, 1, 1] as [Float], 4)
    #expect(y[0] == 1000 && y[1] == 1000 && y[2].isNaN)
    #expect(abs(y[3] - 0.6931472) < 1e-7)
  }

  @Test("gradients of losses may differ from element to element")
  func stridedLossGradient() {
    var numbers = Numbers(seed: 3)
    for n in lengths {
      let (dy, x) = (numbers.floats(n), numbers.floats(n))
      let t = numbers.floats(n, in: 0...1)
      let dx = guarded(n, guard: Float(7)) { ck_bce_logits_backward(ck_f32, $0, dy, 1, x, t, n) }
      let expected = (0..<n).map { i -> Double in
        let sigmoid: Double = 1 / (1 + exp(-Double(x[i])))
        return Double(dy[i]) * (sigmoid - Double(t[i]))
      }
      expectClose(dx, expected, 1e-6, "dx")
    }
  }

  @Test("of integers wrap around")
  func integers() {
    for n in lengths {
      var numbers = Numbers(seed: n)
      let x = numbers.integers(n, in: Int32.min...Int32.max)
      #expect(guarded(n, guard: Int32(7)) { ck_neg(ck_i32, $0, x, n) } == x.map { 0 &- $0 })
      #expect(
        guarded(n, guard: Int32(7)) { ck_abs(ck_i32, $0, x, n) } == x.map { $0 < 0 ? 0 &- $0 : $0 })
    }
    var y: [Int32] = [0]
    ck_neg(ck_i32, &y, [Int32.min], 1)
    #expect(y == [Int32.min])
  }

  @Test("where chooses by a condition")
  func selection() {
    for n in lengths {
      var numbers = Numbers(seed: n)
      let condition = numbers.integers(n, in: 0...1).map { UInt8($0) }
      let (a, b) = (numbers.floats(n), numbers.floats(n))
      let expected = (0..<n).map { condition[$0] != 0 ? a[$0] : b[$0] }
      #expect(guarded(n, guard: Float(7)) { ck_where(ck_f32, $0, condition, a, b, n) } == expected)
      let (c, d) = (numbers.doubles(n), numbers.doubles(n))
      let wide = (0..<n).map { condition[$0] != 0 ? c[$0] : d[$0] }
      #expect(guarded(n, guard: Double(7)) { ck_where(ck_f64, $0, condition, c, d, n) } == wide)
    }
  }

  @Test("accumulate adds to what is there")
  func accumulation() {
    for n in lengths {
      var numbers = Numbers(seed: n)
      let (x, y) = (numbers.floats(n), numbers.floats(n))
      var z = y
      ck_accumulate(ck_f32, &z, x, n)
      #expect(z == zip(x, y).map { $0 + $1 })
      let (v, w) = (numbers.doubles(n), numbers.doubles(n))
      var u = w
      ck_accumulate(ck_f64, &u, v, n)
      #expect(u == zip(v, w).map { $0 + $1 })
    }
  }

  @Test("a tree adds pairs, then pairs of pairs, also onto one of its terms", arguments: 1...9)
  func trees(_ count: Int) {
    func tree(_ terms: [[Float]]) -> [Float] {
      if terms.count == 1 { return terms[0] }
      var half = 1
      while half * 2 < terms.count { half *= 2 }
      return zip(tree(Array(terms[..<half])), tree(Array(terms[half...]))).map { $0 + $1 }
    }
    for n in lengths + [40_000] {
      var numbers = Numbers(seed: n)
      let terms = (0..<count).map { _ in numbers.floats(n) }
      let expected = tree(terms)
      let memory = terms.map { term in
        let buffer = UnsafeMutableBufferPointer<Float>.allocate(capacity: max(n, 1))
        _ = buffer.update(fromContentsOf: term)
        return buffer
      }
      defer { memory.forEach { $0.deallocate() } }
      let pointers = memory.map { UnsafeRawPointer($0.baseAddress!) }
      #expect(
        guarded(n, guard: Float(7)) { ck_sum_tree(ck_f32, $0, pointers, count, n) } == expected)
      ck_sum_tree(ck_f32, memory[count - 1].baseAddress!, pointers, count, n)
      #expect(memory[count - 1].prefix(n).elementsEqual(expected))
    }
  }

  @Test("a stack adds its two topmost sums as often as it is told, also onto one of its terms")
  func stacks() {
    // ((a + (b + c)) + d) + (e + f)
    let merges: [UInt8] = [0, 0, 2, 1, 0, 2]
    func check<Scalar: BinaryFloatingPoint & KernelElement>(_ type: ck_type, _ terms: [[Scalar]]) {
      let n = terms[0].count
      let expected = (0..<n).map { i in
        let x = terms.map { $0[i] }
        return ((x[0] + (x[1] + x[2])) + x[3]) + (x[4] + x[5])
      }
      let memory = terms.map { term in
        let buffer = UnsafeMutableBufferPointer<Scalar>.allocate(capacity: max(n, 1))
        _ = buffer.update(fromContentsOf: term)
        return buffer
      }
      defer { memory.forEach { $0.deallocate() } }
      let pointers = memory.map { UnsafeRawPointer($0.baseAddress!) }
      #expect(
        guarded(n, guard: Scalar(7)) { ck_sum_stacked(type, $0, pointers, merges, 6, n) }
          == expected)
      ck_sum_stacked(type, memory[2].baseAddress!, pointers, merges, 6, n)
      #expect(memory[2].prefix(n).elementsEqual(expected))
    }
    for n in lengths + [40_000] {
      var numbers = Numbers(seed: n)
      check(ck_f32, (0..<6).map { _ in numbers.floats(n) })
      check(ck_f64, (0..<6).map { _ in numbers.doubles(n) })
    }
  }

  @Test("fill writes every element and no other")
  func fill() {
    for n in lengths {
      #expect(
        guarded(n, guard: Float(7)) { ck_fill(ck_f32, $0, n, 2.5) }
          == Array(repeating: 2.5, count: n))
      #expect(
        guarded(n, guard: Double(7)) { ck_fill(ck_f64, $0, n, 2.5) }
          == Array(repeating: 2.5, count: n))
      #expect(
        guarded(n, guard: Int32(7)) { ck_fill(ck_i32, $0, n, -3) } == Array(repeating: -3, count: n)
      )
    }
  }

  @Test("conversions agree with Swift's")
  func conversions() {
    for n in lengths {
      var numbers = Numbers(seed: n)
      let x = numbers.floats(n, in: -1e6...1e6)
      let w = numbers.doubles(n, in: -1e6...1e6)
      let i = numbers.integers(n, in: Int32.min...Int32.max)
      #expect(
        guarded(n, guard: Double(7)) { ck_convert(ck_f64, $0, ck_f32, x, n) }
          == x.map { Double($0) })
      #expect(
        guarded(n, guard: Float(7)) { ck_convert(ck_f32, $0, ck_f64, w, n) } == w.map { Float($0) })
      #expect(
        guarded(n, guard: Float(7)) { ck_convert(ck_f32, $0, ck_i32, i, n) } == i.map { Float($0) })
      #expect(
        guarded(n, guard: Double(7)) { ck_convert(ck_f64, $0, ck_i32, i, n) }
          == i.map { Double($0) })
      #expect(
        guarded(n, guard: Int32(7)) { ck_convert(ck_i32, $0, ck_f32, x, n) } == x.map { Int32($0) })
      #expect(
        guarded(n, guard: Int32(7)) { ck_convert(ck_i32, $0, ck_f64, w, n) } == w.map { Int32($0) })
    }
  }

  @Test("conversions to integers saturate, and NaN becomes zero")
  func saturation() {
    let x: [Double] = [.nan, .infinity, -.infinity, 3e9, -3e9, 2147483520, -2147483648, 1.9, -1.9]
    let expected: [Int32] = [
      0, .max, .min, .max, .min, 2_147_483_520, .min, 1, -1,
    ]
    #expect(guarded(9, guard: Int32(7)) { ck_convert(ck_i32, $0, ck_f64, x, 9) } == expected)
    #expect(
      guarded(9, guard: Int32(7)) { ck_convert(ck_i32, $0, ck_f32, x.map { Float($0) }, 9) }
        == expected)
    #expect(
      guarded(1, guard: Int32(7)) { ck_convert(ck_i32, $0, ck_f64, [2147483647.5] as [Double], 1) }
        == [
          .max
        ])
  }
}
