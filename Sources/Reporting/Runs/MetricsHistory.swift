import Base
import Checkpointing
import Foundation
import Training

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
    let lines = content.split(separator: UInt8(ascii: "\n"))
    let stepStart = Array(#"{"kind":"step""#.utf8)
    // From the end on, where the last step is.
    for bytes in lines.reversed() {
      if !withSteps, !steps.isEmpty, bytes.starts(with: stepStart) { continue }
      guard let line = MetricsLine(bytes) else { continue }
      switch line.kind {
      case .step: steps.append(line)
      case .epoch: epochs.append(line)
      case .evaluation: evaluations.append(line)
      }
    }
    steps.reverse()
    epochs.reverse()
    evaluations.reverse()
    steps.sort { $0.step < $1.step }
    epochs.sort { $0.step < $1.step }
    evaluations.sort { $0.step < $1.step }
  }

  /// The record with the most steps.
  package var last: MetricsLine? {
    [steps.last, epochs.last, evaluations.last].compactMap { $0 }.max { $0.step < $1.step }
  }

  /// The evaluation with the lowest loss.
  package var best: MetricsLine? {
    evaluations.filter { $0[.loss]?.isFinite == true }.min { $0[.loss]! < $1[.loss]! }
  }

  /// The seconds of training, without breaks: as recorded, else those of all epochs.
  package var seconds: Double? {
    let recorded = (steps + epochs + evaluations).compactMap { $0[.elapsed] }.max()
    if let recorded { return recorded }
    return epochs.isEmpty ? nil : epochs.compactMap { $0[.seconds] }.reduce(0, +)
  }

  /// Whether the metrics have an accuracy.
  package var hasAccuracy: Bool { (evaluations + epochs).contains { $0[.accuracy] != nil } }
}
