/// The evaluation with the lowest validation loss of a run, and how many have come since.
///
/// Part of a checkpoint's state, so that a resumed run ends where it would have ended.
struct BestEvaluation: Codable, Equatable {
  /// The number of steps that were done.
  private(set) var step: Int
  /// The validation loss.
  private(set) var loss: Double
  /// The evaluations since, none of which was better.
  private(set) var evaluationsSince = 0

  /// The first evaluation.
  init(step: Int, loss: Double) { (self.step, self.loss) = (step, loss) }

  /// Notes a further evaluation; a loss that is not a number is no improvement.
  mutating func note(step: Int, loss: Double) {
    if loss < self.loss {
      self = BestEvaluation(step: step, loss: loss)
    } else {
      evaluationsSince += 1
    }
  }

  /// Whether the numbers are possible after `step` steps.
  func isPossible(upTo step: Int) -> Bool {
    (0...step).contains(self.step) && loss.isFinite && (0...step).contains(evaluationsSince)
  }
}
