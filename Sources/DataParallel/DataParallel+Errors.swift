public import Base
public import Collectives

/// Ranks that were about to make different updates; none was made.
public struct StepsDiffer: AgreedError, ExitStatusProviding, CustomStringConvertible {
  /// The step, counted from 1, on the rank that reports it.
  public let step: Int

  /// What happened and what helps.
  public var description: String {
    """
    at step \(step) the ranks differ in their number of steps, batch, epoch or learning rate; the update was not \
    made. All of these must be computed from values that are the same on all ranks
    """
  }

  /// The exit code 82.
  public var exitStatus: ExitStatus { .replicasDiverged }
}

/// A loss that is infinite or NaN on some rank; the update was not made.
public struct NonFiniteStep: AgreedError, ExitStatusProviding, CustomStringConvertible {
  /// The mean loss of the batch.
  public let loss: Double

  /// What happened.
  public var description: String {
    "the loss became \(loss.isNaN ? .nan : loss); the update was not made"
  }

  /// The exit code 80.
  public var exitStatus: ExitStatus { .nonFiniteLoss }
}
