import Foundation
import NeuralNetworks
import TensorCore
import TestSupport
import Testing

/// A layer that PyTorch has applied and differentiated.
///
/// The goldens have the names of its state dictionary.
private struct LayerCase: Sendable, CustomTestStringConvertible {
  let name: String
  let scale: Golden.Scale
  let layer: @Sendable (_ parameter: (String) throws -> Tensor) throws -> any Layer

  init(
    _ name: String, _ scale: Golden.Scale = .largest,
    layer: @escaping @Sendable (_ parameter: (String) throws -> Tensor) throws -> any Layer
  ) {
    self.name = name
    self.scale = scale
    self.layer = layer
  }

  var testDescription: String { name }
}

/// Flattens and squares, so that the gradient depends on the input.
private struct FlattenedSquare: Layer {
  func callAsFunction(_ x: Tensor) -> Tensor { Flatten()(x).squared() }
}

private func linear(_ parameter: (String) throws -> Tensor) throws -> any Layer {
  Linear(weight: try parameter("weight"), bias: try parameter("bias"))
}

private func perceptron(
  _ activation: any Layer, _ parameter: (String) throws -> Tensor
) throws -> Sequential {
  Sequential(
    Linear(weight: try parameter("0.weight"), bias: try parameter("0.bias")), activation,
    Linear(weight: try parameter("2.weight"), bias: try parameter("2.bias")))
}

private let layers: [LayerCase] = [
  LayerCase("linear", layer: linear),
  LayerCase("linear_without_bias") { Linear(weight: try $0("weight")) },
  LayerCase("linear_vector", layer: linear),
  LayerCase("linear_batches", layer: linear),
  LayerCase("relu", .element) { _ in ReLU() },
  LayerCase("relu_edges", .element) { _ in ReLU() },
  LayerCase("sigmoid", .element) { _ in Sigmoid() },
  LayerCase("sigmoid_edges", .element) { _ in Sigmoid() },
  LayerCase("tanh", .element) { _ in Tanh() },
  LayerCase("tanh_edges", .element) { _ in Tanh() },
  LayerCase("flatten", .element) { _ in FlattenedSquare() },
  LayerCase("mlp") { try perceptron(ReLU(), $0) },
  LayerCase("mlp_tanh") { try perceptron(Tanh(), $0) },
]

@Suite struct LayersTests {
  @Test("layers and their gradients are PyTorch's", arguments: layers, floatingPointTypes)
  private func golden(_ row: LayerCase, _ dataType: DataType) throws {
    let goldens = try Goldens("layers.\(dataType)", in: .module)
    func golden(_ part: String) throws -> Golden { try goldens["\(row.name)/\(part)"] }
    func expect(_ tensor: Tensor?, _ part: String) throws {
      let mismatch = try golden(part).mismatch(
        tensor, tolerance: dataType == .float64 ? 1e-12 : 1e-6, relativeTo: row.scale)
      #expect(mismatch == nil, "\(row.name), \(part)")
    }
    let layer = try row.layer { try golden($0).tensor(dataType) }
    let x = try golden("x").tensor(dataType)
    x.requiresGrad = true
    let output = layer(x)
    try expect(output, "output")
    output.backward(gradient: try golden("output.grad").tensor(dataType))
    try expect(x.grad, "x.grad")
    let named = layer.namedParameters()
    for (name, parameter) in named { try expect(parameter.grad, "\(name).grad") }
    let gradients = goldens.names.filter { $0.hasPrefix("\(row.name)/") && $0.hasSuffix(".grad") }
    #expect(gradients.count == named.count + 2, "a gradient was not compared")
  }

  @Test("every golden is compared")
  func complete() throws { try GoldenCase.expectComplete(layers.map(\.name), "layers") }

  @Test("the softmax layer goes along its axis, the last one unless told otherwise")
  func softmax() {
    let x = Tensor([[1.0, 2, 4], [0, -1, 3]] as [[Double]])
    #expect(Softmax()(x).doubles() == x.softmax(axis: 1).doubles())
    #expect(Softmax(axis: 0)(x).doubles() == x.softmax(axis: 0).doubles())
    #expect(Softmax(axis: 0)(x).doubles() != Softmax()(x).doubles())
  }

  @Test("Flatten merges the axes after the first, or from another one on")
  func flatten() {
    let x = Tensor.arange(120).reshaped(to: [2, 3, 4, 5])
    #expect(Flatten()(x).shape == [2, 60])
    #expect(Flatten()(x).doubles() == x.doubles())
    #expect(Flatten(from: 2)(x).shape == [2, 3, 20])
    #expect(Flatten(from: 0)(x).shape == [120])
    #expect(Flatten()(Tensor.arange(4).reshaped(to: [4, 1])).shape == [4, 1])
    #expect(Flatten()(x.transposed()).doubles() == x.transposed().doubles())
  }

  @Test("Sequential applies its layers first to last and nests")
  func sequential() {
    let x = Tensor([[-1.0, 0.5, 2]] as [[Double]])
    #expect(Sequential(Tanh(), ReLU())(x).doubles() == x.tanh().relu().doubles())
    #expect(Sequential(ReLU(), Sigmoid())(x).doubles() == x.relu().sigmoid().doubles())
    #expect(Sequential(ReLU(), Sigmoid())(x).doubles() != x.sigmoid().relu().doubles())
    let nested = Sequential(Sequential(ReLU(), Tanh()), Sequential([Sigmoid()]))
    #expect(nested(x).doubles() == x.relu().tanh().sigmoid().doubles())
    #expect(Sequential()(x) === x)
  }

  @Test("a dense layer has weights [outputs, inputs] and a bias unless told otherwise")
  func linearShapes() {
    let layer = Linear(3, 5)
    #expect(layer.weight.shape == [5, 3])
    #expect(layer.bias?.shape == [5])
    #expect(layer(.ones([2, 7, 3])).shape == [2, 7, 5])
    #expect(Linear(3, 5, bias: false).bias == nil)
  }
}
