import NeuralNetworks
import TensorCore
import TestSupport
import Testing

@Suite struct ConvolutionLayersTests {
  @Test("a network of every layer equals PyTorch's", arguments: floatingPointTypes)
  func network(_ dataType: DataType) throws {
    let goldens = try Goldens("convolution_layers.\(dataType)", in: .module)
    func golden(_ name: String) throws -> Tensor {
      try goldens["network/\(name)"].tensor(dataType)
    }
    let model = Sequential(
      Conv2d(
        weight: try golden("0.weight"), bias: try golden("0.bias"), stride: [2, 1], padding: 1,
        groups: 2), ReLU(), MaxPool2d(3, stride: 2, padding: 1),
      ConvTranspose2d(weight: try golden("3.weight"), bias: try golden("3.bias"), stride: 2),
      Tanh(), AvgPool2d(2, padding: 1, countIncludePad: false),
      Conv2d(weight: try golden("6.weight"), dilation: [1, 2]), AdaptiveAvgPool2d([2, 1]),
      Flatten())
    let x = try golden("x")
    x.requiresGrad = true
    let output = model(x)
    output.backward(gradient: try golden("output.grad"))
    let tolerance = dataType == .float64 ? 1e-12 : 2e-6
    func expect(_ tensor: Tensor?, _ name: String) throws {
      let mismatch = try goldens["network/\(name)"].mismatch(
        tensor, tolerance: tolerance, relativeTo: .largest)
      #expect(mismatch == nil, "\(name)")
    }
    try expect(output, "output")
    try expect(x.grad, "x.grad")
    let parameters = model.namedParameters()
    #expect(
      parameters.map(\.name) == ["0.weight", "0.bias", "3.weight", "3.bias", "6.weight"])
    for (name, parameter) in parameters { try expect(parameter.grad, "\(name).grad") }
  }

  @Test("shapes of weights and results are PyTorch's")
  func shapes() {
    let x = Tensor.ones([5, 3, 50, 50])
    #expect(Conv2d(3, 7, kernel: 3)(x).shape == [5, 7, 48, 48])
    #expect(Conv2d(3, 7, kernel: 3, padding: 1)(x).shape == [5, 7, 50, 50])
    #expect(Conv2d(3, 7, kernel: 3, stride: 2, padding: 1)(x).shape == [5, 7, 25, 25])
    #expect(Conv2d(3, 7, kernel: [1, 5], dilation: [1, 3])(x).shape == [5, 7, 50, 38])
    #expect(Conv2d(6, 4, kernel: [3, 5], groups: 2).weight.shape == [4, 3, 3, 5])
    #expect(Conv2d(6, 4, kernel: 3, bias: false).bias == nil)
    #expect(ConvTranspose2d(6, 4, kernel: [3, 5], groups: 2).weight.shape == [6, 2, 3, 5])
    #expect(ConvTranspose2d(3, 4, kernel: 2, stride: 2)(x).shape == [5, 4, 100, 100])
    #expect(
      ConvTranspose2d(3, 4, kernel: 3, stride: 2, padding: 1, outputPadding: 1)(x).shape
        == [5, 4, 100, 100])
    #expect(MaxPool2d(2)(x).shape == [5, 3, 25, 25])
    #expect(MaxPool2d(3, stride: 2)(x).shape == [5, 3, 24, 24])
    #expect(MaxPool2d(3, stride: 2, ceilMode: true)(x).shape == [5, 3, 25, 25])
    #expect(AvgPool2d([2, 5])(x).shape == [5, 3, 25, 10])
    #expect(AdaptiveAvgPool2d(1)(x).shape == [5, 3, 1, 1])
    #expect(AdaptiveAvgPool2d([7, 6])(Tensor.ones([3, 5, 5])).shape == [3, 7, 6])
  }

  @Test("parameters have PyTorch's names and count")
  func names() {
    let model = Sequential(Conv2d(1, 32, kernel: 3), ReLU(), Conv2d(32, 64, kernel: 3))
    #expect(
      model.namedParameters().map(\.name) == ["0.weight", "0.bias", "2.weight", "2.bias"])
    #expect(model.parameterCount == 32 * 9 + 32 + 64 * 32 * 9 + 64)
    #expect(MaxPool2d(2).parameters.isEmpty && AdaptiveAvgPool2d(1).parameters.isEmpty)
  }

  @Test("weights and biases start uniform within PyTorch's bounds")
  func initialization() {
    func expectUniform(_ parameters: [Parameter], fanIn: Int) {
      let bound = 1 / Double(fanIn).squareRoot()
      for parameter in parameters {
        let values = parameter.doubles()
        #expect(values.allSatisfy { abs($0) <= Double(Float(bound)) })
        #expect(values.max()! > bound * (1 - 40 / Double(values.count)))
        #expect(values.min()! < -bound * (1 - 40 / Double(values.count)))
      }
    }
    withRandomSource(seed: 3) {
      // PyTorch counts what one output sees of its inputs; for the transposed layer, what its
      // weight's second axis and kernel amount to.
      expectUniform(Conv2d(16, 400, kernel: [3, 5], groups: 2).parameters, fanIn: 8 * 15)
      expectUniform(ConvTranspose2d(16, 400, kernel: 3, groups: 2).parameters, fanIn: 200 * 9)
    }
  }

  @Test("inputs and outputs that groups do not divide stop with their numbers")
  func mistakes() async {
    let result = await #expect(
      processExitsWith: .failure, observing: [\.standardErrorContent]
    ) { _ = Conv2d(3, 4, kernel: 3, groups: 2) }
    let message = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(message.contains("Conv2d: 3 inputs and 4 outputs cannot be divided into 2 groups"))
  }
}
