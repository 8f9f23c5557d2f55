/// The curves of everything that is recorded while training.
struct CurvesSection {
  let runs: [RunHistory]
  let labels: [String]

  var markup: HTML {
    let charts = self.charts.map { chart in
      var chart = chart
      chart.hasLegend = runs.count == 1
      return chart.markup
    }.filter { !$0.isEmpty }
    guard !charts.isEmpty else {
      return """
        <section id="curves"><h2>Training</h2><p class="soft">No metrics are recorded yet.</p></section>
        """
    }
    return """
      <section id="curves"><h2>Training</h2>\(legend)<div class="charts">\(charts.markup { $0 })</div></section>
      """
  }

  /// One legend for all charts of several runs.
  private var legend: HTML {
    runs.count == 1 ? HTML() : LineChart.legend(curves { _ in [(0, 0)] })
  }

  private var charts: [LineChart] {
    let unit = runs.contains(where: \.countsTokens) ? "tokens/s" : "samples/s"
    let share = 0.0...1.0
    let positive = 0.0 ... .greatestFiniteMagnitude
    let results =
      runs.count == 1
      ? [
        LineChart(title: "Loss", logarithmicFrom: 30, curves: both(.loss)),
        LineChart(title: "Accuracy", limits: share, curves: both(.accuracy)),
        LineChart(
          title: "Perplexity", unit: "validation", logarithmicFrom: 30,
          curves: evaluations(.perplexity)),
      ]
      : [
        LineChart(title: "Validation loss", logarithmicFrom: 30, curves: evaluations(.loss)),
        LineChart(title: "Validation accuracy", limits: share, curves: evaluations(.accuracy)),
        LineChart(title: "Training loss", logarithmicFrom: 30, curves: training(.loss)),
        LineChart(title: "Training accuracy", limits: share, curves: training(.accuracy)),
      ]
    return results + [
      LineChart(
        title: "Learning rate", logarithmicFrom: haveFarRates ? 1 : .infinity, limits: positive,
        curves: training(.learningRate)),
      LineChart(
        title: "Gradient norm", unit: "before clipping", logarithmicFrom: 30, limits: positive,
        curves: training(.gradientNorm)),
      LineChart(
        title: "Throughput", unit: unit, limits: positive, curves: training(.samplesPerSecond)),
      LineChart(
        title: "Memory of rank 0", unit: "MB", limits: positive,
        curves: training(.memory, scale: 1e-6)),
      LineChart(
        title: "Waiting for data", unit: "ms per step, rank 0", limits: positive,
        curves: training(.dataWait, scale: 1000)),
      LineChart(
        title: "Communication", unit: "ms per step, rank 0", limits: positive,
        curves: runs.contains { $0.ranks ?? 2 > 1 } ? training(.communication, scale: 1000) : []),
    ]
  }

  /// Whether one run has 20 times the learning rate of another.
  private var haveFarRates: Bool {
    let largest = runs.compactMap { $0.metrics.steps.compactMap { $0[.learningRate] }.max() }
    guard let low = largest.min(), let high = largest.max(), low > 0 else { return false }
    return high >= 20 * low
  }

  /// Training and validation of the only run.
  private func both(_ key: MetricsField) -> [Curve] {
    let validation = values(runs[0].metrics.evaluations, key)
    return [
      Curve("training", color: 0, trainingValues(runs[0], key)),
      Curve("validation", color: 1, validation, hasMarks: true),
    ].filter { !$0.points.isEmpty || $0.firstNonFinite != nil }
  }

  private func training(_ key: MetricsField, scale: Double = 1) -> [Curve] {
    curves { trainingValues($0, key, scale: scale) }
  }

  private func evaluations(_ key: MetricsField) -> [Curve] {
    curves(hasMarks: true) { values($0.metrics.evaluations, key) }
  }

  private func curves(
    hasMarks: Bool = false, _ values: (RunHistory) -> [(x: Double, y: Double)]
  ) -> [Curve] {
    zip(runs, labels).enumerated().map { index, run in
      Curve(run.1, color: index, values(run.0), isDashed: index >= 8, hasMarks: hasMarks)
    }.filter { !$0.points.isEmpty || $0.firstNonFinite != nil }
  }

  /// The values of steps, or of epochs where steps are not recorded.
  private func trainingValues(
    _ run: RunHistory, _ key: MetricsField, scale: Double = 1
  ) -> [(x: Double, y: Double)] {
    let steps = values(run.metrics.steps, key, scale: scale)
    return steps.isEmpty ? values(run.metrics.epochs, key, scale: scale) : steps
  }

  private func values(
    _ lines: [MetricsLine], _ key: MetricsField, scale: Double = 1
  ) -> [(x: Double, y: Double)] {
    lines.compactMap { line in line[key].map { (Double(line.step), $0 * scale) } }
  }
}
