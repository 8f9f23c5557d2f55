public import Base
public import Collectives
public import DataParallel

/// A loss, gradient or weight that is infinite or NaN.
protocol NonFiniteError: Error {
  /// What happened, and where.
  var event: String { get }
  /// The step, counted from 1, without whose update it would not have happened.
  var suspectStep: Int { get }
  /// How often the run returned to a checkpoint before this error.
  var rollbacks: Int { get set }
}

/// A loss that is infinite or not a number, or such a gradient where steps are skipped.
public struct NonFiniteLoss: AgreedError, NonFiniteError, ExitStatusProviding,
  CustomStringConvertible
{
  /// The step that was being taken, counted from 1.
  public let step: Int
  /// Its epoch, counted from 1.
  public let epoch: Int
  /// The loss.
  public let loss: Double
  /// The learning rate at that step.
  public let learningRate: Double
  /// Where it was seen first; samples are numbered in the order of the epoch.
  public let origin: NonFiniteStep.Origin
  /// How often the run returned to a checkpoint before this step.
  public internal(set) var rollbacks = 0

  /// What happened and what helps.
  public var description: String {
    let rest =
      rollbacks > 0
      ? "The run returned to a checkpoint \(count(rollbacks, "time")) before"
      : "training.onNonFinite=skip leaves out such steps, rollback returns to a checkpoint first"
    return """
      \(event); the update was not made and earlier checkpoints are untouched. Lower \
      optimizer.learningRate, set training.gradientClipNorm, or look for non-finite values in the data. \
      \(rest)
      """
  }

  var event: String {
    let loss = loss.isNaN ? Double.nan : loss
    return
      "the loss became \(loss) at step \(step) (epoch \(epoch), learning rate \(learningRate)), "
      + "first seen on \(origin)"
  }

  /// Weights become non-finite in the update before.
  var suspectStep: Int { origin.part == .weights ? step - 1 : step }

  /// The exit code 80.
  public var exitStatus: ExitStatus { .nonFiniteLoss }
}

/// Weights that are infinite or not numbers, found before they were saved.
public struct NonFiniteWeights: AgreedError, NonFiniteError, ExitStatusProviding,
  CustomStringConvertible
{
  /// The number of steps done.
  public let step: Int
  /// How often the run returned to a checkpoint before.
  public internal(set) var rollbacks = 0

  /// What happened and what helps.
  public var description: String {
    """
    \(event), so they were not saved; earlier checkpoints are untouched. Lower optimizer.learningRate or set \
    training.gradientClipNorm\
    \(rollbacks > 0 ? ". The run returned to a checkpoint \(count(rollbacks, "time")) before" : "")
    """
  }

  var event: String { "the weights after step \(step) hold values that are not finite" }

  var suspectStep: Int { step }

  /// The exit code 80.
  public var exitStatus: ExitStatus { .nonFiniteLoss }
}
