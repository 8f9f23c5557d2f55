public import DataParallel

/// What a trainer reports while it works, on rank zero only.
///
/// Metrics are those of the whole job.
public enum TrainingEvent: Sendable {
  /// The run begins or goes on.
  case started(RunDescription)
  /// An optimizer step was done.
  case step(StepReport)
  /// All samples of an epoch have been seen, or the steps between two evaluations done where
  /// `training.evaluateEverySteps` sets them, or the whole run.
  case epoch(EpochReport)
  /// A checkpoint was committed.
  case checkpoint(step: Int, path: String, seconds: Double)
  /// A checkpoint could not be written; training goes on.
  case checkpointFailed(step: Int, reason: String)
}

/// What is about to be trained.
public struct RunDescription: Sendable {
  /// The number of ranks.
  public var worldSize: Int
  /// The number of machines.
  public var nodeCount: Int
  /// The threads of each rank.
  public var threads: Int
  /// The fixed parts of a batch that make the result independent of the number of ranks; 0 is none.
  public var shards: Int
  /// How sums across machines go on behind computation.
  public var overlap: Overlap
  /// The learnable numbers of the model.
  public var parameterCount: Int
  /// What metrics count: samples, or with text tokens.
  public var countsTokens: Bool
  /// The samples, or with text the tokens, to train on.
  public var trainingSamples: Int
  /// The samples, or with text the tokens, to test on.
  public var testSamples: Int
  /// The samples of a step over all ranks.
  public var globalBatch: Int
  /// The steps of an epoch.
  public var stepsPerEpoch: Int
  /// The steps of the whole run.
  public var totalSteps: Int
  /// The number of epochs; the last one is not a whole one where `training.steps` ends the run.
  public var epochs: Int
  /// The steps done before, by earlier parts of the run.
  public var completedSteps: Int
  /// Whether there is an accuracy to report.
  public var hasAccuracy: Bool
}

/// One optimizer step.
public struct StepReport: Sendable {
  /// The number of steps done, this one included.
  public var step: Int
  /// Its epoch, counted from 1.
  public var epoch: Int
  /// The mean loss over the global batch, before the update.
  public var loss: Double
  /// The share of right samples, if samples can be right.
  public var accuracy: Double?
  /// The learning rate of the update.
  public var learningRate: Double
  /// The global batch's samples, or with text its tokens, over the seconds since the step before.
  public var samplesPerSecond: Double
  /// Loss and accuracy of the epoch, or the steps since the last evaluation, so far.
  public var epochMetrics: Metrics
}

/// The end of an epoch, or of the steps between two evaluations.
public struct EpochReport: Sendable {
  /// The number of steps done.
  public var step: Int
  /// The epoch of the last step, counted from 1.
  public var epoch: Int
  /// The mean loss over the samples seen in it, each measured when its step was taken.
  public var metrics: Metrics
  /// The same over the test samples, when they were evaluated.
  public var test: Metrics?
  /// Whether samples can be right.
  public var hasAccuracy: Bool
  /// The learning rate of the last step.
  public var learningRate: Double
  /// Its samples, or with text its tokens, over its seconds of training.
  public var samplesPerSecond: Double
  /// The seconds of training that it took in this process.
  public var seconds: Double
}
