import DataLoading
import NeuralNetworks
import TensorCore

extension Trainer {
  /// The graph behind the loss of the first training samples, as a step computes it, in Graphviz's
  /// DOT language: operations as boxes, parameters as ellipses under their names.
  ///
  /// Throws when the samples cannot be read. Layers that keep running statistics have then seen
  /// these samples once more.
  ///
  /// - Parameter samples: How many samples; where there are fewer, all.
  public func graphDescription(samples: Int = 2) throws -> String {
    var batches = SequentialBatches(trainingData, batchSize: samples)
    let batch = try batches.next()!  // Data without samples is refused when it is opened.
    let randomness = SampleRandomness(
      seed: UInt64(configuration.training.seed), epoch: 0, firstSample: 0)
    let (loss, _) = withTraining(randomness) {
      objective.evaluate(model(batch.inputs(0..<batch.count)), batch.targets(0..<batch.count))
    }
    return loss.graphDescription(
      Dictionary(uniqueKeysWithValues: model.namedParameters().map { ($0.name, $0.parameter) }))
  }
}
