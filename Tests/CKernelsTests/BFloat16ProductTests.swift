import CKernels
import Testing

/// Kernels that multiply and reduce bfloat16, against those of float32 on the same numbers.
@Suite("bfloat16: convolution, normalization, pooling, losses")
struct BFloat16ProductTests {
  /// Calls `body` with weights of strides, which it may change.
  private func withWeights(
    _ values: inout [Float], _ strides: [Int], _ body: (ck_weights) -> Void
  ) {
    values.withUnsafeMutableBytes {
      body(
        ck_weights(
          p: $0.baseAddress!, out: strides[0], in: strides[1], row: strides[2], column: strides[3]))
    }
  }

  @Test("convolutions are those of float32, rounded", arguments: directShapes + winogradShapes)
  func convolutions(_ shape: ck_convolution) {
    var s = shape
    for (kind, algorithm) in [(0, ck_direct), (1, ck_direct), (2, ck_direct), (0, ck_automatic)] {
      let strides = weightStrides(s, kind)
      var numbers = Numbers(seed: kind)
      func random(_ count: Int) -> [BFloat16] { narrowed(numbers.floats(count, in: -1...1)) }
      let (x, dy, residual) = (random(s.xCount), random(s.yCount), random(s.yCount))
      var w = random(s.weightCount).map(\.float)
      let bias = numbers.floats(s.out_channels)
      func workspace(
        _ type: ck_type, _ pass: ck_pass, _ body: (UnsafeMutableRawPointer) -> Void
      ) {
        withMemory(ck_conv_workspace(type, &s, pass, algorithm), body)
      }
      func epilogue(
        _ residual: UnsafeRawPointer, _ body: (UnsafePointer<ck_epilogue>) -> Void
      ) {
        bias.withUnsafeBytes {
          var epilogue = ck_epilogue()
          epilogue.bias = $0.baseAddress
          epilogue.residual = residual
          epilogue.relu = true
          body(&epilogue)
        }
      }
      withWeights(&w, strides) { w in
        let wide: [Float] = guarded(s.yCount, guard: 7) { y in
          epilogue(residual.map(\.float)) { epilogue in
            workspace(ck_f32, ck_forward) {
              ck_conv_forward(ck_f32, y, x.map(\.float), w, &s, algorithm, epilogue, $0)
            }
          }
        }
        let y: [BFloat16] = guarded(s.yCount, guard: BFloat16(7)) { y in
          epilogue(residual) { epilogue in
            workspace(ck_bf16, ck_forward) {
              ck_conv_forward(ck_bf16, y, x, w, &s, algorithm, epilogue, $0)
            }
          }
        }
        expectRounded(y, wide, 1e-5, "forward \(s)")
        let wideGradient: [Float] = guarded(s.xCount, guard: 7) { dx in
          workspace(ck_f32, ck_input_gradient) {
            ck_conv_input_gradient(ck_f32, dx, dy.map(\.float), w, &s, algorithm, nil, $0)
          }
        }
        let dx: [BFloat16] = guarded(s.xCount, guard: BFloat16(7)) { dx in
          workspace(ck_bf16, ck_input_gradient) {
            ck_conv_input_gradient(ck_bf16, dx, dy, w, &s, algorithm, nil, $0)
          }
        }
        expectRounded(dx, wideGradient, 1e-5, "gradient of the input \(s)")
      }
      for accumulates in [false, true] {
        var (expected, dw) = (w, w)
        withWeights(&expected, strides) { expected in
          workspace(ck_f32, ck_weight_gradient) {
            ck_conv_weight_gradient(
              ck_f32, expected, dy.map(\.float), x.map(\.float), &s, algorithm, accumulates, $0)
          }
        }
        withWeights(&dw, strides) { dw in
          workspace(ck_bf16, ck_weight_gradient) {
            ck_conv_weight_gradient(ck_bf16, dw, dy, x, &s, algorithm, accumulates, $0)
          }
        }
        let scale = expected.map(abs).max() ?? 1
        expectClose(
          dw.map { $0 / scale }, expected.map { Double($0 / scale) }, 2e-5,
          "gradient of the weight \(s)")
      }
    }
  }

  @Test(
    "batch normalization in columns is that of float32, rounded",
    arguments: [(1, 1), (257, 17), (700, 130)])
  func columns(_ rows: Int, _ columns: Int) {
    var numbers = Numbers(seed: rows)
    let count = rows * columns
    func random(_ count: Int) -> [BFloat16] { narrowed(numbers.floats(count)) }
    let (x, dy, gate) = (random(count), random(count), random(count))
    let (wideX, wideDy, wideGate) = (x.map(\.float), dy.map(\.float), gate.map(\.float))
    let (center, scale, shift, slope) = (
      numbers.floats(columns), numbers.floats(columns), numbers.floats(columns),
      numbers.floats(columns)
    )
    let blocks = (rows + Int(CK_COLUMN_BLOCK) - 1) / Int(CK_COLUMN_BLOCK)
    var partial = [Float](repeating: .nan, count: blocks * Int(CK_STATISTICS) * columns)
    var (mean, variance, narrowMean, narrowVariance) = (center, center, center, center)
    ck_column_moments(ck_f32, &mean, &variance, &partial, wideX, rows, columns)
    ck_column_moments(ck_bf16, &narrowMean, &narrowVariance, &partial, x, rows, columns)
    #expect(mean == narrowMean && variance == narrowVariance)
    var (sum, product, narrowSum, narrowProduct) = (center, center, center, center)
    ck_column_sums(
      ck_f32, &sum, &product, &partial, wideDy, wideGate, wideX, center, rows, columns)
    ck_column_sums(
      ck_bf16, &narrowSum, &narrowProduct, &partial, dy, gate, x, center, rows, columns)
    #expect(sum == narrowSum && product == narrowProduct)
    let wide: [Float] = guarded(count, guard: 7) {
      ck_column_affine(ck_f32, $0, wideX, center, scale, shift, wideDy, true, rows, columns)
    }
    let y: [BFloat16] = guarded(count, guard: BFloat16(7)) {
      ck_column_affine(ck_bf16, $0, x, center, scale, shift, dy, true, rows, columns)
    }
    #expect(y == narrowed(wide))
    let wideDx: [Float] = guarded(count, guard: 7) {
      ck_column_backward(
        ck_f32, $0, nil, wideDy, wideGate, wideX, center, scale, shift, slope, rows, columns)
    }
    let dx: [BFloat16] = guarded(count, guard: BFloat16(7)) {
      ck_column_backward(ck_bf16, $0, nil, dy, gate, x, center, scale, shift, slope, rows, columns)
    }
    #expect(dx == narrowed(wideDx))
  }

  @Test("sums and cross-entropy add up float32", arguments: [1, 3, 16, 33, 100, 1030])
  func reductions(_ columns: Int) {
    let rows = 7
    var numbers = Numbers(seed: columns)
    let x = narrowed(numbers.floats(rows * columns))
    let wideX = x.map(\.float)
    for (outer, reduce, inner) in [(rows, columns, 1), (1, rows, columns), (1, rows * columns, 1)] {
      let wide: [Float] = guarded(outer * inner, guard: 7) {
        ck_sum(ck_f32, $0, wideX, outer, reduce, inner)
      }
      #expect(
        guarded(outer * inner, guard: 7) { ck_sum(ck_bf16, $0, x, outer, reduce, inner) } == wide)
    }
    let labels = numbers.integers(rows, in: 0...Int32(columns - 1))
    let weights = numbers.floats(rows)
    var (a, b) = ([Float](repeating: 0, count: 2 * rows), [Float](repeating: 0, count: 2 * rows))
    let wide: [Float] = guarded(rows, guard: 7) {
      ck_cross_entropy(ck_f32, $0, &a, wideX, labels, rows, columns, nil)
    }
    let losses: [Float] = guarded(rows, guard: 7) {
      ck_cross_entropy(ck_bf16, $0, &b, x, labels, rows, columns, nil)
    }
    #expect(losses == wide && a == b)
    let wideDx: [Float] = guarded(x.count, guard: 7) {
      ck_cross_entropy_backward(ck_f32, $0, weights, 1, wideX, a, labels, rows, columns, nil)
    }
    let dx: [BFloat16] = guarded(x.count, guard: BFloat16(7)) {
      ck_cross_entropy_backward(ck_bf16, $0, weights, 1, x, b, labels, rows, columns, nil)
    }
    #expect(dx == narrowed(wideDx))
  }

  @Test("layer normalization is that of float32, rounded", arguments: [1, 15, 16, 33, 128])
  func layerNorm(_ columns: Int) {
    let rows = 9
    var numbers = Numbers(seed: columns)
    let (x, dy) = (
      narrowed(numbers.floats(rows * columns)), narrowed(numbers.floats(rows * columns))
    )
    let (wideX, wideDy) = (x.map(\.float), dy.map(\.float))
    let (weight, bias) = (numbers.floats(columns), numbers.floats(columns))
    var (mean, rstd) = ([Float](repeating: 0, count: rows), [Float](repeating: 0, count: rows))
    let wide: [Float] = guarded(x.count, guard: 7) {
      ck_layer_norm(ck_f32, $0, &mean, &rstd, wideX, weight, bias, rows, columns, 1e-5)
    }
    let y: [BFloat16] = guarded(x.count, guard: BFloat16(7)) {
      ck_layer_norm(ck_bf16, $0, &mean, &rstd, x, weight, bias, rows, columns, 1e-5)
    }
    #expect(y == narrowed(wide))
    let wideDx: [Float] = guarded(x.count, guard: 7) {
      ck_layer_norm_backward(ck_f32, $0, wideDy, wideX, mean, rstd, weight, rows, columns)
    }
    let dx: [BFloat16] = guarded(x.count, guard: BFloat16(7)) {
      ck_layer_norm_backward(ck_bf16, $0, dy, x, mean, rstd, weight, rows, columns)
    }
    #expect(dx == narrowed(wideDx))
    var (a, b, c, d) = (weight, weight, weight, weight)
    ck_layer_norm_sums(ck_f32, &a, &b, wideDy, wideX, mean, rstd, rows, columns)
    ck_layer_norm_sums(ck_bf16, &c, &d, dy, x, mean, rstd, rows, columns)
    #expect(a == c && b == d)
  }

  @Test("pooling of images with the channels last is that of float32", arguments: [1, 16, 35])
  func pooling(_ channels: Int) {
    var w = ck_windows(
      height: 7, width: 6, kernel_height: 2, kernel_width: 2, out_height: 3, out_width: 3,
      stride_y: 2, stride_x: 2, padding_y: 0, padding_x: 0, dilation_y: 1, dilation_x: 1)
    var numbers = Numbers(seed: channels)
    let (count, pooled) = (2 * 7 * 6 * channels, 2 * 9 * channels)
    let (x, dy) = (narrowed(numbers.floats(count)), narrowed(numbers.floats(pooled)))
    var (a, b) = ([Int32](repeating: 0, count: pooled), [Int32](repeating: 0, count: pooled))
    let wide: [Float] = guarded(pooled, guard: 7) {
      ck_max_pool_last(ck_f32, $0, &a, x.map(\.float), 2, channels, &w)
    }
    let y: [BFloat16] = guarded(pooled, guard: BFloat16(7)) {
      ck_max_pool_last(ck_bf16, $0, &b, x, 2, channels, &w)
    }
    #expect(y.map(\.float) == wide && a == b)
    let wideDx: [Float] = guarded(count, guard: 7) {
      ck_max_pool_last_backward(ck_f32, $0, dy.map(\.float), a, 2, channels, &w)
    }
    let dx: [BFloat16] = guarded(count, guard: BFloat16(7)) {
      ck_max_pool_last_backward(ck_bf16, $0, dy, b, 2, channels, &w)
    }
    #expect(dx.map(\.float) == wideDx)
  }
}
