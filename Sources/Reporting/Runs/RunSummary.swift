package import Base
package import Training

/// A run in one line: what the table of all runs shows, and what it can be filtered and sorted by.
package struct RunSummary: Sendable {
  /// The columns, by name.
  package enum Column: String, CaseIterable, Sendable {
    case name, status, started, steps, epochs, loss, accuracy, model, data, ranks, duration,
      attempts, path
  }

  /// The run, without its steps.
  package let run: RunHistory

  /// Reads a run.
  package init(_ directory: RunDirectory) { run = RunHistory(directory, withSteps: false) }

  /// The lowest validation loss.
  package var loss: Double? { run.metrics.best?[.loss] }

  /// The highest validation accuracy.
  package var accuracy: Double? { run.metrics.evaluations.compactMap { $0[.accuracy] }.max() }

  /// What a column shows.
  package func text(_ column: Column) -> String {
    let last = run.metrics.last
    return switch column {
    case .name: run.name
    case .status: run.state.rawValue
    case .started: String(Text.time(run.start).prefix(16))
    case .steps: last.map { grouped($0.step) } ?? "0"
    case .epochs: last.map { grouped($0.epoch) } ?? "0"
    case .loss: Text.number(loss)
    case .accuracy: Text.percent(accuracy)
    case .model: run.setting("model.kind") ?? "–"
    case .data: run.shortDataText
    case .ranks: run.ranks.map(grouped) ?? "–"
    case .duration: Text.duration(run.metrics.seconds)
    case .attempts: grouped(run.attempts.count)
    case .path: run.directory.path
    }
  }

  /// The value of a column, for comparisons and scripts; nil where there is none.
  package func value(_ column: Column) -> RunValue? {
    let last = run.metrics.last
    return switch column {
    case .name, .status, .model, .path: .text(text(column))
    case .data: .text(run.dataText)
    case .started: run.start.map(RunValue.number)
    case .steps: .number(Double(last?.step ?? 0))
    case .epochs: .number(Double(last?.epoch ?? 0))
    case .loss: loss.map(RunValue.number)
    case .accuracy: accuracy.map(RunValue.number)
    case .ranks: run.ranks.map { .number(Double($0)) }
    case .duration: run.metrics.seconds.map(RunValue.number)
    case .attempts: .number(Double(run.attempts.count))
    }
  }

  /// The value of a column or of a key of the configuration.
  package func value(_ name: String) -> RunValue? {
    if let column = Column(rawValue: name) { return value(column) }
    guard let text = run.setting(name) else { return nil }
    return Double(text).map(RunValue.number) ?? .text(text)
  }

  /// All columns as a JSON object.
  package var json: JSONObject {
    JSONObject(
      Column.allCases.map { column in
        let value: JSONObject.Value =
          switch value(column) {
          case .number(let number) where Self.counts.contains(column): Int(number)
          case .number(let number): number
          case .text(let text): text
          case nil: String?.none
          }
        return (column.rawValue, value)
      })
  }

  /// The columns of whole numbers.
  private static let counts: Set<Column> = [.steps, .epochs, .ranks, .attempts]
}

/// A value by which runs are compared.
package enum RunValue: Sendable, Equatable {
  case number(Double)
  case text(String)

  /// The value in words.
  package var text: String {
    switch self {
    case .number(let number): number.description
    case .text(let text): text
    }
  }

  /// Whether it comes before another: numbers by size and before texts, texts by their letters.
  package static func < (first: RunValue, second: RunValue) -> Bool {
    switch (first, second) {
    case (.number(let first), .number(let second)): first < second
    case (.text(let first), .text(let second)): first < second
    case (.number, .text): true
    case (.text, .number): false
    }
  }
}
