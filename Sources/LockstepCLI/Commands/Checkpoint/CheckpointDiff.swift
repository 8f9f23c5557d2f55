import ArgumentParser
import Base
import Checkpointing
import Configuration
import Foundation
import Lockstep
import Logging
import Training

struct CheckpointDiff: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "diff",
    abstract: "Compares the weights and the configurations of two checkpoints.",
    usage: "\(programName) checkpoint diff <first> <second> [--json]",
    discussion: """
      For each tensor that differs: the largest difference of two elements, and the norm of all \
      differences over that of the first tensor.
      """)

  @Argument(help: "A run's directory, a checkpoint or a safetensors file.")
  var first: String

  @Argument(help: "What it is compared with.")
  var second: String

  @Flag(help: "Print one JSON object.")
  var json = false

  func run() {
    withSession("checkpoint diff") { communicator in
      try communicator.collectiveTry {
        guard communicator.isRoot else { return }
        let (a, b) = (try Side(first), try Side(second))
        let weights = try WeightDifference(a.weights, b.weights)
        let settings = try Side.differences(a, b)
        if json {
          printLine(record(a, b, weights, settings).text)
        } else {
          show(a, b, weights, settings)
        }
      }
      return .success
    }
  }

  /// One of the two that are compared.
  private struct Side {
    let path: String
    let checkpoint: Checkpoint?
    let weights: SafetensorsFile

    init(_ path: String) throws {
      if path.hasSuffix(".safetensors") {
        (self.path, checkpoint, weights) = (path, nil, try SafetensorsFile(path: path))
      } else {
        let found = try Run.findCheckpoint(at: path, onWarning: { logger.warning("\($0)") })
        (self.path, checkpoint, weights) = (found.path, found, try found.weights())
      }
    }

    /// The settings that differ, where both have a configuration.
    static func differences(_ first: Side, _ second: Side) throws -> [Setting] {
      guard let first = try first.checkpoint?.configuration(),
        let second = try second.checkpoint?.configuration()
      else { return [] }
      return first.differences(from: second).map { key, value, other in
        Setting(path: key.path, first: key.yaml(value), second: key.yaml(other))
      }
    }
  }

  /// A setting that differs.
  private struct Setting {
    let path: String
    let first: String
    let second: String
  }

  private func show(
    _ a: Side, _ b: Side, _ weights: WeightDifference, _ settings: [Setting]
  ) {
    for (name, side) in [("first ", a), ("second", b)] {
      let step = side.checkpoint.map { "  step \(grouped($0.step))" } ?? ""
      printLine("\(name)  \(side.path)\(step)")
    }
    if !settings.isEmpty {
      printLine("\nconfiguration")
      let rows = settings.map { [$0.path, "\($0.first) -> \($0.second)"] }
      table(rows).forEach { printLine("  " + $0) }
    }
    let structure = weights.structure
    if !structure.isEmpty {
      printLine("\nnames and shapes")
      structure.removed.forEach { printLine("  only in the first   \($0)") }
      structure.added.forEach { printLine("  only in the second  \($0)") }
      structure.reshaped.forEach {
        printLine("  another shape       \($0.name): \($0.first) -> \($0.second)")
      }
    }
    let changed = weights.changed
    if changed.isEmpty {
      let same = structure.isEmpty ? "all" : "the other"
      let tensors = count(weights.tensors.count, "tensor")
      printLine("\n\(same) \(tensors) \(weights.tensors.count == 1 ? "is" : "are") identical")
      return
    }
    printLine("\n\(grouped(changed.count)) of \(count(weights.tensors.count, "tensor")) differ")
    let rows =
      [["tensor", "shape", "largest", "relative"]]
      + changed.map {
        [
          $0.name, "\($0.shape)", String(format: "%.3g", $0.largest),
          String(format: "%.3g", $0.relative),
        ]
      }
    table(rows).forEach { printLine("  " + $0) }
  }

  /// Rows with aligned columns.
  private func table(_ rows: [[String]]) -> [String] {
    let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
      let cells = zip(row, widths).map { cell, width in
        cell + String(repeating: " ", count: width - cell.count)
      }
      return String(cells.joined(separator: "  ").reversed().drop { $0 == " " }.reversed())
    }
  }

  private func record(
    _ a: Side, _ b: Side, _ weights: WeightDifference, _ settings: [Setting]
  ) -> JSONObject {
    func side(_ side: Side) -> JSONObject {
      ["path": side.path, "step": side.checkpoint?.step]
    }
    let (structure, changed) = (weights.structure, weights.changed)
    return [
      "identical": structure.isEmpty && changed.isEmpty, "first": side(a), "second": side(b),
      "configuration": settings.map {
        ["key": $0.path, "first": $0.first, "second": $0.second] as JSONObject
      },
      "removed": structure.removed, "added": structure.added,
      "reshaped": structure.reshaped.map {
        ["name": $0.name, "first": $0.first, "second": $0.second] as JSONObject
      },
      "tensors": weights.tensors.count,
      "different": changed.map {
        [
          "name": $0.name, "shape": $0.shape, "largest": $0.largest, "relative": $0.relative,
        ] as JSONObject
      },
    ]
  }
}
