import Base
import Foundation

/// Why an attempt of a launch ended, as far as its messages tell: which rank, where, and how.
package struct FirstCause: Equatable, Sendable {
  /// The kinds of causes.
  package enum Kind: Equatable, Sendable {
    /// A signal ended the process of a rank.
    case signal(Int32)
    /// A rank ended with an exit code.
    case exit
    /// The launcher lost a host, or could not start ranks there.
    case lostHost
    /// Ranks waited for one that did nothing.
    case stall
    /// The launcher could not start or keep the job.
    case launcher
    /// Nothing tells.
    case unknown
  }

  /// What kind of cause it is.
  package var kind: Kind
  /// The rank that failed first, if it is known.
  package var rank: Int?
  /// The host of that rank, or the one that was lost, as the message calls it.
  package var host: String?
  /// What happened.
  package var event: String
  /// The last lines that ranks wrote to standard error.
  package var log: [String] = []

  /// The cause in one line.
  package var description: String {
    let place = host.map { " on \($0)" } ?? ""
    return switch kind {
    case .lostHost:
      "host \(host ?? "?")" + (rank.map { " with rank \($0)" } ?? "") + " " + event
    case .stall, .launcher, .unknown: event
    case .signal, .exit: (rank.map { "rank \($0)" } ?? "a rank") + place + " " + event
    }
  }

  /// Whether the host may be to blame.
  package var mayBeOfHost: Bool {
    switch kind {
    case .signal, .lostHost, .stall: true
    case .exit, .launcher, .unknown: false
    }
  }
}

// MARK: Reading

extension FirstCause {
  /// Reads the messages of an attempt.
  ///
  /// - Parameters:
  ///   - exitCode: The launcher's exit code.
  ///   - errors: All that came on its standard error.
  ///   - plan: Where ranks were started.
  package init(exitCode: Int32, errors: String, plan: LaunchPlan? = nil) {
    let messages = LauncherMessages(errors)
    let readers = [
      FirstCause.stall, FirstCause.lostHost, FirstCause.failedStart, FirstCause.ownError,
      FirstCause.signal, FirstCause.survivor, FirstCause.exit, FirstCause.commonError,
      FirstCause.launcher,
    ]
    let found = readers.lazy.compactMap { $0(messages) }.first
    self =
      found ?? FirstCause.signal(ofHydra: exitCode, plan)
      ?? FirstCause(kind: .unknown, event: FirstCause.meaning(of: exitCode))
    if host == nil, let rank { host = plan?.host(ofRank: rank) }
    if rank == nil, kind == .lostHost, let host { rank = plan?.firstRank(onHost: host) }
    let event = event
    // The line of which the event was made need not be repeated.
    log = messages.lastLines(2).filter {
      !event.hasSuffix($0.replacing(/^error: (?:rank \d+: )?/, with: ""))
    }
  }

  private static func meaning(of code: Int32) -> String {
    if let status = ExitStatus(rawValue: code) { return "\(status.meaning) (exit code \(code))" }
    if (129...192).contains(code) {
      return "the launcher was ended by signal \(code - 128)"
    }
    return "the launcher ended with exit code \(code) and did not say why"
  }

  /// The report of a watchdog, which `StallReport` writes.
  private static func stall(_ messages: LauncherMessages) -> FirstCause? {
    for line in messages.ranks {
      guard
        let match = line.firstMatch(of: /^error: no progress for (\d+) s on ([^ :]+): (.*)/)
      else { continue }
      let cause = String(match.3)
      let own = cause.firstMatch(of: /rank (\d+)(?:, rank \d+)* on ([^ ]+) (?:does|do) not answer/)
      let other = cause.firstMatch(of: /wait for rank (\d+) \(([^)]+)\)/)
      let rank = own.map { Int($0.1) } ?? other.map { Int($0.1) } ?? nil
      return FirstCause(
        kind: .stall, rank: rank,
        host: own.map { String($0.2) } ?? other.map { String($0.2) },
        event: "no progress for \(match.1) s: \(cause)")
    }
    return nil
  }

  private static func lostHost(_ messages: LauncherMessages) -> FirstCause? {
    let text = messages.launcher.joined(separator: "\n")
    let patterns = [
      /has lost communication with a remote daemon(?s:.*?)Remote daemon: \S+ on node (\S+)/,
      /Node failure on (\S+)/, /DUE TO NODE (\S+) FAILURE/,
      /ssh: connect to host (\S+) port/, /ssh: Could not resolve hostname ([^\s:]+)/,
    ]
    for pattern in patterns {
      if let match = text.firstMatch(of: pattern) {
        return FirstCause(
          kind: .lostHost, host: String(match.1), event: "does not answer any more")
      }
    }
    // Hydra does not say which.
    guard text.contains("assert (!closed) failed") else { return nil }
    return FirstCause(kind: .lostHost, event: "was lost: the launcher's connection was closed")
  }

  /// A host on which the launcher could not start the program: it, or the folder of the job, is not there.
  private static func failedStart(_ messages: LauncherMessages) -> FirstCause? {
    let text = messages.launcher.joined(separator: "\n")
    func cause(_ host: Substring, _ problem: String) -> FirstCause {
      FirstCause(kind: .lostHost, host: String(host), event: "cannot start the program: \(problem)")
    }
    if let match = text.firstMatch(
      of: /could not access\s+or execute an executable:\s+Executable: (.+)\s+Node: (\S+)/)
    {
      return cause(match.2, "'\(match.1)' is not there, or cannot be executed")
    }
    if let match = text.firstMatch(
      of: /unable to find the specified executable(?s:.*?)\nNode: +(\S+)\s+Executable: (.+)/)
    {
      return cause(match.1, "'\(match.2)' is not there")
    }
    if let match = text.firstMatch(
      of:
        /could not\s+change to the specified working directory:\s+Working directory: (.+)\s+Node: (\S+)/
    ) {
      return cause(match.2, "the working directory '\(match.1)' is not there")
    }
    if let match = text.firstMatch(
      of: /Local host: +(\S+)\s+Working dir: .*\s+Application name: +(.+)\s+Error: +(.+)/)
    {
      return cause(match.1, "'\(match.2)': \(match.3)")
    }
    if let match = text.firstMatch(
      of: /@([^\]\s]+)\] HYDU_create_process .*execvp error on file (.+) \(([^)]+)\)/)
    {
      return cause(match.1, "'\(match.2)': \(match.3)")
    }
    return nil
  }

  /// An error that a rank reported about itself.
  private static func ownError(_ messages: LauncherMessages) -> FirstCause? {
    for line in messages.ranks {
      if let match = line.firstMatch(of: /^error: rank (\d+): (.*)/), let rank = Int(match.1) {
        return FirstCause(kind: .exit, rank: rank, event: "failed: \(match.2)")
      }
    }
    return nil
  }

  private static func signal(_ messages: LauncherMessages) -> FirstCause? {
    let text = messages.launcher.joined(separator: "\n")
    func cause(_ rank: Substring?, _ host: Substring?, _ number: Substring, _ name: Substring)
      -> FirstCause
    {
      FirstCause(
        kind: .signal(Int32(number) ?? 0), rank: rank.flatMap { Int($0) },
        host: host.map(String.init), event: "was ended by signal \(number) (\(name))")
    }
    if let match = text.firstMatch(
      of: /process rank (\d+) with PID \d+ on node (\S+) exited on\s+signal (\d+) \(([^)]*)\)/)
    {
      return cause(match.1, match.2, match.3, match.4)
    }
    // Intel MPI's Hydra names the rank, MPICH's the host only.
    if let match = text.firstMatch(
      of: /RANK (\d+) PID \d+ RUNNING AT (\S+)\s*\n=\s+KILLED BY SIGNAL: (\d+) \(([^)]*)\)/)
    {
      return cause(match.1, match.2, match.3, match.4)
    }
    if let match = text.firstMatch(of: /EXIT STRING: (.+) \(signal (\d+)\)/) {
      let host = text.firstMatch(of: /PID \d+ RUNNING AT (\S+)/)
      return cause(nil, host?.1, match.2, match.1)
    }
    if let match = text.firstMatch(of: /srun: error: (\S+): tasks? (\d+)[^:]*: ([A-Z][A-Za-z ]+)$/),
      let number = slurmSignals[String(match.3).trimmingCharacters(in: .whitespaces)]
    {
      return cause(match.2, match.1, Substring("\(number)"), match.3)
    }
    return nil
  }

  /// The signal that ended a rank, as the exit code of MPICH's Hydra tells it: its words go to standard output.
  private static func signal(ofHydra code: Int32, _ plan: LaunchPlan?) -> FirstCause? {
    guard let plan, plan.options.launcher == .hydra, (2..<32).contains(code) else { return nil }
    return FirstCause(
      kind: .signal(code), host: plan.hosts.count == 1 ? plan.hosts[0].name : nil,
      event: "was ended by signal \(code) (\(String(cString: strsignal(code))))")
  }

  /// What a rank wrote before it ended all others: an error of its own, or that of a call to MPI, which fails
  /// because another rank has ended.
  private static func survivor(_ messages: LauncherMessages) -> FirstCause? {
    for line in messages.ranks {
      guard let match = line.firstMatch(of: /^lockstep: rank (\d+) on ([^ :]+): (.*)/) else {
        continue
      }
      guard match.3.hasPrefix("MPI_") else {
        return FirstCause(
          kind: .exit, rank: Int(match.1), host: String(match.2), event: "failed: \(match.3)")
      }
      return commonError(messages)
        ?? FirstCause(
          kind: .unknown,
          event: "nothing says which rank failed first; rank \(match.1) on \(match.2) noticed it: "
            + match.3)
    }
    return nil
  }

  /// The signals as srun calls them.
  private static let slurmSignals = [
    "Killed": SIGKILL, "Segmentation fault": SIGSEGV, "Aborted": SIGABRT,
    "Illegal instruction": SIGILL, "Bus error": SIGBUS, "Terminated": SIGTERM,
    "Out Of Memory": SIGKILL,
  ]

  private static func exit(_ messages: LauncherMessages) -> FirstCause? {
    let text = messages.launcher.joined(separator: "\n")
    func cause(_ rank: Substring, _ host: Substring?, _ code: Substring) -> FirstCause {
      // The system's, where the program or one of its libraries is not there.
      if ["126", "127"].contains(code) {
        return FirstCause(
          kind: .lostHost, rank: Int(rank), host: host.map(String.init),
          event: "cannot start the program: exit code \(code)")
      }
      return FirstCause(
        kind: .exit, rank: Int(rank), host: host.map(String.init),
        event: "ended with exit code \(code)"
          + (Int32(code).flatMap(ExitStatus.init).map { ": \($0.meaning)" } ?? ""))
    }
    if let match = text.firstMatch(
      of: /MPI_ABORT was invoked on rank (\d+) in communicator(?s:.*?)with errorcode (\d+)/)
    {
      return cause(match.1, nil, match.2)
    }
    if let match = text.firstMatch(
      of: /Process name: \[\[\d+,\d+\],(\d+)\]\s+Exit code: +(\d+)/)
    {
      return cause(match.1, nil, match.2)
    }
    if let match = text.firstMatch(
      of: /srun: error: (\S+): tasks? (\d+).*: Exited with exit code (\d+)/)
    {
      return cause(match.2, match.1, match.3)
    }
    return nil
  }

  /// An error that rank zero reported for all.
  private static func commonError(_ messages: LauncherMessages) -> FirstCause? {
    guard let line = messages.ranks.first(where: { $0.hasPrefix("error: ") }) else { return nil }
    return FirstCause(kind: .unknown, event: String(line.dropFirst("error: ".count)))
  }

  /// The first sentence of the launcher about a job that it could not start.
  private static func launcher(_ messages: LauncherMessages) -> FirstCause? {
    // What it says about every job that failed tells less than the exit code.
    let lines = messages.launcher.filter { line in
      !["Forwarding signal", "Primary job  terminated", "a non-zero exit code. Per user-direction"]
        .contains { line.contains($0) }
    }
    let sentence = lines.drop { $0.isEmpty }.prefix { !$0.isEmpty }
      .map { $0.trimmingCharacters(in: .whitespaces) }.joined(separator: " ")
    let first = sentence.prefix(
      upTo: sentence.firstRange(of: ". ")?.lowerBound ?? sentence.endIndex)
    guard !first.isEmpty else { return nil }
    return FirstCause(
      kind: .launcher,
      event: "the launcher says: " + first.trimmingCharacters(in: CharacterSet(charactersIn: ".: "))
    )
  }
}
