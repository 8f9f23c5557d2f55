import Base
import Checkpointing
import Collectives
import DataParallel
import Optimizers

/// Saves checkpoints and remembers whether the newest state is saved.
///
/// Only rank zero's has a store. In the background, a thread copies the state while the next step computes
/// gradients, which changes no weights, and then writes the copy: one checkpoint at a time. The result is
/// reported by this thread, at a later step.
final class CheckpointWriter {
  private let store: CheckpointStore?
  private let isInBackground: Bool
  private let willSave: () throws -> Void
  /// The step of the newest checkpoint that was requested, or that the run started from; nil if
  /// there is none.
  private var requestedStep: Int?
  private var failure: (any Error)?
  private var pending: PendingCheckpoint?
  /// The seconds that training waited for the checkpoint that is being written.
  private var waited = 0.0
  private let buffer = CheckpointBuffer()

  init(
    _ store: CheckpointStore?, savedStep: Int?, inBackground isInBackground: Bool,
    willSave: @escaping () throws -> Void
  ) {
    (self.store, requestedStep) = (store, savedStep)
    (self.isInBackground, self.willSave) = (isInBackground, willSave)
  }

  /// Commits the trainer's state, or starts to.
  ///
  /// When that fails, reports it and lets the training continue.
  func save(_ trainer: Trainer, _ report: (TrainingEvent) throws -> Void) throws {
    let clock = Stopwatch()
    // All ranks take part: weights that are wrong on some rank must not become a checkpoint.
    try trainer.parallel.audit(includesOptimizer: true)
    // The weights are the same on all ranks, so all throw or none does.
    guard trainer.parallel.arena.hasFiniteValues else {
      throw NonFiniteWeights(step: trainer.step)
    }
    // Only rank zero knows.
    let isWritten = trainer.communicator.broadcast(store != nil && requestedStep != trainer.step)
    if isWritten { trainer.parallel.prepareToSave() }
    let hasReplicas = trainer.parallel.replicaCount > 1
    let replicas = isWritten && hasReplicas ? trainer.parallel.gatherReplicaStates() : []
    guard isWritten else { return }
    try write(trainer, replicas, since: clock, report)
    // The others wait here and not in the next step, so that a watchdog sees that they wait for a disk.
    trainer.communicator.barrier()
  }

  /// Writes the trainer's state, or starts to, on rank zero.
  private func write(
    _ trainer: Trainer, _ replicas: [ReplicaState], since clock: Stopwatch,
    _ report: (TrainingEvent) throws -> Void
  ) throws {
    guard let store else { return }
    try finish(report)
    requestedStep = trainer.step
    do {
      try willSave()
      let files = trainer.checkpointFiles(replicas: replicas)
      if isInBackground {
        pending = PendingCheckpoint(
          step: trainer.step, bestStep: trainer.keptBestStep, files, buffer, to: store)
        waited = clock.elapsed
      } else {
        let outcome = PendingCheckpoint.write(
          step: trainer.step, bestStep: trainer.keptBestStep, .success(files), to: store)
        try end(outcome, trainer.step, report)
      }
    } catch let error as any ExitStatusProviding {
      failure = error
      try report(.checkpointFailed(step: trainer.step, reason: "\(error)"))
    }
  }

  /// The newest checkpoint, to return to: on rank zero, and nil if there is none.
  ///
  /// Waits for the one that is being written, and sets aside newer ones that are damaged.
  func newest(_ report: (TrainingEvent) throws -> Void) throws -> Checkpoint? {
    try finish(report)
    guard let store else { return nil }
    try willSave()
    guard let (checkpoint, rejected) = try store.newestUsable(prefersAudited: true)
    else { return nil }
    for warning in try store.prepareToResume(from: checkpoint, settingAside: rejected) {
      try report(.checkpointWarning(step: checkpoint.step, reason: warning))
    }
    requestedStep = checkpoint.step
    return checkpoint
  }

  /// Waits until the state has been copied: the weights may be updated.
  func waitForCopy() {
    guard let pending else { return }
    var clock = Stopwatch()
    pending.waitForCopy()
    waited += clock.lap()
  }

  /// Reports the checkpoint that is being written, if it has been.
  func poll(_ report: (TrainingEvent) throws -> Void) throws {
    if pending?.isDone ?? false { try finish(report) }
  }

  /// Waits for the checkpoint that is being written, and reports it.
  func finish(_ report: (TrainingEvent) throws -> Void) throws {
    guard let pending else { return }
    self.pending = nil
    try end(pending.wait(), pending.step, report)
  }

  private func end(
    _ outcome: PendingCheckpoint.Outcome, _ step: Int, _ report: (TrainingEvent) throws -> Void
  ) throws {
    switch outcome.result {
    case .success(let checkpoint):
      failure = nil
      try report(
        .checkpoint(
          step: step, path: checkpoint.path, seconds: outcome.seconds,
          waited: isInBackground ? waited : outcome.seconds))
      for warning in outcome.warnings {
        try report(.checkpointWarning(step: step, reason: warning))
      }
    case .failure(let error):
      guard error is any ExitStatusProviding else { throw error }
      failure = error
      try report(.checkpointFailed(step: step, reason: "\(error)"))
    }
  }

  /// Waits on all ranks for the checkpoint that is being written, and throws the error of the last one if
  /// it failed.
  func requireSaved(
    _ communicator: any Communicator, _ report: (TrainingEvent) throws -> Void
  ) throws {
    try finish(report)
    communicator.barrier()
    if let failure { throw failure }
  }
}
