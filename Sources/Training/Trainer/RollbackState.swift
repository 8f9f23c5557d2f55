/// The returns of a run to its checkpoints: which steps it leaves out since, and how often it returned.
///
/// Part of a checkpoint's state, so that a resumed run leaves out the same steps.
struct RollbackState: Codable, Equatable {
  /// The steps, counted from 1, that are left out when the run reaches them; ascending.
  private(set) var leftOut: [ClosedRange<Int>] = []
  /// How often the run returned to a checkpoint.
  private(set) var count = 0
  /// How often in a row it returned to the weights after the same number of updates.
  private(set) var inARow = 0
  /// The number of updates of the weights that it returned to last.
  private var updates = -1

  /// Whether a step, counted from 1, is left out.
  func leavesOut(_ step: Int) -> Bool { leftOut.contains { $0.contains(step) } }

  /// Counts a return to the weights after this number of updates.
  mutating func countReturn(updates: Int) {
    count += 1
    inARow = updates == self.updates ? inARow + 1 : 1
    self.updates = updates
  }

  /// Leaves out a step that failed after a return to a checkpoint; returns the steps left out.
  ///
  /// The first time it is only this step. If the step before it was left out already, and that did
  /// not help, it is all steps since the checkpoint.
  mutating func leaveOut(_ suspect: Int, after checkpoint: Int) -> ClosedRange<Int> {
    let last = max(suspect, checkpoint + 1)
    let isRepeated = leavesOut(last) || last - 1 > checkpoint && leavesOut(last - 1)
    let steps = (isRepeated ? checkpoint + 1 : last)...last
    let all = (leftOut + [steps]).sorted { $0.lowerBound < $1.lowerBound }
    leftOut = all.reduce(into: []) { merged, next in
      guard let previous = merged.last, next.lowerBound <= previous.upperBound + 1 else {
        merged.append(next)
        return
      }
      merged[merged.count - 1] =
        previous.lowerBound...max(previous.upperBound, next.upperBound)
    }
    return steps
  }

  /// Whether all numbers are within `counts`, which leaves room to count on.
  func isPossible(_ counts: ClosedRange<Int>) -> Bool {
    leftOut.allSatisfy { counts.contains($0.lowerBound) && counts.contains($0.upperBound) }
      && counts.contains(count) && counts.contains(inARow)
  }
}
