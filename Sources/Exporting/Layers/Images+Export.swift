import NeuralNetworks
import TensorCore

extension Conv2d: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) throws -> ONNXValue {
    try requireZeros(paddingMode, "Conv2d")
    return graph.convolution(
      "Conv", x, weight, bias,
      attributes: windowAttributes(kernel, stride, padding, dilation, extra: extraPadding)
        .merging(["group": .integer(groups)]) { $1 })
  }

  func pytorch(in program: inout PythonProgram) -> String {
    let (inputs, outputs) = (weight.shape[1] * groups, weight.shape[0])
    let isSame = extraPadding != 0
    return call(
      "nn.Conv2d", ["\(inputs)", "\(outputs)", python(kernel)],
      [
        ("stride", stride, 1), ("padding", isSame ? 0 : padding, 0), ("dilation", dilation, 1),
      ], groups: groups, hasBias: bias != nil,
      besides: (isSame ? ["padding='same'"] : []) + paddingArgument(paddingMode))
  }

  private var kernel: Size2d { Size2d(height: weight.shape[2], width: weight.shape[3]) }
}

extension ConvTranspose2d: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue {
    graph.convolution(
      "ConvTranspose", x, weight, bias,
      attributes: windowAttributes(kernel, stride, padding, dilation)
        .merging([
          "group": .integer(groups),
          "output_padding": .integers([outputPadding.height, outputPadding.width]),
        ]) { $1 })
  }

  func pytorch(in program: inout PythonProgram) -> String {
    let (inputs, outputs) = (weight.shape[0], weight.shape[1] * groups)
    return call(
      "nn.ConvTranspose2d", ["\(inputs)", "\(outputs)", python(kernel)],
      [
        ("stride", stride, 1), ("padding", padding, 0), ("output_padding", outputPadding, 0),
        ("dilation", dilation, 1),
      ], groups: groups, hasBias: bias != nil)
  }

  private var kernel: Size2d { Size2d(height: weight.shape[2], width: weight.shape[3]) }
}

extension MaxPool2d: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue {
    var attributes = windowAttributes(kernel, stride, padding, dilation)
    attributes["ceil_mode"] = .integer(ceilMode ? 1 : 0)
    return graph.add("MaxPool", x, attributes: attributes)
  }

  func pytorch(in program: inout PythonProgram) -> String {
    call(
      "nn.MaxPool2d", [python(kernel)],
      [("stride", stride, kernel), ("padding", padding, 0), ("dilation", dilation, 1)],
      besides: ceilMode ? ["ceil_mode=True"] : [])
  }
}

extension AvgPool2d: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue {
    var attributes = windowAttributes(kernel, stride, padding, nil)
    attributes["ceil_mode"] = .integer(ceilMode ? 1 : 0)
    attributes["count_include_pad"] = .integer(countIncludePad ? 1 : 0)
    return graph.add("AveragePool", x, attributes: attributes)
  }

  func pytorch(in program: inout PythonProgram) -> String {
    call(
      "nn.AvgPool2d", [python(kernel)],
      [("stride", stride, kernel), ("padding", padding, 0)],
      besides: (ceilMode ? ["ceil_mode=True"] : [])
        + (countIncludePad ? [] : ["count_include_pad=False"]))
  }
}

extension AdaptiveAvgPool2d: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) throws -> ONNXValue {
    guard size == 1 else { throw ExportError.unknownLayer("AdaptiveAvgPool2d of size \(size)") }
    return graph.add("GlobalAveragePool", x)
  }

  func pytorch(in program: inout PythonProgram) -> String {
    "nn.AdaptiveAvgPool2d(\(python(size)))"
  }
}

extension GlobalPool: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue {
    graph.mean(x, axes: axes)
  }

  func pytorch(in program: inout PythonProgram) -> String {
    program.add(
      """
      class GlobalPool(nn.Module):
          \"""The means over some axes.\"""

          def __init__(self, *axes):
              super().__init__()
              self.axes = axes

          def forward(self, x):
              return x.mean(self.axes)
      """)
    return "GlobalPool(\(axes.map(String.init).joined(separator: ", ")))"
  }
}

extension ONNXGraph {
  /// The means over some axes, which are removed.
  mutating func mean(_ x: ONNXValue, axes: [Int]) -> ONNXValue {
    add(
      "ReduceMean", x, rank: x.rank - axes.count,
      attributes: ["axes": .integers(axes), "keepdims": .integer(0)])
  }

  mutating func convolution(
    _ operation: String, _ x: ONNXValue, _ weight: Tensor, _ bias: Tensor?,
    attributes: [String: ONNXAttribute]
  ) -> ONNXValue {
    let kernel = self.weight(weight)
    guard let bias else { return add(operation, x, kernel, attributes: attributes) }
    return add(operation, x, kernel, self.weight(bias), attributes: attributes)
  }
}

/// The attributes of an operation on windows of images.
private func windowAttributes(
  _ kernel: Size2d, _ stride: Size2d, _ padding: Size2d, _ dilation: Size2d?, extra: Size2d = 0
) -> [String: ONNXAttribute] {
  windowAttributes(
    sizes(kernel), sizes(stride), sizes(padding), dilation.map(sizes), extra: sizes(extra))
}

private func sizes(_ size: Size2d) -> [Int] { [size.height, size.width] }

/// A size in Python: a number, or a pair.
private func python(_ size: Size2d) -> String {
  size.height == size.width ? "\(size.height)" : "(\(size.height), \(size.width))"
}

/// A call in Python, without the arguments that have their defaults.
private func call(
  _ function: String, _ arguments: [String],
  _ sizes: [(name: String, value: Size2d, normal: Size2d)],
  groups: Int = 1, hasBias: Bool = true, besides: [String] = []
) -> String {
  let named = sizes.filter { $0.value != $0.normal }.map { "\($0.name)=\(python($0.value))" }
  let all =
    arguments + named + (groups == 1 ? [] : ["groups=\(groups)"])
    + (hasBias ? [] : ["bias=False"]) + besides
  return "\(function)(\(all.joined(separator: ", ")))"
}
