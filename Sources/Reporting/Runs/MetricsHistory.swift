import Base
import Checkpointing
import Foundation
package import Training

/// A line of metrics.jsonl; what is missing or no number is nil.
package struct MetricsLine: Sendable, Decodable {
  /// What it measures.
  package let kind: MetricsKind
  /// The optimizer steps done.
  package let step: Int
  /// The epoch of the last of them.
  package let epoch: Int
  /// The numbers, by key.
  package let values: [String: Double]
  /// The seconds of each rank in an epoch, by phase.
  package let phases: [String: [Double]]

  /// The value of a key.
  package subscript(key: String) -> Double? { values[key] }

  /// The numbers that reports use.
  private static let keys = [
    "loss", "accuracy", "learningRate", "gradientNorm", "samplesPerSecond", "dataWait",
    "communication", "memory", "seconds", "time", "elapsed", "perplexity", "bitsPerByte", "samples",
    "skippedSteps", "rollbacks",
  ].map { JSONKey($0) }

  /// Reads a line.
  package init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: JSONKey.self)
    kind = try container.decode(MetricsKind.self, forKey: JSONKey("kind"))
    step = try container.decode(Int.self, forKey: JSONKey("step"))
    epoch = try container.decode(Int.self, forKey: JSONKey("epoch"))
    var values: [String: Double] = [:]
    for key in Self.keys {
      if let value = try? container.decodeIfPresent(Double.self, forKey: key) {
        values[key.stringValue] = value
      }
    }
    self.values = values
    phases = (try? container.decode([String: [Double]].self, forKey: JSONKey("phases"))) ?? [:]
  }
}

/// What a run has recorded in metrics.jsonl.
package struct MetricsHistory: Sendable {
  /// The records of steps, sorted by step.
  package private(set) var steps: [MetricsLine] = []
  /// The records of epochs, sorted by step.
  package private(set) var epochs: [MetricsLine] = []
  /// The evaluations of the validation samples, sorted by step.
  package private(set) var evaluations: [MetricsLine] = []

  /// The most bytes that are read.
  private static let limit = 1 << 31

  /// Nothing is recorded.
  package init() {}

  /// Reads a log, of which torn and foreign lines are left out; without one nothing is recorded.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - withSteps: Whether all steps are read, or only the last one.
  package init(path: String, withSteps: Bool = true) {
    guard let content = try? FileSystem().readFile(path, limit: Self.limit) else { return }
    var lines = content.split(separator: UInt8(ascii: "\n"))[...]
    if !withSteps {
      let stepStart = Array(#"{"kind":"step""#.utf8)
      let last = lines.lastIndex { $0.starts(with: stepStart) && Self.line($0) != nil }
      lines =
        lines.enumerated().filter { $0.offset == last || !$0.element.starts(with: stepStart) }
        .map(\.element)[...]
    }
    for line in lines.compactMap(Self.line) where line.step >= 0 {
      switch line.kind {
      case .step: steps.append(line)
      case .epoch: epochs.append(line)
      case .evaluation: evaluations.append(line)
      }
    }
    steps.sort { $0.step < $1.step }
    epochs.sort { $0.step < $1.step }
    evaluations.sort { $0.step < $1.step }
  }

  private static func line(_ bytes: some Sequence<UInt8>) -> MetricsLine? {
    try? JSON.decode(MetricsLine.self, from: bytes)
  }

  /// The record with the most steps.
  package var last: MetricsLine? {
    [steps.last, epochs.last, evaluations.last].compactMap { $0 }.max { $0.step < $1.step }
  }

  /// The evaluation with the lowest loss.
  package var best: MetricsLine? {
    evaluations.filter { $0["loss"]?.isFinite == true }.min { $0["loss"]! < $1["loss"]! }
  }

  /// The seconds of training, without breaks: as recorded, else those of all epochs.
  package var seconds: Double? {
    let recorded = (steps + epochs + evaluations).compactMap { $0["elapsed"] }.max()
    if let recorded { return recorded }
    return epochs.isEmpty ? nil : epochs.compactMap { $0["seconds"] }.reduce(0, +)
  }

  /// Whether the metrics have an accuracy.
  package var hasAccuracy: Bool { (evaluations + epochs).contains { $0["accuracy"] != nil } }
}
