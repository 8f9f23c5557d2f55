import NeuralNetworks
import TensorCore

/// A layer that can be written in other languages, as it computes in evaluation.
///
/// A model can be exported if all its layers conform; their conformances stand in the folder `Layers`.
protocol ExportableLayer: Layer {
  /// Adds the nodes of the layer to a graph, and returns its result.
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) throws -> ONNXValue

  /// The expression that makes the layer in PyTorch, without its weights: `nn.Linear(64, 10)`.
  ///
  /// Classes that the expression needs are added to the program.
  func pytorch(in program: inout PythonProgram) throws -> String
}

/// A layer as one that can be exported.
func exportable(_ layer: any Layer) throws -> any ExportableLayer {
  guard let layer = layer as? any ExportableLayer else {
    throw ExportError.unknownLayer(String(describing: type(of: layer)))
  }
  return layer
}
