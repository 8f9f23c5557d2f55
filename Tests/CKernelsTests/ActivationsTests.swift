import CKernels
import Foundation
import Testing

@Suite("Activations")
struct ActivationsTests {
  private func normal(_ x: Double) -> Double { 0.5 * erfc(-x / 2.0.squareRoot()) }

  @Test("smooth activations agree with their formulas")
  func activations() {
    for n in lengths {
      var numbers = Numbers(seed: n)
      // Away from 0, where two of them have corners.
      let x = numbers.floats(n, in: -9...9).map { abs($0) < 1e-3 ? 1 : $0 }
      let (wide, dy) = (x.map { Double($0) }, numbers.floats(n))
      func check(
        _ name: String,
        _ forward: UnaryCase.Kernel, _ backward: PairCase.Kernel, _ f: (Double) -> Double
      ) {
        expectClose(
          guarded(n, guard: Float(7)) { forward(ck_f32, $0, x, n) }, wide.map(f), 2e-6, name)
        let slopes = zip(wide, dy).map { x, g in
          Double(g) * (f(x + 1e-5) - f(x - 1e-5)) / 2e-5
        }
        expectClose(
          guarded(n, guard: Float(7)) { backward(ck_f32, $0, dy, x, n) }, slopes, 1e-5, name)
      }
      check("gelu", ck_gelu, ck_gelu_backward) { $0 * normal($0) }
      check("gelu_tanh", ck_gelu_tanh, ck_gelu_tanh_backward) {
        0.5 * $0 * (1 + tanh((2 / Double.pi).squareRoot() * ($0 + 0.044715 * $0 * $0 * $0)))
      }
      check("silu", ck_silu, ck_silu_backward) { $0 / (1 + exp(-$0)) }
      check("softplus", ck_softplus, ck_softplus_backward) { log1p(exp($0)) }
      check(
        "elu", { ck_elu($0, $1, $2, $3, 0.5) }, { ck_elu_backward($0, $1, $2, $3, $4, 0.5) }
      ) { $0 > 0 ? $0 : 0.5 * expm1($0) }
      check(
        "leaky_relu", { ck_leaky_relu($0, $1, $2, $3, 0.25) },
        { ck_leaky_relu_backward($0, $1, $2, $3, $4, 0.25) }
      ) { $0 > 0 ? $0 : 0.25 * $0 }
    }
  }

  @Test("elu keeps the digits of small numbers")
  func small() {
    var y = [Float](repeating: 0, count: 3)
    ck_elu(ck_f32, &y, [-1e-10, -1e-4, -200] as [Float], 3, 1)
    #expect(y[0] == -1e-10 && ulps(y[1], from: expm1(Double(Float(-1e-4)))) <= 4 && y[2] == -1)
  }
}
