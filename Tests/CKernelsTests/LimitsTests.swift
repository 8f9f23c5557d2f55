import CKernels
import Testing

@Suite("Kernels that show the limits of a machine")
struct LimitsTests {
  @Test("chains of multiply-adds compute what they say, and count their operations")
  func chains() {
    // x = x / 2 + 1 tends to 2.
    var y: [Float] = [0.5, 1, 0]
    let once = ck_multiply_add_chains(ck_f32, &y, 1)
    #expect(once > 0)
    #expect(ck_multiply_add_chains(ck_f32, &y, 1000) == 1000 * once)
    // The chains of all lanes are alike: 12 or 16 of them.
    #expect([24, 32].contains(y[2]))
    let lanes = once / Double(y[2])
    #expect([4, 8, 16].contains(lanes))
  }

  @Test("chains of products of bfloat16 compute what they say, and count their operations")
  func bfloat16Chains() {
    var y: [Float] = [0.5, 0]
    let once = ck_bfloat16_chains(&y, 1)
    #expect(once > 0)
    #expect(ck_bfloat16_chains(&y, 100) == 100 * once)
    // Chains begin between 1 and 2, and each round adds 0.5 twice.
    let chains = [Float(12), 16].first { $0 * 100 + 1.5 * $0 - 0.5 == y[1] }
    #expect(chains != nil)
  }

  @Test("the triad adds a multiple", arguments: lengths)
  func triad(count: Int) {
    var numbers = Numbers(seed: count)
    let (a, b) = (numbers.floats(count), numbers.floats(count))
    var y = [Float](repeating: .nan, count: count)
    ck_triad(ck_f32, &y, a, b, count, 3)
    #expect(zip(y, zip(a, b)).allSatisfy { abs($0 - ($1.0 + 3 * $1.1)) <= 1e-6 })
  }
}
