import Configuration
import Settings

/// The configurations and environments of runs, in full.
struct DescriptionSection {
  let runs: [RunHistory]
  let labels: [String]

  var markup: HTML {
    zip(runs, labels).markup { run, label in
      """
      <section><h2>\(runs.count > 1 ? "\(label)" : "Configuration and environment")</h2>
      \(configuration(of: run))
      \(environment(of: run))</section>
      """
    }
  }

  private func configuration(of run: RunHistory) -> HTML {
    guard let text = run.configurationText else {
      return "<p class=\"soft\">There is no config.yaml.</p>"
    }
    let changed = run.configuration?.differences(from: .init())
      .map { (name: $0.key.path, value: $0.value.description) }
    let table =
      changed.map { "<h3>Settings that differ from the defaults</h3>\(Table.pairs($0))" } ?? HTML()
    return
      "\(table)<details><summary>All settings (config.yaml)</summary><pre>\(text)</pre></details>"
  }

  private func environment(of run: RunHistory) -> HTML {
    guard !run.environment.isEmpty else { return "<p class=\"soft\">There is no env.json.</p>" }
    let values = run.environment.filter { $0.key != "command" && !$0.value.isEmpty }
      .map { (name: $0.key, value: $0.value) }
    let command = run.command.map(Text.shellWord).joined(separator: " ")
    return """
      <h3>Environment</h3>\(command.isEmpty ? HTML() : "<pre>\(command)</pre>")\(Table.pairs(values))
      """
  }
}
