import Checkpointing
import Collectives

extension Trainer {
  /// Returns to the newest checkpoint of the run after a value that is not finite.
  ///
  /// The same steps on the same samples would give the same value again. So the first time, only the
  /// step that failed is left out, or for weights the step whose update wrote them. If the next step
  /// fails too, it is not one batch that is bad but the weights before it: then all steps since the
  /// checkpoint are left out. A step that is left out computes nothing; its samples and its learning
  /// rate are passed over.
  ///
  /// Collective. Throws `failure` when there is no checkpoint, or when the run has returned to the
  /// same weights too often.
  func rollBack(
    after failure: any NonFiniteError, _ checkpoints: CheckpointWriter,
    _ report: (TrainingEvent) throws -> Void
  ) throws {
    var rollbacks = state.rollbacks ?? RollbackState()
    var failure = failure
    failure.rollbacks = rollbacks.count
    let checkpoint = try communicator.collectiveTry { try checkpoints.newest(report) }
    guard communicator.broadcast(checkpoint != nil) else { throw failure }
    try restore(from: checkpoint)
    rollbacks.countReturn(updates: step - (state.skippedSteps ?? 0))
    guard rollbacks.inARow <= NonFinitePolicy.mostRollbacks else { throw failure }
    // Its epoch was reported when this process started.
    if isEvaluationPending { state.epochMetrics = Metrics() }
    let steps = rollbacks.leaveOut(failure.suspectStep, after: step)
    state.rollbacks = rollbacks
    try report(.rolledBack(to: step, leavingOut: steps, reason: failure.event))
  }
}
