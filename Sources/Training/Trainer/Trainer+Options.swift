import Base
import DataLoading
public import Settings

/// What a run does when a loss or a gradient becomes infinite or NaN.
public enum NonFinitePolicy: String, Sendable, CaseIterable, SettingRepresentable {
  /// Ends with exit code 80 when the loss is not finite.
  case stop
  /// Leaves out the update, and counts it; ends the run when too many steps in a row are left out, or
  /// the weights themselves are not finite. Checks gradients too, which takes a pass over them.
  case skip
  /// Returns to the newest checkpoint of the run and continues from there, leaving out the step that
  /// failed, or more steps where that was not enough; see `Trainer.rollBack`. Checks gradients too.
  case rollback

  /// The steps in a row that `skip` may leave out.
  static let longestSkip = 10
  /// The times in a row that `rollback` may return to the same weights.
  static let mostRollbacks = 10
}

extension Trainer {
  /// How long, in which batches and with which evaluations to train.
  public struct Options: SettingsGroup {
    /// The most steps of a run: numbers of steps are exact also as floating-point numbers, and their
    /// arithmetic does not overflow.
    static let mostSteps = 1_000_000_000_000_000

    /// The passes over the training data.
    @Setting(
      "passes over the training data", in: 1...1_000_000_000, unit: "epochs",
      mayChangeOnResume: true)
    public var epochs = 20
    /// The steps of the run; nil leaves it to the epochs.
    @Setting(
      "steps of the run, instead of epochs; null leaves it to training.epochs",
      in: 1...Options.mostSteps, unit: "steps", unset: 0, mayChangeOnResume: true)
    public var steps: Int? = nil
    /// The samples of a step over all ranks.
    @Setting("samples of a step over all ranks", in: 1...1_000_000_000, unit: "samples")
    public var globalBatch = 64
    /// The random seed of initial weights, sample order and dropout.
    @Setting("random seed of initial weights, sample order and dropout", in: 0...)
    public var seed = 1
    /// The epochs between two evaluations on the validation samples; nil never evaluates.
    @Setting(
      "epochs between two evaluations on the validation samples; null is never", in: 1...,
      unit: "epochs", unset: 0, mayChangeOnResume: true)
    public var evaluateEveryEpochs: Int? = 1
    /// The steps between two evaluations, instead of epochs; nil leaves it to the epochs.
    @Setting(
      "steps between two evaluations and lines of output; null leaves it to evaluateEveryEpochs",
      in: 1..., unit: "steps", unset: 0, mayChangeOnResume: true)
    public var evaluateEverySteps: Int? = nil
    /// The batches of validation samples, evenly spaced, of each evaluation but the last; nil is all.
    @Setting(
      "batches of validation samples, evenly spaced, of each evaluation but the last; null is all",
      in: 1...1_000_000_000, unit: "batches", unset: 0, mayChangeOnResume: true)
    public var evaluationBatches: Int? = nil

    /// After how many evaluations in a row without a lower validation loss the run ends; nil never.
    @Setting(
      "evaluations in a row without a lower validation loss after which the run ends; null is never",
      in: 1...1_000_000_000, unit: "evaluations", unset: 0, mayChangeOnResume: true)
    public var stopAfterWithoutImprovement: Int? = nil

    /// What happens when a loss or a gradient becomes infinite or NaN.
    @Setting(
      "stop ends the run when the loss is not finite; skip leaves out a step whose loss or gradient is not finite; rollback returns to the newest checkpoint and leaves out that step, and all steps since the checkpoint if the next step fails too",
      mayChangeOnResume: true)
    public var onNonFinite = NonFinitePolicy.stop

    /// The settings of a run's length, by their paths: they may change when a run that was named
    /// resumes, but a run of another length is not the same run.
    package static let lengthSettings: Set = ["training.epochs", "training.steps"]

    /// The defaults.
    public init() {}

    /// The steps of a run that trains a task.
    public func totalSteps(for task: TrainingTask) -> Int {
      steps ?? epochs.multiplied(by: sampler(for: task).batchesPerEpoch)
        .map { min($0, Options.mostSteps) } ?? Options.mostSteps
    }

    /// Whether validation samples are evaluated while training.
    func evaluates(_ task: TrainingTask) -> Bool {
      task.data.validation.count > 0 && (evaluateEverySteps ?? evaluateEveryEpochs) != nil
    }

    /// The order of the samples.
    func sampler(for task: TrainingTask) -> GlobalBatchSampler {
      if task.classOptions.classBalance == .sampling, let labels = task.data.train.labels {
        return GlobalBatchSampler(balancing: labels, globalBatch: globalBatch, seed: UInt64(seed))
      }
      return GlobalBatchSampler(
        for: task.data.train, globalBatch: globalBatch, seed: UInt64(seed))
    }
  }

  /// When checkpoints are saved and removed.
  public struct CheckpointOptions: SettingsGroup {
    /// The steps between checkpoints; nil saves one at each evaluation or end of an epoch.
    @Setting(
      "steps between checkpoints; null saves one at each evaluation or end of an epoch", in: 1...,
      unit: "steps", unset: 0, mayChangeOnResume: true)
    public var everySteps: Int? = nil
    /// The checkpoints that are kept; nil keeps all.
    @Setting(
      "number of checkpoints that are kept, the newest ones; null keeps all", in: 1..., unset: 0,
      mayChangeOnResume: true, perRank: true)
    public var keep: Int? = 3
    /// Whether the checkpoint with the lowest validation loss is kept besides.
    @Setting(
      "keep, besides the newest checkpoints, the one with the lowest validation loss",
      mayChangeOnResume: true)
    public var keepBest = false
    /// Whether training continues while a copy of the state is written.
    @Setting(
      "continue training while a copy of the weights and the optimizer's state, in memory, is written",
      mayChangeOnResume: true, perRank: true)
    public var background = true
    /// Whether the signal USR2 saves a checkpoint.
    @Setting(
      "save a checkpoint, and continue, on the signal USR2", mayChangeOnResume: true,
      perRank: true)
    public var onSignal = true

    /// The defaults.
    public init() {}
  }
}
