import TensorCore
import TestSupport
import Testing

/// The convolution by its definition, one product at a time.
private func convolution(
  _ x: Tensor, _ weight: Tensor, stride: Size2d, padding: Size2d, dilation: Size2d, groups: Int
) -> [Double] {
  let (n, c, h, w) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
  let (o, part, kh, kw) = (weight.shape[0], weight.shape[1], weight.shape[2], weight.shape[3])
  let rows = (h + 2 * padding.height - dilation.height * (kh - 1) - 1) / stride.height + 1
  let columns = (w + 2 * padding.width - dilation.width * (kw - 1) - 1) / stride.width + 1
  let (image, kernel) = (x.doubles(), weight.doubles())
  var result: [Double] = []
  for (index, out) in (0..<n).flatMap({ n in (0..<o).map { (n, $0) } }) {
    for (row, column) in (0..<rows).flatMap({ r in (0..<columns).map { (r, $0) } }) {
      var sum = 0.0
      for k in 0..<part {
        for (i, j) in (0..<kh).flatMap({ i in (0..<kw).map { (i, $0) } }) {
          let y = row * stride.height + i * dilation.height - padding.height
          let z = column * stride.width + j * dilation.width - padding.width
          guard (0..<h).contains(y), (0..<w).contains(z) else { continue }
          let channel = out / (o / groups) * part + k
          sum +=
            image[((index * c + channel) * h + y) * w + z]
            * kernel[((out * part + k) * kh + i) * kw + j]
        }
      }
      result.append(sum)
    }
  }
  return result
}

/// A convolution large enough to be cut into tiles and panels.
struct LargeConvolution: Sendable, CustomTestStringConvertible {
  let x: TensorShape
  let weight: TensorShape
  var stride: Size2d = 1
  var padding: Size2d = 0
  var dilation: Size2d = 1
  var groups = 1

  var testDescription: String { "\(x) * \(weight)" }

  func tensors(_ dataType: DataType) -> (x: Tensor, weight: Tensor) {
    var random = RandomSource(seed: 5)
    let x = Tensor.normal(x, dataType, using: &random)
    let weight = Tensor.normal(weight, dataType, using: &random)
    x.requiresGrad = true
    weight.requiresGrad = true
    return (x, weight)
  }

  func apply(_ x: Tensor, _ weight: Tensor) -> Tensor {
    x.conv2d(weight: weight, stride: stride, padding: padding, dilation: dilation, groups: groups)
  }

  static let all: [LargeConvolution] = [
    // Images in several tiles, a tile of several images, several panels, and all of it in groups.
    LargeConvolution(x: [2, 3, 31, 33], weight: [4, 3, 3, 3], padding: 1),
    LargeConvolution(x: [1, 2, 47, 45], weight: [3, 2, 5, 3], stride: [1, 2], padding: [2, 1]),
    LargeConvolution(x: [37, 6, 5, 5], weight: [7, 6, 3, 3]),
    LargeConvolution(x: [101, 3, 2, 2], weight: [5, 3, 2, 2], padding: 1, dilation: 2),
    LargeConvolution(x: [3, 70, 6, 7], weight: [4, 70, 3, 3], padding: 1),
    LargeConvolution(x: [2, 140, 5, 4], weight: [6, 70, 3, 3], stride: 2, padding: 1, groups: 2),
    LargeConvolution(x: [2, 1, 40, 41], weight: [2, 1, 27, 25]),
    LargeConvolution(x: [2, 40, 21, 20], weight: [33, 40, 1, 1]),
    LargeConvolution(x: [70, 40, 3, 3], weight: [33, 40, 1, 1]),
  ]
}

@Suite("Convolution")
struct ConvolutionTests {
  @Test("conv2d equals PyTorch, with all gradients", arguments: [DataType.float32, .float64])
  func goldens(_ dataType: DataType) throws {
    let count = try checkWindowGoldens("convolution", "conv2d_", dataType) { inputs, settings in
      inputs["x"]!.conv2d(
        weight: inputs["weight"]!, bias: inputs["bias"], stride: try settings.pair("stride"),
        padding: try settings.pair("padding"), dilation: try settings.pair("dilation"),
        groups: try settings.integer("groups"))
    }
    #expect(count == 16)
  }

  @Test(
    "convTranspose2d equals PyTorch, with all gradients", arguments: [DataType.float32, .float64])
  func transposedGoldens(_ dataType: DataType) throws {
    let count = try checkWindowGoldens("convolution", "conv_transpose2d_", dataType) {
      inputs, settings in
      inputs["x"]!.convTranspose2d(
        weight: inputs["weight"]!, bias: inputs["bias"], stride: try settings.pair("stride"),
        padding: try settings.pair("padding"),
        outputPadding: try settings.pair("output_padding"),
        dilation: try settings.pair("dilation"), groups: try settings.integer("groups"))
    }
    #expect(count == 8)
  }

  @Test(
    "tiles and panels give what the definition gives", arguments: LargeConvolution.all,
    [DataType.float32, .float64])
  func definition(_ row: LargeConvolution, _ dataType: DataType) {
    let (x, weight) = row.tensors(dataType)
    let y = row.apply(x, weight)
    let expected = convolution(
      x, weight, stride: row.stride, padding: row.padding, dilation: row.dilation,
      groups: row.groups)
    let tolerance = dataType == .float64 ? 1e-11 : 2e-4
    #expect(y.count == expected.count)
    for (a, b) in zip(y.doubles(), expected) where abs(a - b) > tolerance {
      Issue.record("\(a) instead of \(b)")
      return
    }
    // The convolution is linear in both inputs: <y, g> = <x, dx> = <weight, dw>.
    var random = RandomSource(seed: 6)
    let g = Tensor.normal(y.shape, dataType, using: &random)
    y.backward(gradient: g)
    func product(_ a: Tensor, _ b: Tensor) -> Double {
      zip(a.doubles(), b.doubles()).reduce(0) { $0 + $1.0 * $1.1 }
    }
    let value = product(y, g)
    let scale = Double(y.count).squareRoot() * Double(weight.count)
    #expect(abs(product(x, x.grad!) - value) < tolerance * scale)
    #expect(abs(product(weight, weight.grad!) - value) < tolerance * scale)
  }

  @Test("results do not depend on the number of threads", arguments: LargeConvolution.all)
  func threads(_ row: LargeConvolution) async {
    // The number of threads is the whole process's, so another process changes it.
    let index = LargeConvolution.all.firstIndex { $0.testDescription == row.testDescription }!
    await #expect(processExitsWith: .success) { [index = index as Int] in
      let row = LargeConvolution.all[index]
      let (x, weight) = row.tensors(.float32)
      func results() -> [[Double]] {
        (x.grad, weight.grad) = (nil, nil)
        let y = row.apply(x, weight)
        (y * y).sum().backward()
        return [y, x.grad!, weight.grad!].map { $0.doubles() }
      }
      Threads.count = 1
      let alone = results()
      for count in [2, 3, 5] {
        Threads.count = count
        guard results() == alone else { fatalError("\(count) threads differ from one") }
      }
    }
  }

  @Test("three channels of 50 x 50 become seven of 48 x 48, or of 50 x 50 with padding")
  func lesson() {
    let x = Tensor.ones([5, 3, 50, 50])
    let weight = Tensor.ones([7, 3, 3, 3])
    #expect(x.conv2d(weight: weight).shape == [5, 7, 48, 48])
    let padded = x.conv2d(weight: weight, padding: 1)
    #expect(padded.shape == [5, 7, 50, 50])
    // 27 products inside, two thirds at an edge, four ninths in a corner.
    #expect(padded[0][0][0][0].item() == 12)
    #expect(padded[0][0][0][1].item() == 18)
    #expect(padded[4][6][25][25].item() == 27)
  }

  @Test("Sobel kernels find the edges of an image")
  func sobel() {
    // A bright square of 3 x 3 on a dark ground.
    let image = Tensor(
      [
        [0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0], [0, 0, 1, 1, 1, 0, 0],
        [0, 0, 1, 1, 1, 0, 0], [0, 0, 1, 1, 1, 0, 0], [0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0],
      ] as [[Float]]
    ).reshaped(to: [1, 1, 7, 7])
    let horizontal = Tensor([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]] as [[Float]])
    let kernels = Tensor.of(
      horizontal.array(of: Float.self) + horizontal.transposed().array(of: Float.self),
      shape: [2, 1, 3, 3])
    let edges = image.conv2d(weight: kernels)
    #expect(edges.shape == [1, 2, 5, 5])
    let acrossColumns: [Float] = [
      1, 1, 0, -1, -1,
      3, 3, 0, -3, -3,
      4, 4, 0, -4, -4,
      3, 3, 0, -3, -3,
      1, 1, 0, -1, -1,
    ]
    #expect(edges[0][0].array(of: Float.self) == acrossColumns)
    #expect(edges[0][1].transposed().array(of: Float.self) == acrossColumns)
  }

  @Test("a batch without images has a result without images and a gradient of zeros")
  func emptyBatch() {
    let x = Tensor.zeros([0, 2, 5, 5])
    let weight = Tensor.ones([3, 2, 3, 3])
    x.requiresGrad = true
    weight.requiresGrad = true
    let y = x.conv2d(weight: weight)
    #expect(y.shape == [0, 3, 3, 3])
    y.sum().backward()
    #expect(x.grad!.shape == x.shape)
    #expect(weight.grad!.doubles() == Array(repeating: 0, count: 54))
    #expect(x.convTranspose2d(weight: Tensor.ones([2, 4, 2, 2])).shape == [0, 4, 6, 6])
  }

  @Test("NaN reaches the windows that contain it and no others")
  func nan() {
    let x = Tensor.ones([1, 1, 5, 5])
    x.sliced(0..<1, axis: 2).sliced(0..<1, axis: 3).assign(Tensor.full([1, 1, 1, 1], .nan))
    let y = x.conv2d(weight: Tensor.ones([1, 1, 3, 3])).array(of: Float.self)
    #expect(y[0].isNaN && y.dropFirst().allSatisfy { $0 == 9 })
  }

  @Test("no gradient is computed for an input that requires none")
  func constants() {
    let x = Tensor.ones([1, 1, 4, 4])
    let weight = Tensor.ones([1, 1, 3, 3])
    weight.requiresGrad = true
    let y = x.conv2d(weight: weight)
    #expect(y.gradFunction == "Conv2dBackward")
    y.sum().backward()
    #expect(x.grad == nil && weight.grad!.doubles() == Array(repeating: 4, count: 9))
  }

  @Test("mistakes stop with the operation and the shapes")
  func mistakes() async {
    func expectMessage(_ result: ExitTest.Result?, _ parts: String...) {
      let message = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
      for part in parts { #expect(message.contains(part), "\(message.prefix(300))") }
    }
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        _ = Tensor.ones([1, 3, 8, 8]).conv2d(weight: .ones([4, 2, 3, 3]))
      }, "conv2d", "[1, 3, 8, 8]", "[4, 2, 3, 3]", "1 groups")
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        _ = Tensor.ones([1, 2, 3, 3]).conv2d(weight: .ones([4, 2, 5, 5]))
      }, "conv2d", "kernel [5, 5]", "[1, 2, 3, 3]")
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        _ = Tensor.ones([2, 3]).conv2d(weight: .ones([4, 2, 3, 3]))
      }, "conv2d", "not [2, 3]")
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        _ = Tensor.ones([1, 2, 8, 8]).conv2d(weight: .ones([4, 2, 3, 3]), bias: .ones([3]))
      }, "conv2d", "bias of shape [3]")
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        _ = Tensor.ones([1, 2, 8, 8], .float64).conv2d(weight: .ones([4, 2, 3, 3]))
      }, "conv2d", "float64", "float32")
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        _ = Tensor.ones([1, 2, 8, 8]).conv2d(weight: .ones([4, 2, 3, 3]), stride: [0, 1])
      }, "conv2d", "stride [0, 1]")
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        _ = Tensor.ones([1, 2, 8, 8]).convTranspose2d(weight: .ones([3, 2, 3, 3]))
      }, "convTranspose2d", "[1, 2, 8, 8]", "[3, 2, 3, 3]")
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        _ = Tensor.ones([1, 2, 8, 8]).convTranspose2d(
          weight: .ones([2, 2, 3, 3]), outputPadding: 1)
      }, "convTranspose2d", "output padding of [1, 1]")
  }
}
