import ArgumentParser
import Lockstep
import Logging
import Training

/// A checkpoint to be used, and whether it must be the newest.
struct CheckpointOptions: ParsableArguments {
  @Argument(
    help: ArgumentHelp(
      "A run's directory, whose newest checkpoint is used, or a checkpoint. runs/NAME is the newest run there.",
      valueName: "run-or-checkpoint"))
  var path: String

  @Flag(
    help: "Use the run's checkpoint with the lowest validation loss; see checkpoint.keepBest.")
  var best = false

  @Flag(help: "Refuse an older checkpoint where the newest is damaged.")
  var strict = false

  /// Opens the checkpoint; rank zero warns of newer ones that are damaged.
  func open(_ communicator: any Communicator) throws -> Checkpoint {
    try Run.findCheckpoint(
      at: path, isBest: best, isStrict: strict,
      onWarning: { if communicator.isRoot { logger.warning("\($0)") } })
  }
}
