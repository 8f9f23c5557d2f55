/// Loss and accuracy over samples, or with text over tokens; exact however these are distributed
/// over steps and ranks.
public struct Metrics: Sendable, Equatable {
  /// The number of samples, or with text of tokens.
  public var sampleCount = 0.0
  /// The sum of their losses.
  public var lossSum = 0.0
  /// How many predictions were right.
  public var correctCount = 0.0

  /// The mean loss of a sample or token; not a number without any.
  public var loss: Double { lossSum / sampleCount }
  /// The fraction of right predictions.
  public var accuracy: Double { correctCount / sampleCount }

  /// Adds the samples of another measurement.
  static func += (sum: inout Metrics, other: Metrics) {
    sum.sampleCount += other.sampleCount
    sum.lossSum += other.lossSum
    sum.correctCount += other.correctCount
  }
}
