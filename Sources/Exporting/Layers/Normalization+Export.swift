import NeuralNetworks
import TensorCore

extension BatchNormalization: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue {
    let channels = runningMean.shape[0]
    func affine(_ parameter: Parameter?, _ value: Float, _ graph: inout ONNXGraph) -> ONNXValue {
      if let parameter { return graph.weight(parameter) }
      return graph.numbers([Float](repeating: value, count: channels), shape: [channels])
    }
    let (weight, bias) = (affine(weight, 1, &graph), affine(bias, 0, &graph))
    return graph.add(
      "BatchNormalization", x, weight, bias, graph.weight(runningMean),
      graph.weight(runningVariance), attributes: ["epsilon": .number(epsilon)])
  }

  func pytorch(in program: inout PythonProgram) -> String { python("nn.BatchNorm1d") }

  fileprivate func python(_ type: String) -> String {
    "\(type)(\(runningMean.shape[0])" + (epsilon == 1e-5 ? "" : ", eps=\(epsilon)")
      + (momentum == 0.1 ? "" : ", momentum=\(momentum)")
      + (weight == nil ? ", affine=False" : "") + ")"
  }
}

extension BatchNorm1d: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue {
    core.onnx(x, in: &graph)
  }
  func pytorch(in program: inout PythonProgram) -> String { core.python("nn.BatchNorm1d") }
}

extension BatchNorm2d: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue {
    core.onnx(x, in: &graph)
  }
  func pytorch(in program: inout PythonProgram) -> String { core.python("nn.BatchNorm2d") }
}

extension BatchNorm3d: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue {
    core.onnx(x, in: &graph)
  }
  func pytorch(in program: inout PythonProgram) -> String { core.python("nn.BatchNorm3d") }
}

extension SyncBatchNorm: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue {
    core.onnx(x, in: &graph)
  }
  func pytorch(in program: inout PythonProgram) -> String { core.python("nn.SyncBatchNorm") }
}

extension LayerNorm: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue {
    let shape = normalizedShape.array
    let attributes: [String: ONNXAttribute] = [
      "axis": .integer(-shape.count), "epsilon": .number(epsilon),
    ]
    let scale: ONNXValue
    if let weight {
      scale = graph.weight(weight)
    } else {
      scale = graph.numbers(
        [Float](repeating: 1, count: shape.reduce(1, *)), shape: shape)
    }
    guard let bias else {
      return graph.add("LayerNormalization", x, scale, attributes: attributes)
    }
    return graph.add(
      "LayerNormalization", x, scale, graph.weight(bias), attributes: attributes)
  }

  func pytorch(in program: inout PythonProgram) -> String {
    let shape = normalizedShape.array
    let sizes =
      shape.count == 1
      ? "\(shape[0])" : "(\(shape.map(String.init).joined(separator: ", ")))"
    return "nn.LayerNorm(\(sizes)" + (epsilon == 1e-5 ? "" : ", eps=\(epsilon)")
      + (weight == nil ? ", elementwise_affine=False" : bias == nil ? ", bias=False" : "") + ")"
  }
}

extension GroupNorm: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) throws -> ONNXValue {
    // The operations of version 17 normalize channels, so each group is made one.
    let shape = graph.add("Shape", x, rank: 1)
    let grouped = graph.add("Reshape", x, graph.integers([0, groups, -1]), rank: 3)
    let normalized = graph.add(
      "InstanceNormalization", grouped,
      graph.numbers([Float](repeating: 1, count: groups), shape: [groups]),
      graph.numbers([Float](repeating: 0, count: groups), shape: [groups]),
      attributes: ["epsilon": .number(epsilon)])
    var y = graph.add("Reshape", normalized, shape, rank: x.rank)
    guard let weight, let bias else { return y }
    let channels = graph.integers([-1] + [Int](repeating: 1, count: x.rank - 2))
    y = graph.add("Mul", y, graph.add("Reshape", graph.weight(weight), channels))
    return graph.add("Add", y, graph.add("Reshape", graph.weight(bias), channels))
  }

  func pytorch(in program: inout PythonProgram) throws -> String {
    guard let weight else { throw ExportError.unknownLayer("GroupNorm without weights") }
    return "nn.GroupNorm(\(groups), \(weight.shape[0])"
      + (epsilon == 1e-5 ? "" : ", eps=\(epsilon)") + ")"
  }
}

extension InstanceNormalization {
  fileprivate func exported(_ x: ONNXValue, in graph: inout ONNXGraph, _ type: String, axes: Int)
    throws -> ONNXValue
  {
    guard runningMean == nil, let weight, let bias, x.rank == axes + 2 else {
      throw ExportError.unknownLayer("\(type) without weights, or with running statistics")
    }
    return graph.add(
      "InstanceNormalization", x, graph.weight(weight), graph.weight(bias),
      attributes: ["epsilon": .number(epsilon)])
  }

  fileprivate func python(_ type: String) throws -> String {
    guard let weight, runningMean == nil else {
      throw ExportError.unknownLayer("\(type) without weights, or with running statistics")
    }
    return "nn.\(type)(\(weight.shape[0])" + (epsilon == 1e-5 ? "" : ", eps=\(epsilon)")
      + ", affine=True)"
  }
}

extension InstanceNorm1d: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) throws -> ONNXValue {
    try core.exported(x, in: &graph, "InstanceNorm1d", axes: 1)
  }
  func pytorch(in program: inout PythonProgram) throws -> String {
    try core.python("InstanceNorm1d")
  }
}

extension InstanceNorm2d: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) throws -> ONNXValue {
    try core.exported(x, in: &graph, "InstanceNorm2d", axes: 2)
  }
  func pytorch(in program: inout PythonProgram) throws -> String {
    try core.python("InstanceNorm2d")
  }
}

extension InstanceNorm3d: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) throws -> ONNXValue {
    try core.exported(x, in: &graph, "InstanceNorm3d", axes: 3)
  }
  func pytorch(in program: inout PythonProgram) throws -> String {
    try core.python("InstanceNorm3d")
  }
}

extension LocalResponseNorm: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) throws -> ONNXValue {
    // ONNX places windows of an even size differently.
    guard size % 2 == 1 else { throw ExportError.unknownLayer("LocalResponseNorm of size \(size)") }
    return graph.add(
      "LRN", x,
      attributes: [
        "size": .integer(size), "alpha": .number(alpha), "beta": .number(beta), "bias": .number(k),
      ])
  }

  func pytorch(in program: inout PythonProgram) -> String {
    "nn.LocalResponseNorm(\(size), alpha=\(alpha), beta=\(beta), k=\(k))"
  }
}
