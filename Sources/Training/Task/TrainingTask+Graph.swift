import DataLoading
import NeuralNetworks
import TensorCore

extension TrainingTask {
  /// The computation graph of the loss of the first training samples, as a step computes it, in
  /// Graphviz DOT: operations are boxes, parameters ellipses with their names.
  ///
  /// Throws when the samples cannot be read. Layers with running statistics have then seen these
  /// samples once more.
  ///
  /// - Parameters:
  ///   - samples: How many samples; all where there are fewer.
  ///   - seed: The random seed of dropout.
  public func graphDescription(samples: Int = 2, seed: UInt64 = 0) throws -> String {
    var batches = SequentialBatches(data.train, batchSize: samples)
    let batch = try batches.next()!  // Data without samples is refused when it is opened.
    let randomness = SampleRandomness(seed: seed, epoch: 0, firstSample: 0)
    let (loss, _) = withTraining(randomness) { trainingLoss(batch, batch.positions) }
    return loss.graphDescription(
      Dictionary(uniqueKeysWithValues: model.namedParameters().map { ($0.name, $0.parameter) }))
  }
}
