public import Collectives
public import DataParallel

/// What a trainer reports, on rank zero only.
///
/// Metrics are those of the whole job.
public enum TrainingEvent: Sendable {
  /// The run starts or resumes.
  case started(RunDescription)
  /// An optimizer step was done.
  case step(StepReport)
  /// The end of an epoch, of the steps between two evaluations where `evaluateEverySteps` sets them,
  /// or of the run.
  case epoch(EpochReport)
  /// A step was left out because a loss or gradient was not finite; its report follows, without a
  /// loss.
  case skipped(step: Int, reason: String)
  /// The run returned to the checkpoint of a step because a value was not finite; the next step
  /// reported is the one after it. The steps in `leavingOut` are not computed again, and are
  /// reported without a loss.
  case rolledBack(to: Int, leavingOut: ClosedRange<Int>, reason: String)
  /// A checkpoint was committed: the seconds that writing took, and those that training waited.
  case checkpoint(step: Int, path: String, seconds: Double, waited: Double)
  /// A checkpoint was committed, but something besides failed, such as removing an old one.
  case checkpointWarning(step: Int, reason: String)
  /// A checkpoint could not be written; training continues.
  case checkpointFailed(step: Int, reason: String)
}

/// What a run trains, and on what.
public struct RunDescription: Sendable {
  /// The number of ranks.
  public var worldSize: Int
  /// The number of nodes.
  public var nodeCount: Int
  /// The threads of each rank.
  public var threads: Int
  /// The fixed slices of a batch that make results independent of the number of ranks; nil is none.
  public var fixedSlices: Int?
  /// The steps that each node makes on its own between outer steps; nil makes every step together.
  public var localSteps: Int?
  /// How inter-node all-reduces progress during backward.
  public var overlap: Overlap
  /// The algorithm of inter-node all-reduces, and why it was chosen; nil on one node.
  public var allReduce: AllReduceChoice?
  /// The type of numbers in the messages of gradients between nodes.
  public var wire: WireFormat
  /// Whether each node keeps a part of the optimizer's state.
  public var shardsOptimizer: Bool
  /// The learnable numbers of the model.
  public var parameterCount: Int
  /// Those of them that are trained: all that are not frozen.
  public var trainedParameterCount: Int
  /// Whether metrics count tokens, and not samples.
  public var countsTokens: Bool
  /// The samples, or with text the tokens, to train on.
  public var trainingSamples: Int
  /// The samples, or with text the tokens, that are measured while training.
  public var validationSamples: Int
  /// The samples, or with text the tokens, to test on.
  public var testSamples: Int
  /// What is predicted from what.
  public var task: TaskSummary
  /// The samples of a step over all ranks.
  public var globalBatch: Int
  /// The steps of an epoch.
  public var stepsPerEpoch: Int
  /// The steps of the whole run.
  public var totalSteps: Int
  /// The number of epochs; the last one may be cut short where `training.steps` ends the run.
  public var epochs: Int
  /// The steps that were done before this process started.
  public var completedSteps: Int
  /// Whether predictions are counted as right or wrong.
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
  /// The fraction of right predictions, if they are counted.
  public var accuracy: Double?
  /// The learning rate of the update.
  public var learningRate: Double
  /// The norm of the gradient of the mean loss over the global batch, before clipping; nil if it was not
  /// measured.
  public var gradientNorm: Double?
  /// The global batch's samples, or with text its tokens, over the seconds since the step before.
  public var samplesPerSecond: Double
  /// The seconds that rank zero waited for its data.
  public var dataWait: Double
  /// The seconds that rank zero waited for other ranks and for sums of gradients between nodes.
  public var communication: Double
  /// Loss and accuracy of the epoch, or the steps since the last evaluation, so far.
  public var epochMetrics: Metrics
  /// The steps of the run that were left out so far.
  public var skippedSteps = 0
  /// How often the run returned to a checkpoint so far.
  public var rollbacks = 0
}

/// The end of an epoch, or of the steps between two evaluations.
public struct EpochReport: Sendable {
  /// The number of steps done.
  public var step: Int
  /// The epoch of the last step, counted from 1.
  public var epoch: Int
  /// Loss and accuracy of its training samples, measured at each one's step.
  public var metrics: Metrics
  /// Loss and accuracy of the validation samples, if they were evaluated.
  public var validation: Metrics?
  /// Whether no evaluation of the run had a lower loss.
  public var isBest: Bool
  /// The root of the mean squared error of the validation samples in the unit of the target, where one value
  /// is predicted.
  public var rootMeanSquaredError: Double?
  /// Where the time of each rank went since the epoch before.
  public var phases: [PhaseTimes]
  /// Whether predictions are counted as right or wrong.
  public var hasAccuracy: Bool
  /// Whether metrics count tokens, and not samples.
  public var countsTokens: Bool
  /// The learning rate of the last step.
  public var learningRate: Double
  /// Its samples, or with text its tokens, over its seconds of training.
  public var samplesPerSecond: Double
  /// The seconds of training in this process.
  public var seconds: Double
}
