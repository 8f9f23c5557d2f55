import Base

/// Decides after each attempt of a launch whether another one is worth it.
package struct RestartPolicy: Sendable {
  /// What follows an attempt.
  package enum Decision: Equatable, Sendable {
    /// The launch ends, because of this.
    case end(String)
    /// Another attempt follows.
    case restart
  }

  /// The attempts in a row that may get no further before the launch gives up.
  package static let attemptsWithoutProgress = 3

  /// The restarts that are allowed.
  let limit: Int
  /// The restarts so far.
  package private(set) var restarts = 0
  /// The hosts that failed in the last attempt.
  private var suspects: Set<String> = []
  /// The hosts that failed in two attempts in a row.
  package private(set) var condemned: Set<String> = []
  private var furthestStep = 0
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
  /// - Parameters:
  ///   - exitCode: Its exit code.
  ///   - host: The host that may be to blame.
  ///   - hasStarted: Whether the launcher could start the ranks: otherwise the host of the attempt before may
  ///     be to blame again.
  ///   - step: The furthest step that it recorded or saved.
  package mutating func decide(
    exitCode: Int32, blaming host: String?, hasStarted: Bool = true, step: Int
  ) -> Decision {
    if let status = ExitStatus(rawValue: exitCode), RestartPolicy.final.contains(status) {
      return .end("exit code \(exitCode) means that \(status.meaning): a restart would not help")
    }
    guard limit > 0 else { return .end("--restarts is 0") }
    guard restarts < limit else {
      return .end("\(count(limit, "restart")) allowed by --restarts are used up")
    }
    fruitless = step > furthestStep ? 1 : fruitless + 1
    furthestStep = max(step, furthestStep)
    guard fruitless < RestartPolicy.attemptsWithoutProgress else {
      return .end("\(fruitless) attempts in a row did not get beyond step \(grouped(furthestStep))")
    }
    let blamed: Set = host.map { [$0] } ?? (hasStarted ? [] : suspects)
    condemned.formUnion(suspects.intersection(blamed))
    suspects = blamed
    restarts += 1
    return .restart
  }
}
