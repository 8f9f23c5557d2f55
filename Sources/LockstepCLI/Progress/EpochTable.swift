import Base
import Foundation
import Reporting
import Training

/// The table with a line for each epoch: 80 columns, as long as the numbers permit.
struct EpochTable {
  private let hasAccuracy: Bool
  private let noun: String
  private let stepWidth: Int

  /// The table of a run.
  init(_ run: RunDescription) {
    hasAccuracy = run.hasAccuracy
    noun = run.countsTokens ? "token" : "sample"
    stepWidth = max(4, String(run.totalSteps).count)
  }

  /// The names of the columns.
  var header: String {
    row(
      "epoch", "step", "loss", "accuracy", "val loss", "val acc.", "\(noun)s/s", "rate", "seconds")
  }

  /// The line of an epoch.
  func line(_ report: EpochReport) -> String {
    func fixed(_ value: Double?) -> String { value.map { Text.number($0) } ?? "" }
    return row(
      String(report.epoch), String(report.step), fixed(report.metrics.loss),
      fixed(report.hasAccuracy ? report.metrics.accuracy : nil), fixed(report.validation?.loss),
      fixed(report.hasAccuracy ? report.validation?.accuracy : nil),
      grouped(Int(report.samplesPerSecond)), String(format: "%.3g", report.learningRate),
      String(format: report.seconds < 1000 ? "%.2f" : "%.0f", report.seconds))
  }

  /// Cells in columns, with two spaces between them also where a cell is wider than its column.
  private func row(_ cells: String...) -> String {
    let widths = [5, stepWidth, 7, 8, 8, 8, 9, 8, 7]
    let isOfAccuracy = [3, 5]
    return cells.indices.filter { hasAccuracy || !isOfAccuracy.contains($0) }
      .map { String(repeating: " ", count: max(0, widths[$0] - cells[$0].count)) + cells[$0] }
      .joined(separator: "  ")
  }
}
