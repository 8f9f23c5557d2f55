import Base
import Collectives
import Foundation

/// Asks hosts whether they answer, and ends the ranks that earlier attempts have left there.
struct HostProbe {
  /// The command that runs a shell command on a host, as `ssh`: its words, before the host.
  let agent: [String]
  /// What tells the ranks of this launch.
  let launch: String

  /// The seconds in which a host must answer.
  private static let limit = 10.0
  /// The hosts that are asked at a time.
  private static let width = 32

  /// The name of the shell command that is run: prints what the host calls itself, and ends all processes that
  /// have the variable of this launch.
  private var question: String {
    "hostname; for file in $(grep -lsz '^\(LaunchAttempt.variable)=\(launch)/' /proc/[0-9]*/environ); "
      + "do process=${file#/proc/}; kill -KILL ${process%/environ}; done"
  }

  /// What each host that answers calls itself.
  func answers(of hosts: [String]) throws -> [String: String] {
    var answers: [String: String] = [:]
    for start in stride(from: 0, to: hosts.count, by: HostProbe.width) {
      let batch = hosts[start..<min(start + HostProbe.width, hosts.count)]
      let children = try batch.map { host in
        (host, try ChildProcess(words(for: host), output: .kept))
      }
      let end = Date(timeIntervalSinceNow: HostProbe.limit)
      for (host, child) in children {
        HostProbe.wait(for: child, until: end)
        let name = child.output.split(separator: "\n").first.map(String.init)
        if let name, child.exitCode == 0 { answers[host] = name }
      }
    }
    return answers
  }

  /// The same on this host.
  func clearThisHost() throws {
    let child = try ChildProcess(["sh", "-c", question], output: .kept)
    HostProbe.wait(for: child, until: Date(timeIntervalSinceNow: HostProbe.limit))
  }

  /// Waits also after a request to stop: ranks must not be left.
  private static func wait(for child: ChildProcess, until end: Date) {
    while child.exitCode == nil, Date() < end { usleep(10_000) }
    if child.exitCode == nil { child.stop() }
  }

  private func words(for host: String) -> [String] {
    // What the agent runs is read by the shell of the account, whichever that is.
    HostProbe.isThisHost(host)
      ? ["sh", "-c", question] : agent + [host, shellCommand(["sh", "-c", question])]
  }

  /// Whether a name or an address is that of this host, which mpirun does not reach with its agent either.
  private static func isThisHost(_ name: String) -> Bool {
    if ["localhost", hostName()].contains(name) { return true }
    let isAddress = name.allSatisfy { $0.isHexDigit || $0 == "." || $0 == ":" }
    return isAddress && ownAddresses.contains(name)
  }

  private static let ownAddresses = Set(Host.current().addresses)
}
