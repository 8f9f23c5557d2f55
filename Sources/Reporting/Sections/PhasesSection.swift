/// On what each rank spent its time.
struct PhasesSection {
  let runs: [RunHistory]
  let labels: [String]

  /// The phases in the order in which they are shown, with the numbers of their colors.
  private static let phases = [
    ("data", 4), ("compute", 0), ("waiting", 1), ("communication", 3), ("update", 2),
    ("evaluation", 5), ("checkpoint", 7),
  ]

  var markup: HTML {
    let parts = zip(runs, labels).map { run, label in bars(run, runs.count > 1 ? label : nil) }
      .filter { !$0.isEmpty }
    guard !parts.isEmpty else { return HTML() }
    let names = Set(
      runs.flatMap(\.metrics.epochs).flatMap {
        $0.phases.filter { $0.value.contains { $0 > 0 } }.keys
      })
    let legend = Self.phases.filter { names.contains($0.0) }.markup {
      "<span class=\"key block c\($0.1)\"><i></i>\($0.0)</span>"
    }
    return """
      <section id="phases"><h2>Time by phase and rank</h2><div class="legend">\(legend)</div>
      \(parts.markup { $0 })</section>
      """
  }

  private func bars(_ run: RunHistory, _ label: String?) -> HTML {
    let totals = Self.totals(of: run.metrics.epochs)
    let longest = totals.map { $0.reduce(0, +) }.max() ?? 0
    guard longest > 0 else { return HTML() }
    // Of many ranks the first ones are shown: a bar needs room.
    let rows = totals.prefix(64).enumerated().markup { rank, seconds in
      let sum = seconds.reduce(0, +)
      let parts = zip(Self.phases, seconds).markup { phase, seconds -> HTML in
        guard seconds > 0 else { return HTML() }
        let share = sum > 0 ? Text.percent(seconds / sum) : ""
        return """
          <i class="c\(phase.1)" style="width:\(100 * seconds / longest)%" \
          title="\(phase.0): \(Text.duration(seconds)), \(share)"></i>
          """
      }
      return """
        <span class="soft">rank \(rank)</span><div class="bar">\(parts)</div>\
        <span class="soft">\(Text.duration(sum))</span>
        """
    }
    let more: HTML =
      totals.count > 64 ? "<p class=\"soft\">and \(totals.count - 64) more ranks</p>" : HTML()
    let sums = Self.phases.indices.map { phase in totals.reduce(0) { $0 + $1[phase] } }
    let all = sums.reduce(0, +)
    let shares = zip(Self.phases, sums).filter { $0.1 > 0 }.map {
      "\($0.0.0) \(Text.percent($0.1 / all))"
    }.joined(separator: ", ")
    return """
      \(label.map { "<h3>\($0)</h3>" } ?? HTML())<div class="bars">\(rows)</div>\(more)
      <p class="soft">All ranks: \(shares)</p>
      """
  }

  /// The seconds of each rank in each phase, over all epochs.
  static func totals(of epochs: [MetricsLine]) -> [[Double]] {
    let ranks = epochs.flatMap(\.phases.values).map(\.count).max() ?? 0
    return (0..<min(ranks, 1 << 16)).map { rank in
      phases.map { name, _ in
        epochs.reduce(0) { sum, epoch in
          guard let seconds = epoch.phases[name], rank < seconds.count, seconds[rank].isFinite
          else { return sum }
          // A damaged log may say anything; no run takes a century.
          return sum + min(max(0, seconds[rank]), 3e9)
        }
      }
    }
  }
}
