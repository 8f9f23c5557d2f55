import DataLoading
package import NeuralNetworks
import TensorCore

extension TrainingTask {
  /// What is wrong with the shape of the model's outputs for the first training sample; nil if it fits the
  /// objective and the targets.
  package func outputProblem() throws -> String? {
    let outputs = try outputsOfFirstSample()
    let (shape, count) = (outputs.shape.array, signature.outputs)
    let expected: [Int]
    switch data.train.targetKind {
    case .tokens(_, let length): expected = [1, length, count]
    case .classes, .values: expected = [1, count]
    }
    // Values may have any shape of as many numbers.
    let fits =
      objective.name == Objective.crossEntropy.name
      ? shape == expected : outputs.count == expected.reduce(1, *)
    if fits { return nil }
    return
      "for one sample \(Array(data.train.inputShape)) it gives outputs of shape \(shape), and the data "
      + "needs \(expected), batch first"
  }

  /// The layers of the model; see `Layer.layerSummary`.
  package func layerSummary() throws -> [LayerSummary] {
    try model.layerSummary(of: firstSample().inputs(0..<1))
  }

  private func firstSample() throws -> Batch {
    var batches = SequentialBatches(data.train, batchSize: 1, limit: 1)
    return try batches.next()!  // Data without samples is refused when it is opened.
  }

  private func outputsOfFirstSample() throws -> Tensor {
    let inputs = try firstSample().inputs(0..<1)
    return withEvaluation { withoutGrad { precision { model(inputs) } } }
  }
}
