import CKernels
import Collectives

/// What ranks tell each other once a step: the sums over this rank's samples, and what it wants the
/// others to know.
///
/// One small sum over all ranks carries everything, so that all ranks learn in the same step that
/// one has to stop, has seen a loss that is not finite, or is about to do something else.
struct StepHeader {
  /// The samples whose losses were added.
  var sampleCount = 0.0
  /// How many answers were right.
  var correctCount = 0.0
  /// How many ranks were asked to stop.
  var stopRequests = 0.0
  /// How many ranks found a loss that is not finite.
  var nonFiniteRanks = 0.0
  /// The sum of the losses of each slice of the batch, which is this rank's or another's.
  ///
  /// They are added up after they have been exchanged, so that their sum does not depend on the
  /// number of ranks.
  var lossSums: [Double]
  /// For each parameter, how many ranks have a gradient.
  var gradientRanks: [Double]
  /// What this rank is about to do, as a small number, and its square: all ranks do the same if and
  /// only if the numbers have no variance.
  private var task = 0.0
  private var taskSquared = 0.0

  init(slices: Int, parameters: Int) {
    lossSums = Array(repeating: 0, count: slices)
    gradientRanks = Array(repeating: 0, count: parameters)
  }

  /// Notes what this rank is about to do.
  mutating func setTask(_ description: [UInt64]) {
    task = Double(description.withUnsafeBytes { ck_hash($0.baseAddress, $0.count) } & 0xF_FFFF)
    taskSquared = task * task
  }

  /// Whether so many ranks, whose headers were added up, do the same.
  func isSameTask(on ranks: Int) -> Bool { Double(ranks) * taskSquared == task * task }

  /// The sum of all losses.
  var lossSum: Double { lossSums.reduce(0, +) }

  /// Adds up the headers of all ranks.
  mutating func reduce(_ communicator: any Communicator) {
    guard communicator.worldSize > 1 else { return }
    let numbers = [sampleCount, correctCount, stopRequests, nonFiniteRanks, task, taskSquared]
    let sums = communicator.allReduce(numbers + lossSums + gradientRanks, .sum)
    (sampleCount, correctCount, stopRequests, nonFiniteRanks) = (sums[0], sums[1], sums[2], sums[3])
    (task, taskSquared) = (sums[4], sums[5])
    let afterLosses = numbers.count + lossSums.count
    lossSums = Array(sums[numbers.count..<afterLosses])
    gradientRanks = Array(sums[afterLosses...])
  }
}
