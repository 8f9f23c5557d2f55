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

/// A loss that is infinite or NaN on some rank, or a gradient that is checked; the update was not
/// made, and running statistics are those before the step.
public struct NonFiniteStep: AgreedError, ExitStatusProviding, CustomStringConvertible {
  /// What is not finite.
  public enum Part: String, Sendable {
    case weights, gradient, loss
  }

  /// Where it was seen first.
  public struct Origin: Sendable, Equatable, CustomStringConvertible {
    /// The lowest rank that saw it.
    public let rank: Int
    /// The host name of its node.
    public let host: String
    /// The samples that it computed, by their numbers in `step`.
    public let samples: Range<Int>
    /// What is not finite: already the weights; the gradient of a finite loss; or the loss.
    public let part: Part
    /// The first such parameter of the model, or for a gradient the last one; empty for the loss.
    public let parameter: String

    /// Rank, samples and layer.
    public var description: String {
      let place =
        switch part {
        case .weights: "the weights '\(parameter)' are not finite"
        case .gradient: "the gradient of '\(parameter)' is not finite"
        case .loss: "the weights are finite"
        }
      let last = samples.isEmpty ? samples.lowerBound : samples.upperBound - 1
      return "rank \(rank) on \(host), samples \(samples.lowerBound) to \(last): \(place)"
    }
  }

  /// The mean loss of the batch.
  public let loss: Double
  /// Where it was seen first.
  public let origin: Origin

  init(loss: Double, _ origin: Origin) {
    (self.loss, self.origin) = (loss, origin)
  }

  /// What happened.
  public var description: String {
    let loss = loss.isNaN ? Double.nan : loss
    return "the loss became \(loss) (\(origin)); the update was not made"
  }

  /// The exit code 80.
  public var exitStatus: ExitStatus { .nonFiniteLoss }
}
