import Optimizers
import DataParallel
import Base
import Checkpointing

/// Saves checkpoints and remembers whether the newest state is saved.
///
/// Only rank zero's has a store.
final class CheckpointWriter {
  private let store: CheckpointStore?
  private let willSave: () throws -> Void
  private var savedStep: Int
  private var failure: (any Error)?

  init(_ store: CheckpointStore?, savedStep: Int, willSave: @escaping () throws -> Void) {
    self.store = store
    self.savedStep = savedStep
    self.willSave = willSave
  }

  /// Commits the trainer's state.
  ///
  /// When that fails, reports it and lets the training continue.
  func save(_ trainer: Trainer, _ report: (TrainingEvent) throws -> Void) throws {
    // The weights are the same on all ranks, so all throw or none does.
    guard trainer.parallel.arena.hasFiniteValues else {
      throw NonFiniteWeights(step: trainer.step)
    }
    guard let store, savedStep != trainer.step else { return }
    var clock = Stopwatch()
    do {
      try willSave()
      var warnings: [String] = []
      let checkpoint = try store.commit(
        step: trainer.step, files: trainer.checkpointFiles(), onWarning: { warnings.append($0) })
      savedStep = trainer.step
      failure = nil
      try report(.checkpoint(step: trainer.step, path: checkpoint.path, seconds: clock.lap()))
      for warning in warnings {
        try report(.checkpointWarning(step: trainer.step, reason: warning))
      }
    } catch let error as any ExitStatusProviding {
      failure = error
      try report(.checkpointFailed(step: trainer.step, reason: "\(error)"))
    }
  }

  /// Throws the error of the last save, if it failed.
  func requireSaved() throws {
    if let failure { throw failure }
  }
}
