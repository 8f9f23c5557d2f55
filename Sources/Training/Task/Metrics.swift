import Foundation

/// Loss and accuracy over samples, or with text over tokens; exact however these are distributed
/// over steps and ranks.
public struct Metrics: Sendable, Equatable {
  /// The number of samples, or with text of tokens.
  public var sampleCount = 0.0
  /// The sum of their losses.
  public var lossSum = 0.0
  /// How many predictions were right.
  public var correctCount = 0.0

  /// The bytes of text that the tokens stand for; 0 if they are not known.
  public var byteCount = 0.0

  /// The mean loss of a sample or token; not a number without any.
  public var loss: Double { lossSum / sampleCount }
  /// The fraction of right predictions.
  public var accuracy: Double { correctCount / sampleCount }

  /// The exponential of the loss: with text, among how many equally likely tokens the model would be as
  /// uncertain.
  public var perplexity: Double { exp(loss) }
  /// The loss in bits for each byte of the text, which compares models with different tokenizers; nil if
  /// the bytes are not known.
  public var bitsPerByte: Double? { byteCount > 0 ? lossSum / log(2) / byteCount : nil }

  /// Adds the samples of another measurement.
  static func += (sum: inout Metrics, other: Metrics) {
    sum.sampleCount += other.sampleCount
    sum.lossSum += other.lossSum
    sum.correctCount += other.correctCount
    sum.byteCount += other.byteCount
  }
}
