public import Collectives
public import DataLoading
public import NeuralNetworks
import TensorCore

/// Measures a model on a dataset, each sample once, the work shared by all ranks.
///
/// Of more than `limit` samples, only so many are measured, spread evenly over the dataset.
public func evaluate(
  _ model: any Layer, on dataset: any Dataset, _ objective: Objective, batchSize: Int,
  _ communicator: any Communicator, limit: Int? = nil
) throws -> Metrics {
  var metrics = Metrics()
  var batches = SequentialBatches(
    dataset, batchSize: batchSize, rank: communicator.rank, worldSize: communicator.worldSize,
    limit: limit)
  try withEvaluation {
    try withoutGrad {
      while let batch = try batches.next() {
        let samples = 0..<batch.count
        let (loss, correct) = objective.evaluate(
          model(batch.inputs(samples)), batch.targets(samples))
        let count = Double(batch.count * batch.targetKind.lossCount)
        metrics.sampleCount += count
        metrics.lossSum += loss.item() * count
        metrics.correctCount += Double(correct)
      }
    }
  }
  let sums = communicator.allReduce(
    [metrics.sampleCount, metrics.lossSum, metrics.correctCount], .sum)
  return Metrics(sampleCount: sums[0], lossSum: sums[1], correctCount: sums[2])
}
