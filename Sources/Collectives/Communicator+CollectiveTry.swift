public import Base

/// An error that all ranks throw at the same place, so that they can exit together.
public protocol AgreedError: Error {}

/// What failed on one rank, thrown on every rank.
public struct CollectiveFailure: AgreedError, ExitStatusProviding, Equatable, Sendable,
  CustomStringConvertible
{
  /// The lowest rank that failed.
  public let rank: Int
  /// The host name of that rank's node.
  public let host: String
  /// The message of its error.
  public let message: String
  /// The exit code of its error.
  public let exitStatus: ExitStatus
  /// The number of ranks in the run.
  public let worldSize: Int

  /// Creates the failure of a rank.
  public init(rank: Int, host: String, message: String, exitStatus: ExitStatus, worldSize: Int) {
    self.rank = rank
    self.host = host
    self.message = message
    self.exitStatus = exitStatus
    self.worldSize = worldSize
  }

  /// The message, with the rank and its host when there are several ranks.
  public var description: String {
    worldSize == 1 ? message : "rank \(rank) on \(host): \(message)"
  }
}

extension Communicator {
  /// Runs `body` on every rank; if it throws on any rank, all ranks throw.
  ///
  /// Collective. Every rank then throws the same `CollectiveFailure`: that of the lowest rank that
  /// failed. `body` must call nothing collective, because a rank that failed would not take part.
  public func collectiveTry<Value>(_ body: () throws -> Value) throws -> Value {
    let outcome = Result(catching: body)
    var failure: CollectiveFailure?
    if case .failure(let error) = outcome {
      failure =
        error as? CollectiveFailure
        ?? CollectiveFailure(
          rank: rank, host: hostName(), message: "\(error)",
          exitStatus: ExitStatus(error), worldSize: worldSize)
    }
    let lowest = allReduce(failure == nil ? .infinity : Double(rank), .min)
    if lowest == .infinity { return try outcome.get() }
    let root = Int(lowest)
    throw CollectiveFailure(
      rank: broadcast(failure?.rank ?? 0, root: root),
      host: broadcast(failure?.host ?? "", root: root),
      message: broadcast(failure?.message ?? "", root: root),
      exitStatus: ExitStatus(
        rawValue: broadcast(failure?.exitStatus.rawValue ?? 0, root: root)) ?? .internalError,
      worldSize: worldSize)
  }
}
