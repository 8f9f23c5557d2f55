import Collectives

/// How often each class was predicted for the samples of each class.
public struct ConfusionMatrix: Sendable, Equatable {
  /// How well one class is told from the others.
  public struct ClassScores: Sendable, Equatable {
    /// The samples of the class.
    public var support: Int
    /// The share of its predictions that are right; nil if it was never predicted.
    public var precision: Double?
    /// The share of its samples that are recognized; nil if there are none.
    public var recall: Double?
    /// The harmonic mean of precision and recall, `2 tp / (2 tp + fp + fn)`; nil without samples and
    /// predictions.
    public var f1: Double?
  }

  /// The samples of class `true` for which `predicted` was predicted: `counts[true][predicted]`.
  public var counts: [[Int]]

  /// A matrix of zeros.
  public init(count: Int) {
    counts = Array(repeating: Array(repeating: 0, count: count), count: count)
  }

  /// The scores of each class, as scikit-learn's `precision_recall_fscore_support` defines them.
  public var scores: [ClassScores] {
    counts.indices.map { label in
      let right = counts[label][label]
      let samples = counts[label].reduce(0, +)
      let predictions = counts.reduce(0) { $0 + $1[label] }
      func share(_ part: Int, of whole: Int) -> Double? {
        whole > 0 ? Double(part) / Double(whole) : nil
      }
      return ClassScores(
        support: samples, precision: share(right, of: predictions),
        recall: share(right, of: samples), f1: share(2 * right, of: samples + predictions))
    }
  }

  /// The mean F1 of the classes that have samples; nil without samples.
  public var macroF1: Double? {
    let scores = scores.filter { $0.support > 0 }.map { $0.f1 ?? 0 }
    return scores.isEmpty ? nil : scores.reduce(0, +) / Double(scores.count)
  }

  /// Adds up the matrices of all ranks.
  mutating func allReduce(_ communicator: any Communicator) {
    let sums = communicator.allReduce(counts.flatMap { $0.map(Double.init) }, .sum)
    let count = counts.count
    counts = (0..<count).map { label in
      sums[(label * count)..<((label + 1) * count)].map { Int($0) }
    }
  }
}
