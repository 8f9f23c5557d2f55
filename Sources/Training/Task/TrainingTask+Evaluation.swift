import Base
public import Collectives
public import DataLoading
import NeuralNetworks
import TensorCore

extension TrainingTask {
  /// Loss and accuracy on a part of the data; the ranks share the work, and each sample counts once.
  ///
  /// Collective: all ranks call it.
  ///
  /// - Parameters:
  ///   - part: Which samples.
  ///   - batchSize: The samples that are computed at a time.
  ///   - communicator: The ranks.
  ///   - limit: How many samples to measure, evenly spaced; nil measures all.
  public func evaluate(
    _ part: DataPart = .validation, batchSize: Int, _ communicator: any Communicator,
    limit: Int? = nil
  ) throws -> Metrics {
    try evaluate(
      part, batchSize: batchSize, communicator, limit: limit, isStopRequested: { false })!
  }

  /// The same; nil on all ranks if a stop was requested on any before it had computed its last batch.
  ///
  /// - Parameter visit: Called on each rank with each of its batches and the model's outputs for it.
  func evaluate(
    _ part: DataPart = .validation, batchSize: Int, _ communicator: any Communicator, limit: Int?,
    isStopRequested: () -> Bool, visit: (Batch, Tensor) -> Void = { _, _ in }
  ) throws -> Metrics? {
    var metrics = Metrics()
    var isAbandoned = false
    var batches = SequentialBatches(
      data[part], batchSize: batchSize,
      partition: BatchPartition(index: communicator.rank, of: communicator.worldSize), limit: limit)
    let tokenBytes = signature.preparation.tokenizer?.byteCounts
    try withEvaluation {
      try withoutGrad {
        while let batch = try batches.next() {
          Activity.advance()
          isAbandoned = isStopRequested()
          if isAbandoned { break }
          let outputs = precision { model(batch.inputs(batch.positions)) }
          let (loss, correct) = precision {
            objective.evaluate(outputs, batch.targets(batch.positions))
          }
          visit(batch, outputs)
          let count = Double(batch.count * batch.targetKind.lossCount)
          metrics.sampleCount += count
          metrics.lossSum += loss.item() * count
          metrics.correctCount += Double(correct)
          if let tokenBytes {
            batch.withLabels { labels in
              // A model may have more tokens than the tokenizer: these stand for no text.
              let known = labels.lazy.filter { $0 < tokenBytes.count }
              metrics.byteCount += Double(known.reduce(0) { $0 + tokenBytes[Int($1)] })
            }
          }
        }
      }
    }
    let sums = communicator.allReduce(
      [
        metrics.sampleCount, metrics.lossSum, metrics.correctCount, metrics.byteCount,
        isAbandoned ? 1 : 0,
      ], .sum)
    if sums[4] > 0 { return nil }
    return Metrics(
      sampleCount: sums[0], lossSum: sums[1], correctCount: sums[2], byteCount: sums[3])
  }
}

extension TrainingTask {
  /// The root of the mean squared error in the unit of the target, where there is one value to predict.
  package func rootMeanSquaredError(_ metrics: Metrics) -> Double? {
    guard objective.standardizesTargets, data.train.targetKind.valueCount == 1 else { return nil }
    let std = signature.preparation.targetStandardization?.stds[0] ?? 1
    return metrics.loss.squareRoot() * Double(std)
  }
}

extension TargetKind {
  /// How many losses are averaged in a sample's: one at each position of a text, else one.
  var lossCount: Int { max(1, labelCount) }
}
