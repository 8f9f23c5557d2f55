public import Base
public import Collectives
import Optimizers

/// Weights that changed between two updates although nothing updated them.
public struct WeightsChanged: AgreedError, ExitStatusProviding, Equatable,
  CustomStringConvertible
{
  /// The number of updates made when it was noticed.
  public let step: Int
  /// The rank that updates these weights.
  public let rank: Int
  /// The host name of its node.
  public let host: String
  /// The parameters among which the change is.
  public let parameters: String

  /// What happened and what helps.
  public var description: String {
    """
    after step \(step) the weights of \(parameters) in the memory of rank \(rank) on \(host) are not those that its \
    last update wrote; they were not saved, and earlier checkpoints are untouched. Unless the program changed \
    weights outside of changeParameters, suspect the memory or processor of that node, and resume without it
    """
  }

  /// The exit code 82.
  public var exitStatus: ExitStatus { .replicasDiverged }
}

extension DataParallel {
  /// Throws `WeightsChanged` on all ranks if weights were found on any that no update has written.
  ///
  /// Collective.
  func requireUnchangedWeights() throws {
    let changed = arena.checksums?.changed
    let lowest = communicator.allReduce(
      changed == nil ? .infinity : Double(communicator.rank), .min)
    guard lowest < .infinity else { return }
    let names = arena.entries.filter { entry in changed.map(entry.range.overlaps) ?? false }
      .map { "'\($0.name)'" }
    let root = Int(lowest)
    throw WeightsChanged(
      step: stepCount, rank: root, host: communicator.broadcast(hostName(), root: root),
      parameters: communicator.broadcast(names.joined(separator: ", "), root: root))
  }
}
