import NeuralNetworks
import TensorCore

extension ReLU: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue { graph.add("Relu", x) }
  func pytorch(in program: inout PythonProgram) -> String { "nn.ReLU()" }
}

extension Sigmoid: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue { graph.add("Sigmoid", x) }
  func pytorch(in program: inout PythonProgram) -> String { "nn.Sigmoid()" }
}

extension Tanh: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue { graph.add("Tanh", x) }
  func pytorch(in program: inout PythonProgram) -> String { "nn.Tanh()" }
}

extension Softmax: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue {
    graph.add("Softmax", x, attributes: ["axis": .integer(axis)])
  }
  func pytorch(in program: inout PythonProgram) -> String { "nn.Softmax(dim=\(axis))" }
}

extension GELU: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue {
    graph.gelu(x, approximate)
  }
  func pytorch(in program: inout PythonProgram) -> String {
    approximate == .tanh ? "nn.GELU(approximate=\"tanh\")" : "nn.GELU()"
  }
}

extension SiLU: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue {
    graph.add("Mul", x, graph.add("Sigmoid", x))
  }
  func pytorch(in program: inout PythonProgram) -> String { "nn.SiLU()" }
}

extension LeakyReLU: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue {
    graph.add("LeakyRelu", x, attributes: ["alpha": .number(slope)])
  }
  func pytorch(in program: inout PythonProgram) -> String { "nn.LeakyReLU(\(slope))" }
}

extension ELU: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue {
    graph.add("Elu", x, attributes: ["alpha": .number(alpha)])
  }
  func pytorch(in program: inout PythonProgram) -> String { "nn.ELU(\(alpha))" }
}

extension Softplus: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue { graph.add("Softplus", x) }
  func pytorch(in program: inout PythonProgram) -> String { "nn.Softplus()" }
}

extension Dropout: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue { x }
  func pytorch(in program: inout PythonProgram) -> String { "nn.Dropout(\(probability))" }
}

extension ONNXGraph {
  /// GELU, which the operations of version 17 do not have.
  mutating func gelu(_ x: ONNXValue, _ approximation: GELUApproximation) -> ONNXValue {
    let inner: ONNXValue
    switch approximation {
    case .none: inner = add("Erf", add("Mul", x, numbers([Float(0.5).squareRoot()])))
    case .tanh:
      let cube = add("Mul", add("Mul", x, x), x)
      let sum = add("Add", x, add("Mul", cube, numbers([0.044715])))
      inner = add("Tanh", add("Mul", sum, numbers([Float(2 / Double.pi).squareRoot()])))
    }
    return add("Mul", add("Mul", x, numbers([0.5])), add("Add", inner, numbers([1])))
  }
}
