import Base
import Training

/// Several runs side by side: their results, and the settings in which they differ.
struct ComparisonSection {
  let runs: [RunHistory]
  let labels: [String]

  var markup: HTML {
    """
    <header><h1>\(runs.count) runs</h1></header>
    <section><h2>Results</h2>\(results)</section>
    <section><h2>Settings that differ</h2>\(differences)</section>
    """
  }

  private var results: HTML {
    let losses = runs.map { $0.metrics.best?[.loss] }
    let accuracies = runs.map { run in run.metrics.evaluations.compactMap { $0[.accuracy] }.max() }
    let hasAccuracy = accuracies.contains { $0 != nil }
    let bestLoss = losses.compactMap { $0 }.min()
    let bestAccuracy = accuracies.compactMap { $0 }.max()
    var table = Table(
      ["Run", "Status", "Best val. loss"] + (hasAccuracy ? ["Best val. accuracy"] : [])
        + ["Steps", "Time", "Ranks", "Samples/s"],
      numbers: Set(2...7))
    for (index, (run, label)) in zip(runs, labels).enumerated() {
      let speed = (run.metrics.epochs.last ?? run.metrics.steps.last)?[.samplesPerSecond]
      var best: Set<Int> = []
      if losses[index] != nil && losses[index] == bestLoss { best.insert(2) }
      if accuracies[index] != nil && accuracies[index] == bestAccuracy { best.insert(3) }
      table.add(
        [
          """
          <span class="key block c\(index % 8)"><i></i></span>\(label)<br>\
          <small>\(run.directory.path)</small>
          """,
          "<span class=\"state \(run.state.rawValue)\">\(run.state.text)</span>",
          "\(Text.number(losses[index]))",
        ] + (hasAccuracy ? ["\(Text.percent(accuracies[index]))"] : []) + [
          "\(grouped(run.metrics.last?.step ?? 0))", "\(Text.duration(run.metrics.seconds))",
          "\(run.ranks.map(grouped) ?? "–")", "\(Text.number(speed))",
        ], best: best)
    }
    return table.markup
  }

  private var differences: HTML {
    let paths = RunLabels.differingPaths(of: runs)
    guard !paths.isEmpty else {
      return "<p class=\"soft\">All runs have the same configuration.</p>"
    }
    var table = Table(["Setting"] + labels)
    for path in paths {
      table.add(
        ["\(path)"]
          + runs.map { run in "\(run.setting(path) ?? "unreadable")" as HTML })
    }
    return table.markup
  }
}
