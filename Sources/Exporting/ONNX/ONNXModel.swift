import Base
import Checkpointing
import DataLoading
package import NeuralNetworks
package import Training

/// A trained model as a file of ONNX: with the preparation of inputs before it, and after it what predictions
/// are.
package struct ONNXModel {
  /// The longest file, a limit of protobuf.
  package static let largestByteCount = 1 << 31 - 1

  private let message: ProtobufMessage

  /// Writes a model as a graph.
  ///
  /// Inputs are as before normalization. Throws an `ExportError` for a layer that is not the library's.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - signature: Its inputs and outputs.
  ///   - metadata: What the file says of the model besides.
  package init(
    _ model: any Layer, _ signature: ModelSignature, metadata: [(key: String, value: String)] = []
  ) throws {
    var graph = ONNXGraph(model)
    let input = graph.addInput(of: model, signature)
    let result = try graph.add(model, to: graph.prepare(input, signature))
    graph.addOutputs(result, of: model, signature)
    var message = ProtobufMessage()
    message.add(1, 8)  // The version of the format.
    message.add(2, "lockstep")
    message.add(3, Version.current)
    message.add(7, graph.message(name: "model"))
    message.add(8) { $0.add(2, 17) }  // The version of the operations.
    for (key, value) in signature.exportMetadata + metadata {
      message.add(14) { property in
        property.add(1, key)
        property.add(2, value)
      }
    }
    self.message = message
  }

  /// The length of the file.
  package var byteCount: Int { message.byteCount }
  /// The content of the file.
  package var bytes: [UInt8] { message.bytes }

  /// Writes the file; throws an `ExportError` where it would be too long.
  package func write(to path: String) throws {
    guard message.byteCount <= ONNXModel.largestByteCount else {
      throw ExportError.tooLarge(
        byteCount: message.byteCount, limit: ONNXModel.largestByteCount)
    }
    try FileSystem().replaceFile(path) { file in
      for piece in message.pieces { try piece.withUnsafeBytes(file.write) }
    }
  }
}

extension ONNXGraph {
  /// Adds the input of a model: `tokens`, or `input` with its numbers.
  fileprivate mutating func addInput(of model: any Layer, _ signature: ModelSignature) -> ONNXValue
  {
    guard signature.tokens != nil else {
      return addInput(
        "input", .float, [.any("batch")] + signature.inputShape.map { .fixed($0) })
    }
    return addInput("tokens", .int64, [.any("batch"), timeAxis(model, signature)])
  }

  /// The axis of positions: a transformer takes fewer, too, and an LSTM any number.
  private func timeAxis(_ model: any Layer, _ signature: ModelSignature) -> Axis {
    model is any CachingLanguageModel || model is LSTMModel
      ? .any("time") : .fixed(signature.inputShape[0])
  }

  /// Normalizes the inputs.
  fileprivate mutating func prepare(
    _ input: ONNXValue, _ signature: ModelSignature
  ) -> ONNXValue {
    guard let standardization = signature.inputStandardization else { return input }
    let means = numbers(standardization.means, shape: standardization.shape)
    let stds = numbers(standardization.stds, shape: standardization.shape)
    return add("Div", add("Sub", input, means), stds)
  }

  /// Adds the outputs: `logits` and `probabilities` of classes, `logits` of tokens, or `values`.
  fileprivate mutating func addOutputs(
    _ result: ONNXValue, of model: any Layer, _ signature: ModelSignature
  ) {
    let outputs = Axis.fixed(signature.outputs)
    if signature.tokens != nil, result.rank == 3 {
      addOutput(result, as: "logits", [.any("batch"), timeAxis(model, signature), outputs])
      return
    }
    let result = add("Flatten", result, rank: 2, attributes: ["axis": .integer(1)])
    let shape = [Axis.any("batch"), outputs]
    switch signature.objective.name {
    case Objective.crossEntropy.name:
      addOutput(result, as: "logits", shape)
      let probabilities = add("Softmax", result, attributes: ["axis": .integer(1)])
      addOutput(probabilities, as: "probabilities", shape)
    case Objective.binaryCrossEntropyWithLogits.name:
      addOutput(result, as: "logits", shape)
      let positive = add("Sigmoid", result)
      guard signature.outputs == 1 else {
        addOutput(positive, as: "probabilities", shape)
        return
      }
      let negative = add("Sub", numbers([1]), positive, rank: 2)
      let both = add("Concat", negative, positive, attributes: ["axis": .integer(1)])
      addOutput(both, as: "probabilities", [.any("batch"), .fixed(2)])
    default:
      var values = result
      if let standardization = signature.preparation.targetStandardization {
        let count = standardization.means.count
        values = add("Mul", values, numbers(standardization.stds, shape: [count]))
        values = add("Add", values, numbers(standardization.means, shape: [count]))
      }
      addOutput(values, as: "values", shape)
    }
  }
}
