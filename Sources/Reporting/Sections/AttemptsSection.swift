import Base

/// The launches of a run: when each began, how far it came, and how it ended.
struct AttemptsSection {
  let run: RunHistory
  /// The run's label where the page shows several.
  let label: String?

  var markup: HTML {
    guard !run.attempts.isEmpty else { return HTML() }
    var table = Table(
      ["", "Start (UTC)", "Time", "Steps", "Ranks", "Host", "End", "Reason"], numbers: [0, 2, 3, 4])
    for (index, attempt) in run.attempts.enumerated() {
      let seconds = attempt.end.flatMap { end in attempt.start.map { end - $0 } }
      let steps = attempt.lastStep.map { $0 - (attempt.firstStep ?? 0) }
      table.add([
        "\(index + 1)", "\(Text.time(attempt.start))", "\(Text.duration(seconds))",
        "\(steps.map(grouped) ?? "–")", "\(attempt.ranks.map(grouped) ?? "–")",
        "\(attempt.host ?? "–")", end(of: attempt, isLast: index == run.attempts.count - 1),
        "\(attempt.reason ?? "")",
      ])
    }
    return """
      <section id="attempts"><h2>Attempts\(label.map { ": \($0)" } ?? HTML())</h2>\(timeline)
      \(table.markup)</section>
      """
  }

  private func end(of attempt: RunAttempt, isLast: Bool) -> HTML {
    if let status = attempt.status {
      let known = RunState(rawValue: status)?.rawValue ?? ""
      return "<span class=\"state \(known)\">\(status)</span>"
    }
    if isLast && run.state == .running { return "<span class=\"state running\">running</span>" }
    return "<span class=\"state died\">died</span>"
  }

  /// The attempts as bars on one line of time.
  private var timeline: HTML {
    let times = run.attempts.flatMap { [$0.start, $0.end] }.compactMap { $0 }
    let lastRecord = (run.metrics.steps.last ?? run.metrics.epochs.last)?["time"]
    guard run.attempts.count > 1, let first = times.min(),
      let last = (times + [lastRecord].compactMap { $0 }).max(), last > first, last.isFinite
    else { return HTML() }
    let bars = run.attempts.enumerated().markup { index, attempt -> HTML in
      guard let start = attempt.start else { return HTML() }
      let next = run.attempts.dropFirst(index + 1).first?.start
      let end = attempt.end ?? next ?? last
      let color = attempt.status == "failed" || attempt.status == nil ? 1 : index % 2 == 0 ? 0 : 5
      return """
        <i class="c\(color)" style="left:\(100 * (start - first) / (last - first))%;\
        width:\(100 * max(0, end - start) / (last - first))%" \
        title="attempt \(index + 1)"></i>
        """
    }
    return "<div class=\"line\">\(bars)</div>"
  }
}
