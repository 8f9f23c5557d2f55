import Collectives

/// What ranks tell each other once a step: the sums over this rank's samples, and what it wants the
/// others to know.
///
/// One small sum over all ranks carries everything, so that all ranks learn in the same step that
/// one has to stop or has seen a loss that is not finite.
struct StepHeader {
  /// The samples whose losses were added.
  var sampleCount = 0.0
  /// How many answers were right.
  var correctCount = 0.0
  /// How many ranks were asked to stop.
  var stopRequests = 0.0
  /// How many ranks found a loss that is not finite.
  var nonFiniteRanks = 0.0
  /// The sum of the losses of each slice of the batch, which is this rank's or another's. They are
  /// added up after they have been exchanged, so that the sum does not depend on the number of ranks.
  var lossSums: [Double]
  /// For each parameter, how many ranks have a gradient.
  var gradientRanks: [Double]

  /// The sum of all losses.
  var lossSum: Double { lossSums.reduce(0, +) }

  /// Adds up the headers of all ranks.
  mutating func reduce(_ communicator: any Communicator) {
    guard communicator.worldSize > 1 else { return }
    let values =
      [sampleCount, correctCount, stopRequests, nonFiniteRanks] + lossSums + gradientRanks
    let sums = communicator.allReduce(values, .sum)
    (sampleCount, correctCount, stopRequests, nonFiniteRanks) = (sums[0], sums[1], sums[2], sums[3])
    lossSums = Array(sums[4..<(4 + lossSums.count)])
    gradientRanks = Array(sums[(4 + lossSums.count)...])
  }
}
