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

  /// What a host says of itself.
  struct Answer: Hashable {
    /// Its name.
    let name: String
    /// The number that its kernel drew when it started, which containers share; empty where that is not told.
    let boot: String
  }

  /// How the line of the answer begins; shells may print others before it.
  private static let mark = "lockstep-host "

  /// The shell command that is run: prints the answer, and ends all processes that have the variable of this launch.
  private var question: String {
    // A process may end by itself before it is killed.
    "echo \(HostProbe.mark)$(uname -n) $(cat /proc/sys/kernel/random/boot_id 2>/dev/null); "
      + "for file in $(grep -lsz '^\(LaunchAttempt.variable)=\(launch)/' /proc/[0-9]*/environ); "
      + "do process=${file#/proc/}; kill -KILL ${process%/environ} 2>/dev/null; done; exit 0"
  }

  /// What each host that answers says of itself.
  func answers(of hosts: [String]) throws -> [String: Answer] {
    var answers: [String: Answer] = [:]
    for start in stride(from: 0, to: hosts.count, by: HostProbe.width) {
      let batch = hosts[start..<min(start + HostProbe.width, hosts.count)]
      let children = try batch.map { host in
        (host, try ChildProcess(words(for: host), output: .kept))
      }
      let end = Date(timeIntervalSinceNow: HostProbe.limit)
      for (host, child) in children {
        HostProbe.wait(for: child, until: end)
        guard child.exitCode == 0,
          let line = child.output.split(separator: "\n").last(where: {
            $0.hasPrefix(HostProbe.mark)
          })
        else { continue }
        let words = line.dropFirst(HostProbe.mark.count).split(separator: " ").map(String.init)
        answers[host] = Answer(name: words.first ?? host, boot: words.dropFirst().first ?? "")
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
    name == "localhost" || isSameHost(name, hostName()) || ownAddresses.contains(name)
  }

  private static let ownAddresses = Set(Host.current().addresses)
}
