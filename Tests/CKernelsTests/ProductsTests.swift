import CKernels
import Testing

@Suite("Tiny matrix products")
struct ProductsTests {
  @Test(
    "agree with the sum of products for every layout",
    arguments: [1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 31, 32, 33], [0, 1, 2, 3, 8, 10, 17, 32, 65, 130])
  func layouts(n: Int, k: Int) {
    var numbers = Numbers(seed: n * 1000 + k)
    for m in [0, 1, 2, 3, 4, 5, 9, 16] {
      let a = numbers.floats(3 * (m + 2) * (k + 2))
      let b = numbers.floats(3 * (n + 2) * (k + 2))
      let c = numbers.floats(m * (n + 3))
      let aStrides = [(k, 1), (1, m), (k + 2, 1), (2 * k + 1, 2)]
      let bStrides = [(n, 1), (1, k), (n + 2, 1), (2, 2 * k + 1)]
      for (aRow, aCol) in aStrides {
        for (bRow, bCol) in bStrides {
          for (beta, ldc) in [(0.0, n), (1, n + 3), (-0.5, n)] {
            var expected = c.map { Double($0) }
            for i in 0..<m {
              for j in 0..<n {
                var sum = beta == 0 ? 0 : beta * expected[i * ldc + j]
                for l in 0..<k {
                  sum += Double(a[i * aRow + l * aCol]) * Double(b[l * bRow + j * bCol])
                }
                expected[i * ldc + j] = sum
              }
            }
            var y = c
            ck_gemm_small(ck_f32, &y, a, b, m, n, k, aRow, aCol, bRow, bCol, ldc, beta)
            expectClose(y, expected, 1e-4, "float \(m)x\(n)x\(k) \((aRow, aCol, bRow, bCol))")
            var z = c.map { Double($0) }
            ck_gemm_small(
              ck_f64,
              &z, a.map { Double($0) }, b.map { Double($0) }, m, n, k, aRow, aCol, bRow, bCol, ldc,
              beta)
            expectClose(z, expected, 1e-12, "double \(m)x\(n)x\(k)")
          }
        }
      }
    }
  }

  @Test("beta of zero overwrites NaN")
  func overwriting() {
    var c: [Float] = [.nan, .nan, 5]
    ck_gemm_small(ck_f32, &c, [2] as [Float], [3, 4] as [Float], 1, 2, 1, 1, 1, 2, 1, 2, 0)
    #expect(c == [6, 8, 5])
    c = [.nan, .nan, 5]
    ck_gemm_small(ck_f32, &c, [] as [Float], [] as [Float], 1, 2, 0, 0, 1, 2, 1, 2, 0)
    #expect(c == [0, 0, 5])
  }
}
