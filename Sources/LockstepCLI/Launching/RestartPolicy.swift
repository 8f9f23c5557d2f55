import Base

/// Decides after each attempt of a launch whether another one is worth it.
package struct RestartPolicy: Sendable {
  /// What follows an attempt.
  package enum Decision: Equatable, Sendable {
    /// The launch ends, because of this.
    case end(String)
    /// Another attempt follows, without these hosts.
    case restart(without: Set<String>)

    /// Another attempt follows on the same hosts.
    package static let restart = Decision.restart(without: [])
  }

  /// The attempts in a row that may end at the same step before the launch gives up.
  package static let attemptsWithoutProgress = 3

  /// The restarts that are allowed.
  let limit: Int
  /// The restarts so far.
  package private(set) var restarts = 0
  /// The host that the last attempt was blamed on.
  private var lastBlamed: String?
  /// The hosts that the last attempts were blamed on, since one ended at another step than the one before.
  private var suspects: Set<String> = []
  private var lastHosts: Set<String> = []
  private var lastStep: Int?
  private var fruitless = 0

  /// A policy that allows a number of restarts.
  package init(limit: Int) { self.limit = limit }

  /// Exit codes with which the same command ends again, whatever the host.
  private static let final: Set<ExitStatus> = [
    .usage, .badData, .inputMissing, .programMissing, .cannotCreate, .configuration, .nonFiniteLoss,
    .ranksDisagree,
  ]

  /// Takes note of an attempt that failed.
  ///
  /// An attempt that ends at the same step as the one before, on the same hosts, brought nothing new: what fails
  /// there fails again. One that ends at another step was worth it, even if it got less far, as failures can come
  /// before the first checkpoint.
  ///
  /// - Parameters:
  ///   - exitCode: Its exit code.
  ///   - host: The host that may be to blame.
  ///   - hasStarted: Whether the launcher could start the ranks: otherwise the host of the attempt before may
  ///     be to blame again.
  ///   - step: The last step that is recorded or saved after it.
  ///   - hosts: The hosts that it could use.
  package mutating func decide(
    exitCode: Int32, blaming host: String?, hasStarted: Bool = true, step: Int,
    hosts: Set<String>
  ) -> Decision {
    if let status = ExitStatus(rawValue: exitCode), RestartPolicy.final.contains(status) {
      return .end("exit code \(exitCode) means that \(status.meaning): a restart would not help")
    }
    guard limit > 0 else { return .end("--restarts is 0") }
    guard restarts < limit else {
      return .end("--restarts \(limit) is used up")
    }
    let blamed = host ?? (hasStarted ? nil : lastBlamed)
    var leftOut: Set<String> = []
    // Without a host there is nothing to restart on.
    if let blamed, suspects.contains(blamed), hosts.count > 1 { leftOut = [blamed] }
    let isStuck = step == lastStep
    fruitless = isStuck && hosts == lastHosts ? fruitless + 1 : 1
    suspects = (isStuck ? suspects : []).union(blamed.map { [$0] } ?? [])
    (lastBlamed, lastStep, lastHosts) = (blamed, step, hosts)
    guard fruitless < RestartPolicy.attemptsWithoutProgress || !leftOut.isEmpty else {
      return .end("\(fruitless) attempts in a row ended at step \(grouped(step))")
    }
    restarts += 1
    return .restart(without: leftOut)
  }
}
