import NeuralNetworks
import TensorCore

extension Identity: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue { x }
  func pytorch(in program: inout PythonProgram) -> String { "nn.Identity()" }
}

extension ReLU6: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue { graph.clip(x, 0, 6) }
  func pytorch(in program: inout PythonProgram) -> String { "nn.ReLU6()" }
}

extension Hardtanh: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue {
    graph.clip(x, Float(min), Float(max))
  }
  func pytorch(in program: inout PythonProgram) -> String { "nn.Hardtanh(\(min), \(max))" }
}

extension Hardsigmoid: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue { graph.hardsigmoid(x) }
  func pytorch(in program: inout PythonProgram) -> String { "nn.Hardsigmoid()" }
}

extension Hardswish: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue {
    graph.add("Mul", x, graph.hardsigmoid(x))
  }
  func pytorch(in program: inout PythonProgram) -> String { "nn.Hardswish()" }
}

extension Mish: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue {
    graph.add("Mul", x, graph.add("Tanh", graph.add("Softplus", x)))
  }
  func pytorch(in program: inout PythonProgram) -> String { "nn.Mish()" }
}

extension SELU: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue { graph.add("Selu", x) }
  func pytorch(in program: inout PythonProgram) -> String { "nn.SELU()" }
}

extension CELU: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue {
    graph.add("Celu", x, attributes: ["alpha": .number(alpha)])
  }
  func pytorch(in program: inout PythonProgram) -> String { "nn.CELU(\(alpha))" }
}

extension LogSigmoid: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue {
    graph.add("Neg", graph.add("Softplus", graph.add("Neg", x)))
  }
  func pytorch(in program: inout PythonProgram) -> String { "nn.LogSigmoid()" }
}

extension Softsign: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue { graph.add("Softsign", x) }
  func pytorch(in program: inout PythonProgram) -> String { "nn.Softsign()" }
}

extension Tanhshrink: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue {
    graph.add("Sub", x, graph.add("Tanh", x))
  }
  func pytorch(in program: inout PythonProgram) -> String { "nn.Tanhshrink()" }
}

extension LogSoftmax: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue {
    graph.add("LogSoftmax", x, attributes: ["axis": .integer(axis)])
  }
  func pytorch(in program: inout PythonProgram) -> String { "nn.LogSoftmax(dim=\(axis))" }
}

extension PReLU: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue {
    // The slope is broadcast from the last axis, but channels are axis 1.
    let shape = [-1] + [Int](repeating: 1, count: max(x.rank - 2, 0))
    let slope = graph.add("Reshape", graph.weight(weight), graph.integers(shape), rank: shape.count)
    return graph.add("PRelu", x, slope)
  }
  func pytorch(in program: inout PythonProgram) -> String { "nn.PReLU(\(weight.shape[0]))" }
}

extension GLU: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue {
    let halves = graph.addSplit(x, parts: 2, axis: axis)
    return graph.add("Mul", halves[0], graph.add("Sigmoid", halves[1]))
  }
  func pytorch(in program: inout PythonProgram) -> String { "nn.GLU(dim=\(axis))" }
}

extension Dropout2d: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue { x }
  func pytorch(in program: inout PythonProgram) -> String { "nn.Dropout2d(\(probability))" }
}

extension AlphaDropout: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue { x }
  func pytorch(in program: inout PythonProgram) -> String { "nn.AlphaDropout(\(probability))" }
}

extension ONNXGraph {
  fileprivate mutating func clip(_ x: ONNXValue, _ low: Float, _ high: Float) -> ONNXValue {
    add("Clip", x, numbers([low]), numbers([high]))
  }

  fileprivate mutating func hardsigmoid(_ x: ONNXValue) -> ONNXValue {
    add("HardSigmoid", x, attributes: ["alpha": .number(1 / 6.0), "beta": .number(0.5)])
  }
}
