import NeuralNetworks
import TensorCore

// Convolution and pooling of sequences and volumes.

extension Conv1d: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) throws -> ONNXValue {
    try requireZeros(paddingMode, "Conv1d")
    return graph.convolution(
      "Conv", x, weight, bias,
      attributes: windowAttributes(
        [weight.shape[2]], [stride], [padding], [dilation], extra: [extraPadding]
      ).merging(["group": .integer(groups)]) { $1 })
  }

  func pytorch(in program: inout PythonProgram) -> String {
    convolutionCall(
      "nn.Conv1d", weight, [stride], [padding], [dilation], groups,
      hasBias: bias != nil, isSame: extraPadding != 0, mode: paddingMode)
  }
}

extension Conv3d: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) throws -> ONNXValue {
    try requireZeros(paddingMode, "Conv3d")
    return graph.convolution(
      "Conv", x, weight, bias,
      attributes: windowAttributes(
        weight.shape.suffix(3).map { $0 }, sizes(stride), sizes(padding), sizes(dilation),
        extra: sizes(extraPadding)
      ).merging(["group": .integer(groups)]) { $1 })
  }

  func pytorch(in program: inout PythonProgram) -> String {
    convolutionCall(
      "nn.Conv3d", weight, sizes(stride), sizes(padding), sizes(dilation), groups,
      hasBias: bias != nil, isSame: extraPadding != 0, mode: paddingMode)
  }
}

extension ConvTranspose1d: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue {
    graph.convolution(
      "ConvTranspose", x, weight, bias,
      attributes: windowAttributes([weight.shape[2]], [stride], [padding], [dilation])
        .merging(["group": .integer(groups), "output_padding": .integers([outputPadding])]) { $1 })
  }

  func pytorch(in program: inout PythonProgram) -> String {
    convolutionCall(
      "nn.ConvTranspose1d", weight, [stride], [padding], [dilation], groups,
      outputPadding: [outputPadding], hasBias: bias != nil)
  }
}

extension ConvTranspose3d: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue {
    graph.convolution(
      "ConvTranspose", x, weight, bias,
      attributes: windowAttributes(
        weight.shape.suffix(3).map { $0 }, sizes(stride), sizes(padding), sizes(dilation)
      ).merging([
        "group": .integer(groups), "output_padding": .integers(sizes(outputPadding)),
      ]) { $1 })
  }

  func pytorch(in program: inout PythonProgram) -> String {
    convolutionCall(
      "nn.ConvTranspose3d", weight, sizes(stride), sizes(padding), sizes(dilation), groups,
      outputPadding: sizes(outputPadding), hasBias: bias != nil)
  }
}

extension MaxPool1d: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue {
    var attributes = windowAttributes([kernel], [stride], [padding], [dilation])
    attributes["ceil_mode"] = .integer(ceilMode ? 1 : 0)
    return graph.add("MaxPool", x, attributes: attributes)
  }

  func pytorch(in program: inout PythonProgram) -> String {
    poolCall(
      "nn.MaxPool1d", [kernel], [stride], [padding], dilation: [dilation], ceilMode: ceilMode)
  }
}

extension MaxPool3d: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue {
    var attributes = windowAttributes(
      sizes(kernel), sizes(stride), sizes(padding), sizes(dilation))
    attributes["ceil_mode"] = .integer(ceilMode ? 1 : 0)
    return graph.add("MaxPool", x, attributes: attributes)
  }

  func pytorch(in program: inout PythonProgram) -> String {
    poolCall(
      "nn.MaxPool3d", sizes(kernel), sizes(stride), sizes(padding), dilation: sizes(dilation),
      ceilMode: ceilMode)
  }
}

extension AvgPool1d: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue {
    var attributes = windowAttributes([kernel], [stride], [padding], nil)
    attributes["ceil_mode"] = .integer(ceilMode ? 1 : 0)
    attributes["count_include_pad"] = .integer(countIncludePad ? 1 : 0)
    return graph.add("AveragePool", x, attributes: attributes)
  }

  func pytorch(in program: inout PythonProgram) -> String {
    poolCall(
      "nn.AvgPool1d", [kernel], [stride], [padding], ceilMode: ceilMode,
      countIncludePad: countIncludePad)
  }
}

extension AvgPool3d: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue {
    var attributes = windowAttributes(sizes(kernel), sizes(stride), sizes(padding), nil)
    attributes["ceil_mode"] = .integer(ceilMode ? 1 : 0)
    attributes["count_include_pad"] = .integer(countIncludePad ? 1 : 0)
    return graph.add("AveragePool", x, attributes: attributes)
  }

  func pytorch(in program: inout PythonProgram) -> String {
    poolCall(
      "nn.AvgPool3d", sizes(kernel), sizes(stride), sizes(padding), ceilMode: ceilMode,
      countIncludePad: countIncludePad)
  }
}

extension AdaptiveAvgPool1d: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) throws -> ONNXValue {
    guard size == 1 else { throw ExportError.unknownLayer("AdaptiveAvgPool1d of size \(size)") }
    return graph.add("GlobalAveragePool", x)
  }

  func pytorch(in program: inout PythonProgram) -> String { "nn.AdaptiveAvgPool1d(\(size))" }
}

extension AdaptiveAvgPool3d: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) throws -> ONNXValue {
    guard size == 1 else { throw ExportError.unknownLayer("AdaptiveAvgPool3d of size \(size)") }
    return graph.add("GlobalAveragePool", x)
  }

  func pytorch(in program: inout PythonProgram) -> String {
    "nn.AdaptiveAvgPool3d(\(python(sizes(size))))"
  }
}

extension AdaptiveMaxPool2d: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) throws -> ONNXValue {
    guard size == 1 else { throw ExportError.unknownLayer("AdaptiveMaxPool2d of size \(size)") }
    return graph.add("GlobalMaxPool", x)
  }

  func pytorch(in program: inout PythonProgram) -> String {
    "nn.AdaptiveMaxPool2d(\(python([size.height, size.width])))"
  }
}

/// The attributes of an operation on windows; `extra` is what is padded at the end besides.
func windowAttributes(
  _ kernel: [Int], _ stride: [Int], _ padding: [Int], _ dilation: [Int]?, extra: [Int]? = nil
) -> [String: ONNXAttribute] {
  let ends = extra.map { zip(padding, $0).map { $0 + $1 } } ?? padding
  var attributes: [String: ONNXAttribute] = [
    "kernel_shape": .integers(kernel), "strides": .integers(stride),
    "pads": .integers(padding + ends),
  ]
  if let dilation { attributes["dilations"] = .integers(dilation) }
  return attributes
}

/// Throws for a padding that a convolution of ONNX does not have.
func requireZeros(_ mode: PaddingMode, _ layer: String) throws {
  guard mode == .constant else {
    throw ExportError.unknownLayer("\(layer) with the padding '\(mode.rawValue)'")
  }
}

/// The argument of a convolution in Python, unless it pads with zeros.
func paddingArgument(_ mode: PaddingMode) -> [String] {
  mode == .constant ? [] : ["padding_mode='\(mode.rawValue)'"]
}

private func sizes(_ size: Size3d) -> [Int] { [size.depth, size.height, size.width] }

/// A size in Python: a number, or a tuple.
private func python(_ sizes: [Int]) -> String {
  Set(sizes).count == 1
    ? "\(sizes[0])" : "(\(sizes.map(String.init).joined(separator: ", ")))"
}

/// A keyword argument in Python, unless it has its default.
private func argument(_ name: String, _ value: [Int], _ normal: [Int]) -> [String] {
  value == normal ? [] : ["\(name)=\(python(value))"]
}

private func convolutionCall(
  _ function: String, _ weight: Tensor, _ stride: [Int], _ padding: [Int], _ dilation: [Int],
  _ groups: Int, outputPadding: [Int]? = nil, hasBias: Bool, isSame: Bool = false,
  mode: PaddingMode = .constant
) -> String {
  let isTransposed = outputPadding != nil
  let inputs = isTransposed ? weight.shape[0] : weight.shape[1] * groups
  let outputs = isTransposed ? weight.shape[1] * groups : weight.shape[0]
  let (zeros, ones) = (stride.map { _ in 0 }, stride.map { _ in 1 })
  let arguments =
    ["\(inputs)", "\(outputs)", python(weight.shape.dropFirst(2).map { $0 })]
    + argument("stride", stride, ones)
    + (isSame ? ["padding='same'"] : argument("padding", padding, zeros))
    + argument("output_padding", outputPadding ?? zeros, zeros)
    + argument("dilation", dilation, ones)
    + (groups == 1 ? [] : ["groups=\(groups)"]) + (hasBias ? [] : ["bias=False"])
    + paddingArgument(mode)
  return "\(function)(\(arguments.joined(separator: ", ")))"
}

private func poolCall(
  _ function: String, _ kernel: [Int], _ stride: [Int], _ padding: [Int], dilation: [Int]? = nil,
  ceilMode: Bool, countIncludePad: Bool = true
) -> String {
  let (zeros, ones) = (kernel.map { _ in 0 }, kernel.map { _ in 1 })
  let arguments =
    [python(kernel)] + argument("stride", stride, kernel) + argument("padding", padding, zeros)
    + argument("dilation", dilation ?? ones, ones) + (ceilMode ? ["ceil_mode=True"] : [])
    + (countIncludePad ? [] : ["count_include_pad=False"])
  return "\(function)(\(arguments.joined(separator: ", ")))"
}
