import Collectives
import DataLoading
import NeuralNetworks
import TensorCore
import Testing
import Training

@Suite("Evaluation class by class and value by value") struct DetailedEvaluationTests {
  /// A task whose model gives its inputs back: they are the logits, or the predicted value.
  private func task(_ data: InMemoryDataset) throws -> TrainingTask {
    try TrainingTask(data: DataSplits(train: data, validation: data)) { _ in Flatten() }
  }

  /// Seven samples of three classes; the second and the fifth are taken for another class.
  private let classes = InMemoryDataset(
    inputs: [
      3, 0, 0, 0, 2, 1, 0, 4, 0, 0, 0, 5, 9, 0, 1, 0, 0, 6, 2, 0, 0,
    ], inputShape: [3], labels: [0, 0, 1, 2, 2, 2, 0], classes: 3)

  @Test("the confusion matrix, its scores and the worst mistakes; the same on any number of ranks")
  func confusion() throws {
    let alone = try task(classes).evaluateInDetail(batchSize: 2, mistakes: 5, SingleProcess())
    let confusion = try #require(alone.confusion)
    #expect(confusion.counts == [[2, 1, 0], [0, 1, 0], [1, 0, 2]])
    // scikit-learn's precision_recall_fscore_support gives these.
    let scores = confusion.scores
    #expect(scores.map(\.support) == [3, 1, 3])
    #expect(scores.map(\.precision) == [2 / 3, 1 / 2, 1])
    #expect(scores.map(\.recall) == [2 / 3, 1, 2 / 3])
    #expect(abs(scores[2].f1! - 0.8) < 1e-12)
    #expect(alone.worst.map(\.index) == [4, 1])
    #expect(alone.worst.map(\.prediction) == [0, 1] && alone.worst.map(\.label) == [2, 0])
    #expect(abs(alone.worst[0].loss - 8.0004) < 0.001)
    #expect(alone.metrics.sampleCount == 7 && alone.metrics.correctCount == 5)
    #expect(alone.valueErrors == nil)
    let shared = try withRanks(3) { ranks in
      try task(classes).evaluateInDetail(batchSize: 2, mistakes: 5, ranks)
    }
    #expect(shared.allSatisfy { $0.confusion == confusion && $0.worst == alone.worst })
  }

  @Test("a class that is never predicted has no precision, one without samples no recall")
  func missing() {
    var confusion = ConfusionMatrix(count: 2)
    confusion.counts = [[0, 0], [3, 0]]
    #expect(confusion.scores[0].recall == nil && confusion.scores[0].precision == 0)
    #expect(confusion.scores[1].precision == nil && confusion.scores[1].recall == 0)
    #expect(confusion.macroF1 == 0)
    #expect(ConfusionMatrix(count: 2).macroF1 == nil)
  }

  @Test("the errors of values")
  func values() throws {
    let data = InMemoryDataset(
      inputs: [1, 2, 3, 5], inputShape: [1], values: [1, 2, 3, 4], valueShape: [1])
    for ranks in [1, 3] {
      let results = try withRanks(ranks) { ranks in
        try task(data).evaluateInDetail(batchSize: 2, ranks)
      }
      for result in results {
        let errors = try #require(result.valueErrors?.first)
        #expect(errors.meanAbsoluteError == 0.25 && errors.rootMeanSquaredError == 0.5)
        // 1 - 1 / 5: the squares of the distances to 2.5 sum up to 5.
        #expect(abs(errors.r2! - 0.8) < 1e-12)
        #expect(result.pairs.map(\.target) == [1, 2, 3, 4])
        #expect(result.confusion == nil && result.worst.isEmpty)
      }
    }
    let equal = InMemoryDataset(
      inputs: [1, 2], inputShape: [1], values: [7, 7], valueShape: [1])
    let result = try task(equal).evaluateInDetail(batchSize: 2, SingleProcess())
    #expect(result.valueErrors?[0].r2 == nil)
  }
}
