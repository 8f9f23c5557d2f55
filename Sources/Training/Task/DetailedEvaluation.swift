import Base
public import Collectives
public import DataLoading
import Foundation
import TensorCore

/// What a model does well and badly on a part of the data.
public struct DetailedEvaluation: Sendable {
  /// A sample that the model got wrong, or was least sure of.
  public struct Mistake: Sendable, Equatable, BitwiseCopyable {
    /// Its number in the part, from 0.
    public var index: Int
    /// Its class.
    public var label: Int
    /// The class with the highest probability.
    public var prediction: Int
    /// The probability of the predicted class.
    public var probability: Double
    /// Its loss: `-log` of the probability of its class.
    public var loss: Double
  }

  /// The errors of one predicted value over all samples, in the unit of the target.
  public struct ValueErrors: Sendable, Equatable {
    /// The mean absolute error.
    public var meanAbsoluteError: Double
    /// The root of the mean squared error.
    public var rootMeanSquaredError: Double
    /// The coefficient of determination, `1 - Σ(y - ŷ)² / Σ(y - mean)²`; nil if all targets are equal.
    public var r2: Double?
  }

  /// A true value and what was predicted for it, in the unit of the target.
  public struct ValuePair: Sendable, Equatable, BitwiseCopyable {
    /// The true value.
    public var target: Double
    /// The predicted value.
    public var prediction: Double
  }

  /// Loss and accuracy.
  public var metrics: Metrics
  /// How often each class was predicted for each; nil where values or tokens are predicted.
  public var confusion: ConfusionMatrix?
  /// The wrongly predicted samples with the largest loss, worst first.
  public var worst: [Mistake] = []
  /// The errors of each predicted value; nil where classes or tokens are predicted.
  public var valueErrors: [ValueErrors]?
  /// Some samples of the first predicted value, evenly spaced, for a picture.
  public var pairs: [ValuePair] = []

  /// Loss and accuracy only.
  public init(metrics: Metrics) { self.metrics = metrics }
}

extension TrainingTask {
  /// The most true and predicted values that a detailed evaluation keeps.
  private static let pairLimit = 1000

  /// Evaluates a part of the data, class by class or value by value; the ranks share the work.
  ///
  /// Collective: all ranks call it, and get the same result.
  ///
  /// - Parameters:
  ///   - part: Which samples.
  ///   - batchSize: The samples that are computed at a time.
  ///   - mistakes: How many wrong predictions to keep, those with the largest loss.
  ///   - communicator: The ranks.
  public func evaluateInDetail(
    _ part: DataPart = .validation, batchSize: Int, mistakes: Int = 0,
    _ communicator: any Communicator
  ) throws -> DetailedEvaluation {
    let count = data[part].count
    var confusion: ConfusionMatrix?
    var errors: ErrorSums?
    switch data[part].targetKind {
    case .classes(let classes): confusion = ConfusionMatrix(count: classes)
    case .values(let shape) where objective.hasAccuracy:
      // One value that is 0 or 1 stands for two classes.
      if shape.reduce(1, *) == 1 { confusion = ConfusionMatrix(count: 2) }
    case .values(let shape): errors = ErrorSums(count: shape.reduce(1, *))
    case .tokens: break
    }
    var wrong: [DetailedEvaluation.Mistake] = []
    var pairs: [DetailedEvaluation.ValuePair] = []
    let pairInterval = (count + TrainingTask.pairLimit - 1) / TrainingTask.pairLimit
    let metrics = try evaluate(
      part, batchSize: batchSize, communicator, limit: nil, isStopRequested: { false }
    ) { batch, outputs in
      guard !countsTokens else { return }
      forEachPrediction(batch, outputs) { index, prediction, target in
        switch prediction {
        case .probabilities(let all):
          let (label, best) = (Int(target[0].rounded()), all.indices.max { all[$0] < all[$1] }!)
          confusion?.counts[label][best] += 1
          guard best != label, mistakes > 0 else { return }
          wrong.append(
            .init(
              index: index, label: label, prediction: best, probability: Double(all[best]),
              loss: -log(max(Double(all[label]), .leastNormalMagnitude))))
        case .values(let values):
          errors?.add(values, target)
          if index % pairInterval == 0 {
            pairs.append(.init(target: Double(target[0]), prediction: Double(values[0])))
          }
        }
      }
      wrong = worst(mistakes, of: wrong)
    }!
    var result = DetailedEvaluation(metrics: metrics)
    confusion?.allReduce(communicator)
    result.confusion = confusion
    result.worst = worst(mistakes, of: communicator.gather(wrong))
    let standardization = signature.preparation.targetStandardization
    errors?.allReduce(communicator)
    result.valueErrors = errors?.errors(scales: standardization?.stds)
    result.pairs = communicator.gather(pairs).map { pair in
      guard let standardization else { return pair }
      let (mean, std) = (Double(standardization.means[0]), Double(standardization.stds[0]))
      return .init(target: pair.target * std + mean, prediction: pair.prediction * std + mean)
    }
    return result
  }

  /// Calls `body` with each sample of a batch: its number in the data, what is predicted and what is true.
  private func forEachPrediction(
    _ batch: Batch, _ outputs: Tensor,
    _ body: (_ index: Int, _ prediction: Prediction, _ target: [Float]) -> Void
  ) {
    let outputs = outputs.flattened(from: 1).converted(to: .float32)
    let targets = batch.targets(batch.positions).converted(to: .float32)
      .reshaped(to: [batch.count, -1])
    for (offset, position) in batch.positions.enumerated() {
      body(position, objective.prediction(outputs[offset]), targets[offset].array())
    }
  }

  /// The mistakes with the largest losses, of equal ones the first.
  private func worst(
    _ count: Int, of mistakes: [DetailedEvaluation.Mistake]
  ) -> [DetailedEvaluation.Mistake] {
    Array(mistakes.sorted { ($1.loss, $0.index) < ($0.loss, $1.index) }.prefix(count))
  }
}

/// Sums over samples from which the errors of predicted values follow.
private struct ErrorSums {
  private var samples = 0.0
  /// For each value: Σ|e|, Σe², Σy, Σy².
  private var sums: [[Double]]

  init(count: Int) { sums = Array(repeating: [0, 0, 0, 0], count: count) }

  mutating func add(_ values: [Float], _ target: [Float]) {
    samples += 1
    for (index, (value, truth)) in zip(values, target).enumerated() {
      let (error, y) = (Double(value) - Double(truth), Double(truth))
      sums[index][0] += abs(error)
      sums[index][1] += error * error
      sums[index][2] += y
      sums[index][3] += y * y
    }
  }

  mutating func allReduce(_ communicator: any Communicator) {
    let totals = communicator.allReduce([samples] + sums.flatMap { $0 }, .sum)
    samples = totals[0]
    for index in sums.indices { sums[index] = Array(totals[(1 + 4 * index)..<(5 + 4 * index)]) }
  }

  func errors(scales: [Float]?) -> [DetailedEvaluation.ValueErrors] {
    sums.enumerated().map { index, sums in
      let scale = Double(scales?[index] ?? 1)
      let spread = sums[3] - sums[2] * sums[2] / samples
      return .init(
        meanAbsoluteError: scale * sums[0] / samples,
        rootMeanSquaredError: scale * (sums[1] / samples).squareRoot(),
        r2: spread > 0 ? 1 - sums[1] / spread : nil)
    }
  }
}
