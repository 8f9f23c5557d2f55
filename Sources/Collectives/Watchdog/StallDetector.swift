import Base

/// Decides from the statuses of a node's ranks whether they are stalled.
///
/// The ranks of a node are stalled while none of them does anything and at least one waits. Time is
/// counted in looks, each no longer than `longestLook`: a process that was stopped itself does not
/// take its own absence for a stall of the others.
package struct StallDetector {
  /// What to do.
  package enum Finding: Equatable {
    case nothing
    case warn(StallReport)
    case end(StallReport)
  }

  /// The rank whose watchdog this is.
  let rank: Int
  /// The host name of this node.
  let host: String
  /// The ranks of other nodes, as messages name them; nil if there are none.
  let otherNodes: String?
  /// The most seconds that one look counts for.
  let longestLook: Double
  /// Reads the state of a process.
  let processState: (Int) -> ProcessState

  /// How much longer than others a node waits that sees no cause among its own ranks, so that the
  /// node that sees it tells.
  static let patienceWithOtherNodes = 2.0

  private var events: [Int: Int] = [:]
  private var heartbeats: [Int: Int] = [:]
  /// For each rank, the seconds since its watchdog was last seen to run.
  private var silence: [Int: Double] = [:]
  private var stalledSeconds = 0.0
  private var nextWarning = 0.0

  package init(
    rank: Int, host: String, otherNodes: String?, longestLook: Double,
    processState: @escaping (Int) -> ProcessState = { ProcessState(process: $0) }
  ) {
    (self.rank, self.host, self.otherNodes) = (rank, host, otherNodes)
    (self.longestLook, self.processState) = (longestLook, processState)
  }

  /// Takes a look, some seconds after the one before.
  package mutating func look(
    at ranks: [RankStatus], after seconds: Double, _ options: Watchdog.Options
  ) -> Finding {
    let seconds = min(seconds, longestLook)
    var hasMoved = false
    for status in ranks {
      hasMoved =
        events.updateValue(status.activity.events, forKey: status.rank)
        != status.activity.events || hasMoved
      let runs = heartbeats.updateValue(status.heartbeat, forKey: status.rank) != status.heartbeat
      silence[status.rank] = runs ? 0 : silence[status.rank, default: 0] + seconds
    }
    guard !hasMoved, ranks.contains(where: { $0.activity.wait != .nothing }) else {
      stalledSeconds = 0
      nextWarning = options.stallWarning ?? .infinity
      return .nothing
    }
    stalledSeconds += seconds
    // One rank of the node speaks: the lowest whose process runs.
    guard ranks.first(where: { !isSilent($0) })?.rank == rank else { return .nothing }
    let isDue = stalledSeconds >= nextWarning
    let isOver = options.stallTimeout.map { stalledSeconds >= $0 } ?? false
    guard isDue || isOver else { return .nothing }
    let report = report(on: ranks, options)
    if let timeout = report.timeout, !report.ranks.contains(where: \.state.isTraced) {
      let patience = report.hasCauseHere ? 0 : StallDetector.patienceWithOtherNodes
      if stalledSeconds >= timeout + patience { return .end(report) }
    }
    guard isDue else { return .nothing }
    nextWarning = stalledSeconds + options.stallWarning!
    return .warn(report)
  }

  private func isSilent(_ status: RankStatus) -> Bool {
    silence[status.rank, default: 0] > max(2, 3 * longestLook)
  }

  private func report(on ranks: [RankStatus], _ options: Watchdog.Options) -> StallReport {
    let lines = ranks.map {
      StallReport.Rank(
        status: $0, state: processState($0.process), isSilent: isSilent($0))
    }
    // A rank here or on another node may wait for a slow disk, which is no fault: a shorter time would end
    // the run at each of its checkpoints.
    let mayWaitForDisk = lines.allSatisfy { $0.activity.phase == .checkpoint && !$0.isDown }
    let shortest = mayWaitForDisk ? Watchdog.Options().stallTimeout! : 0
    return StallReport(
      host: host, seconds: stalledSeconds, ranks: lines, otherNodes: otherNodes,
      timeout: options.stallTimeout.map { max($0, shortest) })
  }
}
