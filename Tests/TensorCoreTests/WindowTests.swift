import TensorCore
import TestSupport
import Testing

private let types: [DataType] = [.float32, .float64]

@Suite("Convolution and pooling of sequences and volumes")
struct WindowTests {
  private func check(
    _ prefix: String, _ dataType: DataType, count: Int,
    _ function: (Tensor, [String: Tensor], WindowSettings) throws -> Tensor
  ) throws {
    let found = try checkWindowGoldens("windows", prefix, dataType) { inputs, settings in
      try function(inputs["x"]!, inputs, settings)
    }
    #expect(found == count)
  }

  @Test("conv1d and conv3d equal PyTorch, with their gradients", arguments: types)
  func convolution(_ dataType: DataType) throws {
    try check("conv1d_", dataType, count: 6) { x, inputs, s in
      x.conv1d(
        weight: inputs["weight"]!, bias: inputs["bias"], stride: try s.first("stride"),
        padding: try s.first("padding"), dilation: try s.first("dilation"),
        groups: try s.integer("groups"))
    }
    try check("conv3d_", dataType, count: 6) { x, inputs, s in
      x.conv3d(
        weight: inputs["weight"]!, bias: inputs["bias"], stride: try s.triple("stride"),
        padding: try s.triple("padding"), dilation: try s.triple("dilation"),
        groups: try s.integer("groups"))
    }
  }

  @Test("convTranspose1d and convTranspose3d equal PyTorch", arguments: types)
  func transposed(_ dataType: DataType) throws {
    try check("conv_transpose1d_", dataType, count: 3) { x, inputs, s in
      x.convTranspose1d(
        weight: inputs["weight"]!, bias: inputs["bias"], stride: try s.first("stride"),
        padding: try s.first("padding"), outputPadding: try s.first("output_padding"),
        dilation: try s.first("dilation"), groups: try s.integer("groups"))
    }
    try check("conv_transpose3d_", dataType, count: 5) { x, inputs, s in
      x.convTranspose3d(
        weight: inputs["weight"]!, bias: inputs["bias"], stride: try s.triple("stride"),
        padding: try s.triple("padding"), outputPadding: try s.triple("output_padding"),
        dilation: try s.triple("dilation"), groups: try s.integer("groups"))
    }
  }

  @Test("pooling of sequences and volumes equals PyTorch", arguments: types)
  func pooling(_ dataType: DataType) throws {
    try check("max_pool1d_", dataType, count: 3) { x, _, s in
      x.maxPool1d(
        kernel: try s.first("kernel"), stride: try s.first("stride"),
        padding: try s.first("padding"), dilation: try s.first("dilation"),
        ceilMode: try s.flag("ceil_mode"))
    }
    try check("max_pool3d_", dataType, count: 4) { x, _, s in
      x.maxPool3d(
        kernel: try s.triple("kernel"), stride: try s.triple("stride"),
        padding: try s.triple("padding"), dilation: try s.triple("dilation"),
        ceilMode: try s.flag("ceil_mode"))
    }
    try check("avg_pool1d_", dataType, count: 3) { x, _, s in
      x.avgPool1d(
        kernel: try s.first("kernel"), stride: try s.first("stride"),
        padding: try s.first("padding"), ceilMode: try s.flag("ceil_mode"),
        countIncludePad: try s.flag("count_include_pad"))
    }
    try check("avg_pool3d_", dataType, count: 5) { x, _, s in
      x.avgPool3d(
        kernel: try s.triple("kernel"), stride: try s.triple("stride"),
        padding: try s.triple("padding"), ceilMode: try s.flag("ceil_mode"),
        countIncludePad: try s.flag("count_include_pad"))
    }
  }

  @Test("adaptive pooling equals PyTorch", arguments: types)
  func adaptive(_ dataType: DataType) throws {
    try check("adaptive_avg_pool1d_", dataType, count: 2) { x, _, s in
      x.adaptiveAvgPool1d(try s.first("size"))
    }
    try check("adaptive_avg_pool3d_", dataType, count: 2) { x, _, s in
      x.adaptiveAvgPool3d(try s.triple("size"))
    }
    try check("adaptive_max_pool1d_", dataType, count: 2) { x, _, s in
      x.adaptiveMaxPool1d(try s.first("size"))
    }
    try check("adaptive_max_pool2d_", dataType, count: 6) { x, _, s in
      x.adaptiveMaxPool2d(try s.pair("size"))
    }
    try check("adaptive_max_pool3d_", dataType, count: 2) { x, _, s in
      x.adaptiveMaxPool3d(try s.triple("size"))
    }
  }

  @Test("unfolding and folding equal PyTorch", arguments: types)
  func unfolding(_ dataType: DataType) throws {
    try check("unfold_", dataType, count: 3) { x, _, s in
      x.unfolded(
        kernel: try s.pair("kernel_size"), stride: try s.pair("stride"),
        padding: try s.pair("padding"), dilation: try s.pair("dilation"))
    }
    try check("fold_", dataType, count: 3) { x, _, s in
      x.folded(
        to: try s.pair("size"), kernel: try s.pair("kernel_size"), stride: try s.pair("stride"),
        padding: try s.pair("padding"), dilation: try s.pair("dilation"))
    }
  }

  @Test("every golden is compared")
  func complete() throws {
    let cases = try Goldens("windows.float64", in: .module).cases
    #expect(cases.count == 12 + 8 + 15 + 14 + 6)
  }

  @Test("windows along an axis are a view")
  func windowsAlongAnAxis() {
    let x = Tensor.arange(12).reshaped(to: [2, 6])
    let y = x.unfolded(axis: 1, size: 3, step: 2)
    #expect(y.shape == [2, 2, 3])
    #expect(y.doubles() == [0, 1, 2, 2, 3, 4, 6, 7, 8, 8, 9, 10])
    #expect(
      x.unfolded(axis: 0, size: 2).doubles() == [0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11])
    #expect(x.unfolded(axis: 1, size: 2, dilation: 4).doubles() == [0, 4, 1, 5, 6, 10, 7, 11])
    withoutGrad { _ = x.fill_(1) }
    #expect(y.sum().item() == 12)
    _ = x.unfolded(axis: 1, size: 2, step: 2).fill_(2)
    #expect(x.sum().item() == 24)
    x.requiresGrad = true
    x.unfolded(axis: 1, size: 3, step: 2).sum().backward()
    #expect(x.grad!.doubles() == [1, 1, 2, 1, 1, 0, 1, 1, 2, 1, 1, 0])
  }

  @Test("batches without samples have results without samples")
  func empty() {
    #expect(Tensor.zeros([0, 2, 5]).conv1d(weight: .ones([3, 2, 2])).shape == [0, 3, 4])
    #expect(
      Tensor.zeros([0, 2, 3, 4, 5]).conv3d(weight: .ones([3, 2, 2, 2, 2])).shape == [0, 3, 2, 3, 4])
    #expect(Tensor.zeros([0, 2, 4]).maxPool1d(kernel: 2).shape == [0, 2, 2])
    #expect(Tensor.zeros([0, 2, 4, 4, 4]).maxPool3d(kernel: 2).shape == [0, 2, 2, 2, 2])
    #expect(Tensor.zeros([0, 2, 4, 4]).unfolded(kernel: 2).shape == [0, 8, 9])
  }

  @Test("mistakes stop with the operation and the shapes")
  func mistakes() async {
    func expectMessage(_ result: ExitTest.Result?, _ parts: String...) {
      let message = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
      for part in parts { #expect(message.contains(part), "\(message.prefix(300))") }
    }
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        _ = Tensor.ones([2, 3, 5]).conv1d(weight: .ones([4, 2, 3]))
      }, "conv1d", "[2, 3, 5]", "[4, 2, 3]")
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        _ = Tensor.ones([2, 3, 5]).conv1d(weight: .ones([4, 3, 7]))
      }, "conv1d: a kernel [7]", "[5]", "[2, 3, 5]")
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        _ = Tensor.ones([2, 3, 5, 5, 5]).conv3d(weight: .ones([4, 3, 3, 3]))
      }, "conv3d: the weight has five axes", "[4, 3, 3, 3]")
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        _ = Tensor.ones([2, 3, 2, 5, 5]).maxPool3d(kernel: 2, padding: [2, 0, 0])
      }, "maxPool3d", "[2, 0, 0]", "[2, 2, 2]")
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        _ = Tensor.ones([2, 12, 7]).folded(to: 4, kernel: 2)
      }, "folded", "[2, 12, 7]", "9 windows of 4")
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        _ = Tensor.ones([2, 6]).unfolded(axis: 1, size: 3, step: 2).add_(.ones([2, 2, 3]))
      }, "[2, 2, 3]", "overlapping windows")
  }
}
