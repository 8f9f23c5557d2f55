import Optimizers
import DataParallel
import Base
import Checkpointing

/// Saves checkpoints and remembers whether the newest state is saved.
///
/// Only rank zero's has a store.
final class CheckpointWriter {
  private let store: CheckpointStore?
  private var savedStep: Int
  private var failure: (any Error)?

  init(_ store: CheckpointStore?, savedStep: Int) {
    self.store = store
    self.savedStep = savedStep
  }

  /// Commits the trainer's state.
  ///
  /// When that fails, reports it and lets the training continue.
  func save(_ trainer: Trainer, _ report: (TrainingEvent) throws -> Void) throws {
    // All ranks take part: weights that are wrong on some rank must not become a checkpoint.
    try trainer.parallel.audit(includesOptimizer: true)
    // The weights are the same on all ranks, so all throw or none does.
    guard trainer.parallel.arena.hasFiniteValues else {
      throw NonFiniteWeights(step: trainer.step)
    }
    guard let store, savedStep != trainer.step else { return }
    var clock = Stopwatch()
    do {
      let checkpoint = try store.commit(step: trainer.step, files: trainer.checkpointFiles())
      savedStep = trainer.step
      failure = nil
      try report(.checkpoint(step: trainer.step, path: checkpoint.path, seconds: clock.lap()))
    } catch let error as CheckpointError {
      failure = error
      try report(.checkpointFailed(step: trainer.step, reason: error.description))
    }
  }

  /// Throws the error of the last save, if it failed.
  func requireSaved() throws {
    if let failure { throw failure }
  }
}
