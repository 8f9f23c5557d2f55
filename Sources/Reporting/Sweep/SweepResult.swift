import Base
import Training
import Foundation

/// What a variant of a sweep has reached.
package struct SweepResult: Sendable {
  /// Its settings: the values of the sweep's keys.
  package let settings: [String]
  /// The run.
  package let summary: RunSummary

  /// Reads the run of a variant.
  package init(settings: [String], run: RunSummary) { (self.settings, summary) = (settings, run) }

  /// The steps that were done.
  package var steps: Int { summary.run.metrics.last?.step ?? 0 }

  /// The lowest validation loss; where nothing was evaluated, the training loss of the last epoch.
  package var loss: Double? {
    let loss = summary.loss ?? summary.run.metrics.epochs.last?[.loss]
    return loss.flatMap { $0.isFinite ? $0 : nil }
  }

  /// The results from the lowest loss to the highest; those without a loss last.
  package static func ranked(_ results: [SweepResult]) -> [SweepResult] {
    results.enumerated().sorted {
      ($0.element.loss ?? .infinity, $0.offset) < ($1.element.loss ?? .infinity, $1.offset)
    }.map(\.element)
  }

  /// The head of the table, and a row for each result.
  package static func rows(_ results: [SweepResult], keys: [String]) -> [[String]] {
    [["#"] + keys + ["loss", "accuracy", "steps", "status", "run"]]
      + results.enumerated().map { index, result in
        [String(index + 1)] + result.settings + [
          Text.number(result.loss), result.summary.text(.accuracy), grouped(result.steps),
          result.summary.text(.status), result.summary.run.id,
        ]
      }
  }

  /// The results as CSV, with full precision.
  package static func csv(_ results: [SweepResult], keys: [String]) -> String {
    func cell(_ text: String) -> String {
      text.contains { ",\"\n".contains($0) }
        ? "\"" + text.replacing("\"", with: "\"\"") + "\"" : text
    }
    func number(_ value: Double?) -> String { value.map { "\($0)" } ?? "" }
    let head = keys + ["loss", "accuracy", "steps", "seconds", "status", "run"]
    let rows = results.map { result in
      result.settings + [
        number(result.loss), number(result.summary.accuracy), String(result.steps),
        number(result.summary.run.metrics.seconds), result.summary.text(.status),
        result.summary.run.directory.path,
      ]
    }
    return ([head] + rows).map { $0.map(cell).joined(separator: ",") + "\n" }.joined()
  }
}
