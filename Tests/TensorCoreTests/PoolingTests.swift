import TensorCore
import TestSupport
import Testing

@Suite("Pooling")
struct PoolingTests {
  @Test("maxPool2d equals PyTorch, with its gradient", arguments: [DataType.float32, .float64])
  func maximum(_ dataType: DataType) throws {
    let count = try checkWindowGoldens("pooling", "max_pool2d_", dataType) { inputs, settings in
      inputs["x"]!.maxPool2d(
        kernel: try settings.pair("kernel"), stride: try settings.pair("stride"),
        padding: try settings.pair("padding"), dilation: try settings.pair("dilation"),
        ceilMode: try settings.integer("ceil_mode") == 1)
    }
    #expect(count == 11)
  }

  @Test("avgPool2d equals PyTorch, with its gradient", arguments: [DataType.float32, .float64])
  func average(_ dataType: DataType) throws {
    let count = try checkWindowGoldens("pooling", "avg_pool2d_", dataType) { inputs, settings in
      inputs["x"]!.avgPool2d(
        kernel: try settings.pair("kernel"), stride: try settings.pair("stride"),
        padding: try settings.pair("padding"),
        ceilMode: try settings.integer("ceil_mode") == 1,
        countIncludePad: try settings.integer("count_include_pad") == 1)
    }
    #expect(count == 10)
  }

  @Test(
    "adaptiveAvgPool2d equals PyTorch, with its gradient", arguments: [DataType.float32, .float64])
  func adaptive(_ dataType: DataType) throws {
    let count = try checkWindowGoldens("pooling", "adaptive_avg_pool2d_", dataType) {
      inputs, settings in inputs["x"]!.adaptiveAvgPool2d(try settings.pair("size"))
    }
    #expect(count == 4)
  }

  @Test("2 x 2 windows of 0...15 have the maxima 5, 7, 13 and 15, which get the gradient")
  func lesson() {
    let x = Tensor.arange(16).reshaped(to: [1, 1, 4, 4])
    x.requiresGrad = true
    let y = x.maxPool2d(kernel: 2)
    #expect(y.shape == [1, 1, 2, 2] && y.array(of: Float.self) == [5, 7, 13, 15])
    #expect(y.gradFunction == "MaxPool2dBackward")
    y.sum().backward()
    #expect(
      x.grad!.array(of: Float.self) == (0..<16).map { [5, 7, 13, 15].contains($0) ? 1 : 0 })
  }

  @Test("many planes and wide rows are pooled like single windows")
  func large() {
    var random = RandomSource(seed: 2)
    let x = Tensor.normal([40, 3, 30, 31], using: &random)
    let largest = x.maxPool2d(kernel: 2)
    let mean = x.avgPool2d(kernel: [30, 31])
    // The same from four slices, and from a sum.
    func part(_ row: Int, _ column: Int) -> Tensor {
      x.sliced(row..<30, axis: 2, step: 2).sliced(column..<29 + column, axis: 3, step: 2)
    }
    let expected = Tensor.maximum(
      .maximum(part(0, 0), part(0, 1)), .maximum(part(1, 0), part(1, 1)))
    #expect(largest.doubles() == expected.doubles())
    // An absolute bound: means near 0 of numbers of order 1.
    for (a, b) in zip(mean.doubles(), x.mean(axes: [2, 3]).doubles()) { #expect(abs(a - b) < 1e-6) }
  }

  @Test("a batch without images has a result without images")
  func emptyBatch() {
    let x = Tensor.zeros([0, 2, 4, 4])
    x.requiresGrad = true
    #expect(x.maxPool2d(kernel: 2).shape == [0, 2, 2, 2])
    #expect(x.avgPool2d(kernel: 2).shape == [0, 2, 2, 2])
    #expect(x.adaptiveAvgPool2d(1).shape == [0, 2, 1, 1])
    (x.maxPool2d(kernel: 2).sum() + x.avgPool2d(kernel: 2).sum()).backward()
    #expect(x.grad!.shape == x.shape)
  }

  @Test("mistakes stop with the operation and the shapes")
  func mistakes() async {
    func expectMessage(_ result: ExitTest.Result?, _ parts: String...) {
      let message = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
      for part in parts { #expect(message.contains(part), "\(message.prefix(300))") }
    }
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        _ = Tensor.ones([1, 1, 2, 2]).maxPool2d(kernel: 3)
      }, "maxPool2d", "kernel [3, 3]", "[1, 1, 2, 2]")
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        _ = Tensor.ones([1, 1, 2, 2]).maxPool2d(kernel: 2, padding: 2)
      }, "maxPool2d", "padding of [2, 2]", "half of the kernel [2, 2]")
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        _ = Tensor.ones([1, 2, 2]).maxPool2d(kernel: 2, padding: 1, dilation: 3)
      }, "maxPool2d", "wholly outside the image [1, 2, 2]")
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        _ = Tensor.ones([4, 4]).avgPool2d(kernel: 2)
      }, "avgPool2d", "[4, 4]")
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        _ = Tensor.ones([1, 4, 4]).adaptiveAvgPool2d([0, 1])
      }, "adaptiveAvgPool2d", "[0, 1]", "[1, 4, 4]")
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        let size: Size2d = [1, 2, 3]
        _ = size
      }, "Size2d", "[1, 2, 3]")
  }
}
