import CKernels
import Testing

/// Sizes around those of vectors, tiles, panels and blocks.
private let sizes: [(m: Int, n: Int, k: Int)] = [
  (1, 1, 1), (1, 70, 3), (5, 1, 33), (6, 64, 64), (7, 65, 65), (13, 130, 31), (97, 17, 130),
  (200, 66, 257), (2, 300, 520), (50, 33, 2049), (3, 16, 2100), (260, 10, 1), (33, 48, 0),
]

@Suite("Matrix products")
struct MatrixProductTests {
  /// What a and b of a product lie like: dense rows or columns, or a part of a wider matrix.
  private static let layouts: [(transposesA: Bool, transposesB: Bool, gap: Int)] = [
    (false, false, 0), (false, true, 0), (true, false, 0), (true, true, 3), (false, false, 3),
  ]

  private func check(
    _ type: ck_type, _ resultType: ck_type, roundsB: Bool, threads: Int, _ error: Double
  ) {
    for (m, n, k) in sizes {
      for (layout, extras) in zip(Self.layouts, [0, 1, 2, 3, 1]) {
        var numbers = Numbers(seed: m + n + k)
        let (aLead, bLead) = (
          (layout.transposesA ? m : k) + layout.gap, (layout.transposesB ? k : n) + layout.gap
        )
        let isNarrow = type == ck_bf16
        func random(_ count: Int, rounded: Bool) -> [Float] {
          let x = numbers.floats(count, in: -1...1)
          return rounded ? narrowed(x).map(\.float) : x
        }
        // Rows are exactly as long as the matrix: a kernel that reads on finds NaN.
        var a = random((layout.transposesA ? k : m) * aLead, rounded: isNarrow)
        var b = random((layout.transposesB ? n : k) * bLead, rounded: isNarrow && roundsB)
        let padding = [Float](repeating: .nan, count: 40)
        a += padding
        b += padding
        let bias = numbers.floats(n)
        let before = random(m * (n + layout.gap), rounded: resultType == ck_bf16)
        var shape = ck_product_shape(
          a_type: type, b_type: roundsB ? type : ck_f32, c_type: resultType, m: m, n: n, k: k,
          a_row: layout.transposesA ? 1 : aLead, a_col: layout.transposesA ? aLead : 1,
          b_row: layout.transposesB ? 1 : bLead, b_col: layout.transposesB ? bLead : 1,
          c_row: n + layout.gap, threads: threads)
        let (adds, relu) = (extras & 1 != 0, extras & 2 != 0)
        // Elements of b that are float32 are rounded when they are multiplied.
        let factors = isNarrow ? narrowed(b).map(\.float) : b
        var (sums, scale) = (before.map(Double.init), [Double](repeating: 0, count: before.count))
        for i in 0..<m {
          for j in 0..<n {
            let at = i * shape.c_row + j
            var sum = Double(bias[j]) + (adds ? sums[at] : 0)
            var size = abs(Double(bias[j])) + abs(adds ? sums[at] : 0)
            for l in 0..<k {
              let product =
                Double(a[i * shape.a_row + l * shape.a_col])
                * Double(factors[l * shape.b_row + j * shape.b_col])
              sum += product
              size += abs(product)
            }
            (sums[at], scale[at]) = (relu ? max(sum, 0) : sum, size)
          }
        }
        func run(_ c: UnsafeMutableRawPointer) {
          bias.withUnsafeBytes { bias in
            var epilogue = ck_epilogue()
            epilogue.bias = bias.baseAddress
            epilogue.residual = adds ? UnsafeRawPointer(c) : nil
            epilogue.relu = relu
            withMemory(ck_product_workspace(&shape)) { workspace in
              switch (isNarrow, roundsB) {
              case (false, _): ck_product(c, a, b, &shape, &epilogue, workspace)
              case (true, true):
                ck_product(c, narrowed(a), narrowed(b), &shape, &epilogue, workspace)
              case (true, false): ck_product(c, narrowed(a), b, &shape, &epilogue, workspace)
              }
            }
          }
        }
        var c: [Float]
        if resultType == ck_bf16 {
          var narrow = narrowed(before)
          narrow.withUnsafeMutableBytes { run($0.baseAddress!) }
          c = narrow.map(\.float)
        } else {
          c = before
          c.withUnsafeMutableBytes { run($0.baseAddress!) }
        }
        let rounding = resultType == ck_bf16 ? 1.0 / 256 : 0
        let wrong = c.indices.first {
          !(abs(Double(c[$0]) - sums[$0]) <= error * scale[$0] + rounding * abs(sums[$0]))
        }
        if let wrong {
          Issue.record(
            "\(shape), adds \(adds), relu \(relu): element \(wrong) is \(c[wrong]), not \(sums[wrong])"
          )
        }
      }
    }
  }

  @Test("of float32 are sums of products, plus bias and what was there", arguments: [1, 3])
  func float32(_ threads: Int) {
    check(ck_f32, ck_f32, roundsB: true, threads: threads, 2e-6)
  }

  @Test("of bfloat16 are sums of products of rounded elements", arguments: [1, 3])
  func bfloat16(_ threads: Int) {
    for result in [ck_f32, ck_bf16] {
      check(ck_bf16, result, roundsB: true, threads: threads, 2e-6)
      check(ck_bf16, result, roundsB: false, threads: threads, 2e-6)
    }
  }

  @Test("have the same bits on any number of threads")
  func threads() {
    var numbers = Numbers(seed: 1)
    let (m, n, k) = (150, 200, 300)
    let (a, b) = (numbers.floats(m * k), numbers.floats(k * n))
    for (row, col) in [(k, 1), (1, m)] {
      func product(_ threads: Int) -> [Float] {
        var shape = ck_product_shape(
          a_type: ck_f32, b_type: ck_f32, c_type: ck_f32, m: m, n: n, k: k, a_row: row, a_col: col,
          b_row: n, b_col: 1, c_row: n, threads: threads)
        return guarded(m * n, guard: 7) { c in
          withMemory(ck_product_workspace(&shape)) { ck_product(c, a, b, &shape, nil, $0) }
        }
      }
      let one = product(1)
      #expect(product(2) == one && product(5) == one)
    }
  }
}
