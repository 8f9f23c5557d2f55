import Foundation

/// Which attempt of which `lockstep launch` a process belongs to.
package struct LaunchAttempt: Hashable, Sendable {
  /// The environment variable with which `launch` tells its ranks.
  package static let variable = "LOCKSTEP_LAUNCH"

  /// What tells a launch from all others.
  package let launch: String
  /// The number of the attempt, from 1.
  package let number: Int

  /// An attempt of a launch.
  package init(launch: String, number: Int) {
    (self.launch, self.number) = (launch, number)
  }

  /// The attempt that started this process; nil if it was started otherwise.
  package init?(_ environment: [String: String] = ProcessInfo.processInfo.environment) {
    let parts = environment[LaunchAttempt.variable]?.split(separator: "/") ?? []
    guard parts.count == 2, let number = Int(parts[1]) else { return nil }
    self.init(launch: String(parts[0]), number: number)
  }

  /// The value of the environment variable.
  package var text: String { "\(launch)/\(number)" }
}
