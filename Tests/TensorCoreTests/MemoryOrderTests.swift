import TensorCore
import Testing

/// Images `[N, C, H, W]` that lie as `[N, H, W, C]`, as results of convolutions do.
private func channelsLast(_ x: Tensor) -> Tensor {
  x.permuted([0, 2, 3, 1]).contiguous().permuted([0, 3, 1, 2])
}

private func random(_ shape: TensorShape, _ seed: UInt64) -> Tensor {
  var random = RandomSource(seed: seed)
  return Tensor.normal(shape, .float64, using: &random)
}

private func expectClose(
  _ a: Tensor, _ b: Tensor, _ what: String, sourceLocation: SourceLocation = #_sourceLocation
) {
  #expect(a.shape == b.shape, "\(what)", sourceLocation: sourceLocation)
  let isClose = zip(a.doubles(), b.doubles()).allSatisfy { abs($0 - $1) <= 1e-11 * (1 + abs($1)) }
  #expect(isClose, "\(what)", sourceLocation: sourceLocation)
}

@Suite("Order of images in memory")
struct MemoryOrderTests {
  /// Operations of images of 17 channels, 6 rows and 8 columns.
  private var operations: [(name: String, apply: (Tensor) -> Tensor)] {
    let perChannel = random([1, 17, 1, 1], 2)
    let other = random([3, 17, 6, 8], 3)
    let (weight, bias) = (random([17], 4), random([17], 5))
    let (kernel, depthwise) = (random([5, 17, 3, 3], 6), random([17, 1, 3, 3], 7))
    let transposedKernel = random([17, 4, 2, 2], 8)
    let variance = weight.squared() + 0.5
    return [
      ("-x", { -$0 }), ("relu", { $0.relu() }), ("gelu", { $0.gelu() }),
      ("leakyRelu", { $0.leakyRelu() }), ("x + x", { $0 + $0.exp() }), ("2 x", { 2 * $0 }),
      ("x + row-major", { $0 + other }), ("row-major - x", { other - $0 }),
      ("x * channels", { perChannel * $0 }), ("x squared", { $0.squared() }),
      ("float32", { $0.converted(to: .float32).converted(to: .float64) }),
      ("maximum", { Tensor.maximum($0, channelsLast(other)) }),
      ("clamped", { $0.clamped(-1, 0.5) }),
      ("batchNorm", { $0.batchNorm(weight: weight, bias: bias).result }),
      (
        "batchNorm, residual, relu",
        { $0.batchNorm(weight: weight, bias: bias, adding: $0.sin(), relu: true).result }
      ),
      ("batchNorm, relu", { $0.batchNorm(relu: true).result }),
      ("batchNorm, residual", { $0.batchNorm(bias: bias, adding: other * $0).result }),
      (
        "batchNorm, evaluation",
        {
          $0.batchNorm(
            mean: bias, variance: variance, weight: weight, bias: bias, adding: $0.cos(), relu: true
          )
        }
      ),
      ("maxPool2d", { $0.maxPool2d(kernel: 2) }),
      (
        "maxPool2d, overlapping", { $0.maxPool2d(kernel: 3, stride: 2, padding: 1, ceilMode: true) }
      ),
      ("maxPool2d, dilated", { $0.maxPool2d(kernel: [2, 3], stride: 1, padding: 1, dilation: 2) }),
      ("avgPool2d", { $0.avgPool2d(kernel: [3, 2], stride: 1, padding: 1) }),
      ("adaptiveAvgPool2d", { $0.adaptiveAvgPool2d([4, 3]) }),
      ("conv2d", { $0.conv2d(weight: kernel, padding: 1) }),
      ("conv2d, relu", { $0.conv2d(weight: kernel, bias: random([5], 9), relu: true) }),
      ("conv2d, stride", { $0.conv2d(weight: kernel, bias: random([5], 9), stride: 2) }),
      ("conv2d, depthwise", { $0.conv2d(weight: depthwise, padding: 1, groups: 17) }),
      ("convTranspose2d", { $0.convTranspose2d(weight: transposedKernel, stride: 2) }),
    ]
  }

  @Test("operations of images that lie channels last keep the order, forward and backward")
  func order() {
    for (name, apply) in operations {
      let x = random([3, 17, 6, 8], 1)
      x.requiresGrad = true
      let expected = apply(x)
      let dy = random(expected.shape, 10)
      expected.backward(gradient: dy)
      let expectedGradient = x.grad!
      x.zeroGrad()

      let moved = channelsLast(x)
      var gradientIsChannelsLast = false
      moved.registerHook {
        gradientIsChannelsLast = $0.isChannelsLast
        return nil
      }
      let y = apply(moved)
      #expect(moved.isChannelsLast && !moved.isContiguous)
      #expect(y.isChannelsLast && !y.isContiguous, "\(name)")
      expectClose(y, expected, name)
      y.backward(gradient: channelsLast(dy))
      #expect(gradientIsChannelsLast, "the gradient of \(name)")
      expectClose(x.grad!, expectedGradient, "the gradient of \(name)")

      // A gradient in the other order.
      x.zeroGrad()
      apply(channelsLast(x)).backward(gradient: dy)
      expectClose(x.grad!, expectedGradient, "the gradient of \(name) from a row-major one")

      // The composed gradient, which can be differentiated.
      x.zeroGrad()
      apply(channelsLast(x)).backward(gradient: dy, createGraph: true)
      expectClose(x.grad!, expectedGradient, "the composed gradient of \(name)")
    }
  }

  @Test("reductions over any axes do not depend on the order", arguments: 0..<16)
  func reductions(_ mask: Int) {
    let x = random([3, 5, 2, 4], 1)
    let axes = (0..<4).filter { mask >> $0 & 1 == 1 }
    for keepsAxes in [false, true] {
      let y = channelsLast(x)
      expectClose(
        y.sum(axes: axes, keepingAxes: keepsAxes), x.sum(axes: axes, keepingAxes: keepsAxes), "sum")
      expectClose(
        y.mean(axes: axes, keepingAxes: keepsAxes), x.mean(axes: axes, keepingAxes: keepsAxes),
        "mean")
      expectClose(
        y.max(axes: axes, keepingAxes: keepsAxes), x.max(axes: axes, keepingAxes: keepsAxes), "max")
    }
  }

  @Test("users see the elements in row-major order, and can change them in place")
  func views() {
    let x = random([2, 3, 4, 5], 1)
    let y = channelsLast(x)
    #expect(y.doubles() == x.doubles() && y.array(of: Double.self) == x.doubles())
    #expect("\(y)" == "\(x)")
    #expect(y.flattened(from: 1).doubles() == x.doubles() && y.contiguous().isContiguous)
    #expect(y.reshaped(to: [6, 20]).doubles() == x.doubles() && y.copy().doubles() == x.doubles())
    #expect(y.sliced(1..<3, axis: 1).doubles() == x.sliced(1..<3, axis: 1).doubles())
    #expect(y.selected(1).doubles() == x.selected(1).doubles())
    #expect(y.argmax(axis: 1).array(of: Int32.self) == x.argmax(axis: 1).array(of: Int32.self))
    #expect(y.softmax(axis: 1).doubles() == x.softmax(axis: 1).doubles())
    y.add_(x).mul_(y)
    #expect(y.doubles() == x.doubles().map { 4 * $0 * $0 })
    y.fill_(3)
    #expect(y.doubles() == Array(repeating: 3, count: 120))
  }

  @Test("a single channel or pixel lies in both orders")
  func ambiguous() {
    for shape: TensorShape in [[3, 1, 4, 5], [3, 6, 1, 1], [1, 1, 1, 1], [0, 3, 2, 2]] {
      let x = random(shape, 1)
      let y = x.conv2d(weight: random([4, shape[1], 1, 1], 2))
      let z = (x + x).relu().maxPool2d(kernel: 1).conv2d(weight: random([1, shape[1], 1, 1], 3))
      #expect(y.isChannelsLast && z.isChannelsLast && z.shape[1] == 1)
      #expect(z.isContiguous || shape[0] == 0)
    }
  }
}
