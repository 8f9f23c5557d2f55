import Collectives

/// What ranks tell each other once a step: the sums over this rank's samples, and what it wants the
/// others to know.
///
/// One small sum over all ranks carries everything, so that all ranks learn in the same step that
/// one has to stop or has seen a loss that is not finite.
struct StepHeader {
  /// The samples, or with text the tokens, whose losses were added.
  var sampleCount = 0.0
  /// The sum of their losses.
  var lossSum = 0.0
  /// How many were right.
  var correctCount = 0.0
  /// How many ranks were asked to stop.
  var stopRequests = 0.0
  /// How many ranks found a loss that is not finite.
  var nonFiniteRanks = 0.0
  /// For each parameter, how many ranks have a gradient.
  var gradientRanks: [Double]

  /// Adds up the headers of all ranks.
  mutating func reduce(_ communicator: any Communicator) {
    let values = [sampleCount, lossSum, correctCount, stopRequests, nonFiniteRanks] + gradientRanks
    let sums = communicator.allReduce(values, .sum)
    (sampleCount, lossSum, correctCount) = (sums[0], sums[1], sums[2])
    (stopRequests, nonFiniteRanks) = (sums[3], sums[4])
    gradientRanks = Array(sums[5...])
  }
}

/// Loss and accuracy over samples, or with text over tokens, exact however these were spread over
/// steps and ranks.
public struct Metrics: Sendable, Equatable {
  /// The number of samples, or with text of tokens.
  public var sampleCount = 0.0
  /// The sum of their losses.
  public var lossSum = 0.0
  /// How many were right.
  public var correctCount = 0.0

  /// The mean loss of a sample or token; not-a-number without any.
  public var loss: Double { lossSum / sampleCount }
  /// The share of those that were right.
  public var accuracy: Double { correctCount / sampleCount }

  /// Adds the samples of another measurement.
  static func += (sum: inout Metrics, other: Metrics) {
    sum.sampleCount += other.sampleCount
    sum.lossSum += other.lossSum
    sum.correctCount += other.correctCount
  }
}
