import CKernels
import Testing

/// A convolution of kernels that differ in height and width, as `shape(images, height, width, in, out, ...)`.
func shape(
  _ images: Int, _ size: (Int, Int), _ channels: (Int, Int), kernel: (Int, Int),
  stride: (Int, Int) = (1, 1),
  padding: (Int, Int) = (0, 0), dilation: (Int, Int) = (1, 1), groups: Int = 1
) -> ck_convolution {
  func positions(_ size: Int, _ kernel: Int, _ stride: Int, _ padding: Int, _ dilation: Int) -> Int
  {
    (size + 2 * padding - (kernel - 1) * dilation - 1) / stride + 1
  }
  return ck_convolution(
    images: images, height: size.0, width: size.1, channels: channels.0,
    out_height: positions(size.0, kernel.0, stride.0, padding.0, dilation.0),
    out_width: positions(size.1, kernel.1, stride.1, padding.1, dilation.1),
    out_channels: channels.1, groups: groups, kernel_height: kernel.0, kernel_width: kernel.1,
    stride_y: stride.0, stride_x: stride.1, padding_y: padding.0, padding_x: padding.1,
    dilation_y: dilation.0, dilation_x: dilation.1, threads: 1)
}

/// Shapes of known networks, cut down, and shapes with every combination of edges.
let directShapes: [ck_convolution] = [
  shape(2, (9, 9), (3, 64), kernel: (3, 3), padding: (1, 1)),
  shape(1, (22, 22), (3, 33), kernel: (7, 7), stride: (2, 2), padding: (3, 3)),
  shape(3, (6, 6), (64, 64), kernel: (3, 3), padding: (1, 1)),
  shape(5, (4, 4), (32, 80), kernel: (3, 3), stride: (2, 2), padding: (1, 1)),
  shape(2, (8, 8), (64, 72), kernel: (1, 1), stride: (2, 2)),
  shape(33, (2, 2), (65, 10), kernel: (3, 3), padding: (1, 1)),
  shape(4, (14, 14), (1, 32), kernel: (3, 3)),
  shape(1, (1, 1), (300, 70), kernel: (1, 1)),
  shape(2, (3, 3), (1100, 20), kernel: (1, 1)),
  shape(1, (5, 4), (520, 20), kernel: (3, 3), padding: (1, 1)),
  shape(3, (7, 12), (5, 17), kernel: (2, 5), stride: (3, 1), padding: (0, 2), dilation: (2, 1)),
  shape(2, (11, 5), (10, 24), kernel: (4, 1), stride: (1, 2), padding: (3, 0), dilation: (2, 2)),
  shape(2, (17, 3), (2, 3), kernel: (5, 2), stride: (2, 3), padding: (3, 2), dilation: (1, 2)),
  shape(2, (12, 12), (32, 32), kernel: (3, 3), padding: (1, 1), groups: 32),
  shape(2, (11, 12), (32, 32), kernel: (5, 5), stride: (2, 2), padding: (2, 2), groups: 32),
  shape(2, (9, 9), (16, 32), kernel: (3, 3), padding: (1, 1), groups: 4),
  shape(2, (9, 9), (20, 40), kernel: (3, 3), padding: (1, 1), groups: 20),
  shape(
    2, (9, 9), (10, 30), kernel: (5, 3), stride: (1, 2), padding: (2, 0), dilation: (2, 1),
    groups: 2),
  shape(2, (6, 7), (66, 132), kernel: (3, 3), stride: (2, 1), padding: (1, 1), groups: 2),
]

/// Shapes for Winograd's algorithm: 3x3 with stride 1.
let winogradShapes: [ck_convolution] = [
  shape(2, (9, 9), (3, 64), kernel: (3, 3), padding: (1, 1)),
  shape(1, (15, 2), (10, 33), kernel: (3, 3), padding: (2, 1)),
  shape(3, (4, 13), (65, 16), kernel: (3, 3), padding: (0, 1)),
  shape(5, (5, 3), (16, 130), kernel: (3, 3), padding: (2, 0)),
  shape(20, (12, 12), (16, 64), kernel: (3, 3), padding: (1, 1)),
  shape(1, (3, 3), (1, 1), kernel: (3, 3)),
]

/// The layouts of a weight `[out, in, row, column]`: PyTorch's, channels last, and the output channels last.
func weightStrides(_ s: ck_convolution, _ kind: Int) -> [Int] {
  let (inner, out) = (s.channels / s.groups, s.out_channels)
  let (height, width) = (s.kernel_height, s.kernel_width)
  return switch kind % 3 {
  case 0: [inner * height * width, height * width, width, 1]
  case 1: [inner * height * width, 1, width * inner, inner]
  default: [1, out, width * inner * out, inner * out]
  }
}

extension ck_convolution {
  var xCount: Int { images * height * width * channels }
  var yCount: Int { images * out_height * out_width * out_channels }
  var weightCount: Int {
    out_channels * channels / groups * kernel_height * kernel_width
  }

  /// Calls `body` with the indices of each product of an element of x and one of the weight, and of the
  /// element of y that it belongs to.
  fileprivate func forEachProduct(_ strides: [Int], _ body: (Int, Int, Int) -> Void) {
    let (inner, columns) = (channels / groups, out_channels / groups)
    for position in 0..<images * out_height * out_width {
      let (n, r, c) = (
        position / out_width / out_height, position / out_width % out_height, position % out_width
      )
      for i in 0..<kernel_height {
        for j in 0..<kernel_width {
          let row = r * stride_y + i * dilation_y - padding_y
          let column = c * stride_x + j * dilation_x - padding_x
          guard (0..<height).contains(row), (0..<width).contains(column) else { continue }
          for o in 0..<out_channels {
            let x = ((n * height + row) * width + column) * channels + o / columns * inner
            let w = o * strides[0] + i * strides[2] + j * strides[3]
            for k in 0..<inner { body(x + k, w + k * strides[1], position * out_channels + o) }
          }
        }
      }
    }
  }
}

/// The sums of products in float64, and the sums of their absolute values.
private struct Sums {
  var sum: [Double], size: [Double]
  init(_ count: Int) {
    (sum, size) = (Array(repeating: 0, count: count), Array(repeating: 0, count: count))
  }
  mutating func add(_ index: Int, _ product: Double) {
    sum[index] += product
    size[index] += abs(product)
  }

  /// Records an issue if a value is further from its sum than rounding explains: `error` times the sum of
  /// absolute values, for Winograd's algorithm times the largest, because its tiles mix sums.
  func check<T: BinaryFloatingPoint>(_ values: [T], _ error: Double, mixes: Bool, _ what: String) {
    let largest = size.max() ?? 0
    let wrong = values.indices.first {
      !(abs(Double(values[$0]) - sum[$0]) <= error * ((mixes ? largest : size[$0]) + 0.01))
    }
    if let wrong {
      Issue.record("\(what): element \(wrong) is \(values[wrong]), not \(sum[wrong])")
    }
  }
}

@Suite("Convolution kernels")
struct ConvolutionKernelTests {
  @Test(
    "direct convolution and its gradients are sums of products", arguments: directShapes.indices)
  func direct(_ index: Int) {
    for kind in 0..<3 {
      check(Float.self, directShapes[index], ck_direct, kind, error: 2e-6)
      check(Double.self, directShapes[index], ck_direct, kind, error: 4e-15)
    }
  }

  @Test("Winograd's algorithm computes the same sums", arguments: winogradShapes.indices)
  func winograd(_ index: Int) {
    for algorithm in [ck_winograd2, ck_winograd4] {
      check(Float.self, winogradShapes[index], algorithm, index, error: 2e-6)
      check(Double.self, winogradShapes[index], algorithm, index, error: 4e-15)
    }
  }

  @Test("automatic choice computes the same sums", arguments: winogradShapes.indices)
  func automatic(_ index: Int) {
    check(Float.self, winogradShapes[index], ck_automatic, index, error: 2e-6)
    check(Double.self, winogradShapes[index], ck_automatic, index, error: 4e-15)
  }

  private func check<T: KernelElement & BinaryFloatingPoint>(
    _: T.Type, _ shape: ck_convolution, _ algorithm: ck_algorithm, _ kind: Int, error: Double
  ) {
    var s = shape
    let type = T.type
    let strides = weightStrides(s, kind)
    let mixes = algorithm != ck_direct
    var numbers = Numbers(seed: kind)
    func random(_ count: Int) -> [T] { numbers.floats(count, in: -1...1).map { T($0) } }
    func withWorkspace(_ pass: ck_pass, _ body: (UnsafeMutableRawPointer) -> Void) {
      withMemory(ck_conv_workspace(type, &s, pass, algorithm), body)
    }
    let (x, w, dy) = (random(s.xCount), random(s.weightCount), random(s.yCount))
    let (bias, residual) = (random(s.out_channels), random(s.yCount))
    func weights(_ p: UnsafeMutableRawPointer) -> ck_weights {
      ck_weights(p: p, out: strides[0], in: strides[1], row: strides[2], column: strides[3])
    }
    let what = "\(T.self), algorithm \(algorithm), \(s)"

    var forward = Sums(s.yCount)
    var input = Sums(s.xCount)
    var weight = Sums(s.weightCount)
    s.forEachProduct(strides) { xi, wi, yi in
      forward.add(yi, Double(x[xi]) * Double(w[wi]))
      input.add(xi, Double(dy[yi]) * Double(w[wi]))
      weight.add(wi, Double(dy[yi]) * Double(x[xi]))
    }
    var own = w
    own.withUnsafeMutableBytes { bytes in
      let w = weights(bytes.baseAddress!)
      let y: [T] = guarded(s.yCount, guard: 7) {
        y in
        withWorkspace(ck_forward) { ck_conv_forward(type, y, x, w, &s, algorithm, nil, $0) }
      }
      forward.check(y, error, mixes: mixes, "forward, \(what)")
      // Bias, residual and ReLU in the store, and the statistics of what goes into ReLU.
      let blocks = ck_conv_statistics_blocks(type, &s, ck_forward, algorithm)
      var statistics = [T](repeating: .nan, count: blocks * Int(CK_STATISTICS) * s.out_channels)
      let fused: [T] = guarded(s.yCount, guard: 7) { y in
        bias.withUnsafeBytes { bias in
          residual.withUnsafeBytes { residual in
            statistics.withUnsafeMutableBytes { statistics in
              var epilogue = ck_epilogue()
              epilogue.bias = bias.baseAddress
              epilogue.residual = residual.baseAddress
              epilogue.statistics = statistics.baseAddress
              epilogue.relu = true
              withWorkspace(ck_forward) {
                ck_conv_forward(type, y, x, w, &s, algorithm, &epilogue, $0)
              }
            }
          }
        }
      }
      var stored = forward
      var columns = [[Double]](repeating: [], count: s.out_channels)
      var sizes = [Double](repeating: 0, count: s.out_channels)
      for i in stored.sum.indices {
        let c = i % s.out_channels
        let v = stored.sum[i] + Double(bias[c]) + Double(residual[i])
        stored.sum[i] = max(v, 0)
        stored.size[i] += abs(Double(bias[c])) + abs(Double(residual[i]))
        columns[c].append(v)
        sizes[c] = max(sizes[c], stored.size[i])
      }
      stored.check(fused, error, mixes: mixes, "forward with an epilogue, \(what)")
      var (mean, variance) = (bias, bias)
      ck_moments_of_blocks(type, &mean, &variance, statistics, blocks, s.out_channels)
      for (c, values) in columns.enumerated() {
        let expected = values.reduce(0, +) / Double(values.count)
        let squares = values.reduce(0) { $0 + ($1 - expected) * ($1 - expected) }
        let scale = sizes[c]
        #expect(abs(Double(mean[c]) - expected) <= 20 * error * scale, "mean, \(what)")
        #expect(
          abs(Double(variance[c]) - squares / Double(values.count)) <= 40 * error * scale * scale,
          "variance, \(what)")
      }

      let dx: [T] = guarded(s.xCount, guard: 7) {
        dx in
        withWorkspace(ck_input_gradient) {
          ck_conv_input_gradient(type, dx, dy, w, &s, algorithm, nil, $0)
        }
      }
      input.check(dx, error, mixes: mixes, "gradient of the input, \(what)")
    }
    for accumulates in [false, true] {
      var dw = w
      var expected = weight
      if accumulates { for i in dw.indices { expected.add(i, Double(w[i])) } }
      dw.withUnsafeMutableBytes { bytes in
        let dw = weights(bytes.baseAddress!)
        withWorkspace(ck_weight_gradient) {
          ck_conv_weight_gradient(type, dw, dy, x, &s, algorithm, accumulates, $0)
        }
      }
      expected.check(dw, error, mixes: mixes, "gradient of the weight, \(what)")
    }
  }

  @Test("results do not depend on the number of threads")
  func threads() {
    var s = shape(9, (13, 12), (35, 70), kernel: (3, 3), padding: (1, 1))
    var numbers = Numbers(seed: 1)
    let (x, dy) = (numbers.floats(s.xCount), numbers.floats(s.yCount))
    var w = numbers.floats(s.weightCount)
    let strides = weightStrides(s, 0)
    func passes(_ threads: Int) -> [[Float]] {
      s.threads = threads
      var (y, dx, dw) = (dy, x, w)
      for pass in [ck_forward, ck_input_gradient, ck_weight_gradient] {
        w.withUnsafeMutableBytes { w in
          dw.withUnsafeMutableBytes { dw in
            let bytes = pass == ck_weight_gradient ? dw : w
            let weights = ck_weights(
              p: bytes.baseAddress!, out: strides[0], in: strides[1], row: strides[2],
              column: strides[3])
            withMemory(ck_conv_workspace(ck_f32, &s, pass, ck_automatic)) { memory in
              if pass == ck_forward {
                ck_conv_forward(ck_f32, &y, x, weights, &s, ck_automatic, nil, memory)
              } else if pass == ck_input_gradient {
                ck_conv_input_gradient(ck_f32, &dx, dy, weights, &s, ck_automatic, nil, memory)
              } else {
                ck_conv_weight_gradient(
                  ck_f32, weights, dy, x, &s, ck_automatic, false, memory)
              }
            }
          }
        }
      }
      return [y, dx, dw]
    }
    let one = passes(1)
    #expect(passes(2) == one && passes(5) == one)
  }
}
