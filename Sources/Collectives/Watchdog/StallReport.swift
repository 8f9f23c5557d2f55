import Base

/// The ranks of a node that make no progress: what each does, what it waits for and from whom.
public struct StallReport: Equatable, Sendable, CustomStringConvertible {
  struct Rank: Equatable, Sendable {
    let status: RankStatus
    let state: ProcessState
    /// Whether its watchdog does not run either, because the process is stopped or has ended.
    let isSilent: Bool

    var rank: Int { status.rank }
    var activity: Activity.Snapshot { status.activity }
    var isWaiting: Bool { activity.wait != .nothing }
    /// Whether its process cannot do anything.
    var isDown: Bool { isSilent || [nil, "T", "t", "Z", "X"].contains(state.letter) }
  }

  /// The host name of the node.
  let host: String
  /// How long nothing was done.
  let seconds: Double
  /// The ranks of the node.
  let ranks: [Rank]
  /// The ranks of other nodes, as messages name them; nil if there are none.
  let otherNodes: String?
  /// The seconds after which the job ends; nil is never.
  package let timeout: Double?

  /// The ranks that others wait for: those whose process is stopped or has ended, or else those that
  /// have not reached the collective that others wait in.
  var causes: [Rank] {
    let down = ranks.filter(\.isDown)
    if !down.isEmpty { return down }
    let computing = ranks.filter { !$0.isWaiting }
    if !computing.isEmpty { return computing }
    let loading = ranks.filter { $0.activity.wait == .data }
    if !loading.isEmpty { return loading }
    let last = ranks.map(\.activity.calls).max() ?? 0
    return ranks.filter { $0.activity.calls < last }
  }

  /// Whether a rank of this node is surely what the others wait for.
  ///
  /// One that waits itself, in an earlier call than others, may wait for another node.
  var hasCauseHere: Bool {
    let causes = causes
    let areWaiting = causes.allSatisfy { $0.activity.wait.isCollective && !$0.isDown }
    return !causes.isEmpty && (otherNodes == nil || !areWaiting)
  }

  /// The first cause, in one line.
  public var cause: String {
    let causes = causes
    guard let first = causes.first else {
      guard let otherNodes else { return "the ranks of \(host) wait for each other" }
      return "the ranks of \(host) wait for \(otherNodes)"
    }
    let ranks = causes.map { "rank \($0.rank)" }.joined(separator: ", ")
    let others = causes.count > 1 ? " do not answer" : " does not answer"
    return "\(ranks) on \(host)\(others): \(reason(first))"
  }

  private func reason(_ rank: Rank) -> String {
    if let problem = rank.state.problem { return problem }
    if rank.isSilent { return "its process does not run" }
    if rank.isWaiting { return "it waits for its \(rank.activity.wait.name)" }
    return "it is busy, or in an endless loop"
  }

  /// The report: a line for each rank of the node.
  public var description: String {
    let head = "no progress for \(Int(seconds)) s on \(host): \(cause)"
    return ([head] + ranks.map { "  " + line($0) }).joined(separator: "\n")
  }

  private func line(_ rank: Rank) -> String {
    let activity = rank.activity
    var text = "rank \(rank.rank) (process \(rank.status.process)): "
    if activity.step > 0 { text += "step \(activity.step), " }
    text += activity.phase.name + ", "
    if activity.wait == .gradients {
      text += "waits in the \(activity.wait.name) \(activity.bucket), for \(otherNodes ?? "others")"
    } else if activity.wait == .data {
      text += "waits for the \(activity.wait.name)"
    } else if rank.isWaiting {
      text += "waits in \(activity.wait.name) (call \(activity.calls)) for \(awaited(by: rank))"
    } else {
      text += "computes"
    }
    if let problem = rank.state.problem { text += "; \(problem)" }
    return text
  }

  /// The ranks that have not made the call in which a rank waits.
  private func awaited(by rank: Rank) -> String {
    let behind = ranks.filter {
      $0.activity.calls < rank.activity.calls
        || ($0.isDown && $0.rank != rank.rank && $0.activity.calls <= rank.activity.calls)
    }
    if !behind.isEmpty { return behind.map { "rank \($0.rank)" }.joined(separator: ", ") }
    return otherNodes ?? "others"
  }

  /// For each rank of the node the name and content of a file that keeps its state.
  package var files: [(name: String, content: String)] {
    ranks.map { rank in
      let activity = rank.activity
      let object: JSONObject = [
        "rank": rank.rank, "host": host, "process": rank.status.process,
        "exitCode": ExitStatus.stalled.rawValue, "cause": cause, "secondsWithoutProgress": seconds,
        "step": activity.step, "phase": activity.phase.name,
        "waitsFor": rank.isWaiting ? activity.wait.name : nil, "collectiveCalls": activity.calls,
        "processState": rank.state.letter.map(String.init), "isTraced": rank.state.isTraced,
        "watchdogRuns": !rank.isSilent, "message": line(rank),
      ]
      return ("rank-\(rank.rank).json", object.text + "\n")
    }
  }
}
