import DataParallel

// With `localSteps` the nodes have the same weights only after outer steps: evaluations, checkpoints and
// stops wait for the next one.
extension Trainer {
  /// The first step, not before the given one, after which all nodes have the same weights.
  func synchronizedStep(_ step: Int) -> Int {
    guard let interval = parallel.options.localSteps, step < totalSteps else { return step }
    return min(step.roundedUp(toMultipleOf: interval), totalSteps)
  }

  /// Whether something is due after this step that happens at the multiples of an interval, or at the
  /// first step after one at which all nodes have the same weights.
  func isDue(every interval: Int) -> Bool {
    guard let localSteps = parallel.options.localSteps else { return step.isMultiple(of: interval) }
    guard synchronizedStep(step) == step else { return false }
    let before = (step - 1) / localSteps * localSteps
    return step / interval > before / interval
  }

  /// Notes a request on which the ranks agree, and takes it if all nodes have the same weights now.
  func takeRequest(_ isPending: inout Bool, _ isNew: Bool) -> Bool {
    let isTaken = (isPending || isNew) && synchronizedStep(step) == step
    isPending = (isPending || isNew) && !isTaken
    return isTaken
  }
}

extension Int {
  /// The smallest multiple of a positive number that is not below.
  fileprivate func roundedUp(toMultipleOf factor: Int) -> Int {
    let rest = self % factor
    return rest == 0 ? self : self + (factor - rest)
  }
}
