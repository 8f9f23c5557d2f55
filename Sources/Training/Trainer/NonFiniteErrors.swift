public import Base
public import Collectives
public import DataParallel

/// A loss that is infinite or not a number, or such a gradient where steps are skipped.
public struct NonFiniteLoss: AgreedError, ExitStatusProviding, CustomStringConvertible {
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

  /// What happened and what helps.
  public var description: String {
    """
    the loss became \(loss.isNaN ? .nan : loss) at step \(step) (epoch \(epoch), learning rate \(learningRate)), first seen on \(origin); the update was not made and \
    earlier checkpoints are untouched. Lower optimizer.learningRate, set training.gradientClipNorm, or look for \
    non-finite values in the data. training.onNonFinite=skip leaves out such steps
    """
  }

  /// The exit code 80.
  public var exitStatus: ExitStatus { .nonFiniteLoss }
}

/// Weights that are infinite or not numbers, found before they were saved.
public struct NonFiniteWeights: AgreedError, ExitStatusProviding, CustomStringConvertible {
  /// The number of steps done.
  public let step: Int

  /// What happened and what helps.
  public var description: String {
    """
    the weights after step \(step) hold values that are not finite, so they were not saved; earlier checkpoints are \
    untouched. Lower optimizer.learningRate or set training.gradientClipNorm
    """
  }

  /// The exit code 80.
  public var exitStatus: ExitStatus { .nonFiniteLoss }
}
