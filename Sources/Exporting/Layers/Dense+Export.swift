import NeuralNetworks
import TensorCore

extension Linear: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue {
    graph.linear(x, weight: weight, bias: bias)
  }

  func pytorch(in program: inout PythonProgram) -> String {
    "nn.Linear(\(weight.shape[1]), \(weight.shape[0])\(bias == nil ? ", bias=False" : ""))"
  }
}

extension Embedding: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue {
    graph.add("Gather", graph.weight(weight), x, rank: x.rank + 1)
  }

  func pytorch(in program: inout PythonProgram) -> String {
    "nn.Embedding(\(weight.shape[0]), \(weight.shape[1]))"
  }
}

extension Flatten: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue {
    // A size of 0 is the input's.
    graph.add(
      "Reshape", x, graph.integers([Int](repeating: 0, count: axis) + [-1]), rank: axis + 1)
  }

  func pytorch(in program: inout PythonProgram) -> String {
    axis == 1 ? "nn.Flatten()" : "nn.Flatten(\(axis))"
  }
}

extension Reshape: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue {
    graph.add("Reshape", x, graph.integers([0] + shape), rank: shape.count + 1)
  }

  func pytorch(in program: inout PythonProgram) -> String {
    program.add(
      """
      class Reshape(nn.Module):
          \"""Samples of another shape.\"""

          def __init__(self, *shape):
              super().__init__()
              self.shape = shape

          def forward(self, x):
              return x.reshape(len(x), *self.shape)
      """)
    return "Reshape(\(shape.map(String.init).joined(separator: ", ")))"
  }
}

extension ONNXGraph {
  /// y = x Wᵀ + b.
  mutating func linear(_ x: ONNXValue, weight: Tensor, bias: Tensor?) -> ONNXValue {
    let weight = self.weight(weight)
    let bias = bias.map { self.weight($0) }
    if x.rank == 2 {
      guard let bias else {
        return add("Gemm", x, weight, attributes: ["transB": .integer(1)])
      }
      return add("Gemm", x, weight, bias, attributes: ["transB": .integer(1)])
    }
    let product = add(
      "MatMul", x, add("Transpose", weight, attributes: ["perm": .integers([1, 0])]))
    return bias.map { add("Add", product, $0) } ?? product
  }
}
