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
      let (end, lastStep) = self.end(ofAttempt: index)
      let seconds = end.flatMap { end in attempt.start.map { end - $0 } }
      let steps = lastStep.map { $0 - (attempt.firstStep ?? 0) }
      table.add([
        "\(index + 1)", "<span class=\"whole\">\(Text.time(attempt.start))</span>",
        "\(Text.duration(seconds))",
        "\(steps.map(grouped) ?? "–")", "\(attempt.ranks.map(grouped) ?? "–")",
        "\(attempt.host ?? "–")", status(of: attempt, isLast: index == run.attempts.count - 1),
        "\(attempt.reason ?? "")",
      ])
    }
    return """
      <section id="attempts"><h2>Attempts\(label.map { ": \($0)" } ?? HTML())</h2>\(timeline)
      \(table.markup)</section>
      """
  }

  /// When an attempt ended, and after which step: one that was killed, with its last record.
  private func end(ofAttempt index: Int) -> (time: Double?, step: Int?) {
    let attempt = run.attempts[index]
    if let end = attempt.end { return (end, attempt.lastStep) }
    guard let start = attempt.start else { return (nil, nil) }
    let next = run.attempts.dropFirst(index + 1).first?.start ?? .infinity
    let last = run.metrics.steps.last { line in
      line[.time].map { $0 >= start && $0 < next } ?? false
    }
    return (last?[.time], last?.step)
  }

  private func status(of attempt: RunAttempt, isLast: Bool) -> HTML {
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
    let lastRecord = end(ofAttempt: run.attempts.count - 1).time
    guard run.attempts.count > 1, let first = times.min(),
      let last = (times + [lastRecord].compactMap { $0 }).max(), last > first, last.isFinite
    else { return HTML() }
    let bars = run.attempts.enumerated().markup { index, attempt -> HTML in
      guard let start = attempt.start else { return HTML() }
      let end = self.end(ofAttempt: index).time ?? start
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
