import Base
import Checkpointing
package import DataLoading
import Foundation
package import NeuralNetworks
import TensorCore

/// What TensorBoard shows of a run: an event file in the run's directory with the metrics, the distributions
/// of weights and gradients, and a picture of the first training samples.
///
/// A process that resumes a run opens a new file and says where it starts; TensorBoard then drops the
/// steps that are repeated. A file that a killed process left may end with half a record, which
/// TensorBoard passes over.
package final class TensorBoardLog {
  private let directory: String
  private let model: any Layer
  private var path = ""
  private var descriptor: Int32 = -1
  private var hasFailed = false
  /// The last step that the log knows of.
  private var step: Int

  /// Opens the log of a run that resumes after a step, or of a new run after step 0.
  ///
  /// - Parameters:
  ///   - directory: The run's directory.
  ///   - step: The last step that was done.
  ///   - model: The model, whose weights are shown.
  package init(directory: String, continuingAfter step: Int, model: any Layer) throws {
    (self.directory, self.model, self.step) = (directory, model, step)
    try restart()
  }

  /// The log of a run that is about to be trained; a new run's begins with a picture of its first samples, where
  /// they are images.
  package convenience init(_ run: RunDirectory, _ trainer: Trainer) throws {
    try self.init(directory: run.path, continuingAfter: trainer.step, model: trainer.model)
    if trainer.step == 0, let sheet = try ImageSheet(of: trainer.task.data) {
      try append("samples", sheet)
    }
  }

  deinit {
    closeFile()
  }

  /// Continues after a step to which the run returned.
  package func restart(after step: Int) throws {
    self.step = step
    try restart()
  }

  /// Continues in a new file, as after the run's directory was created again.
  package func restart() throws {
    closeFile()
    let time = Date().timeIntervalSince1970
    let host = ProcessInfo.processInfo.hostName
    // TensorBoard reads files in the order of their names.
    let name =
      "events.out.tfevents.\(Int(time)).\(host.isPlainFileName ? host : "host").\(getpid())"
    var number = 0
    while descriptor < 0 {
      path = directory.appendingPath("\(name).\(number)")
      descriptor = open(path, O_CREAT | O_EXCL | O_WRONLY | O_APPEND | O_CLOEXEC, 0o644)
      guard descriptor >= 0 || errno == EEXIST else {
        throw FileSystemError(.create, path, code: errno)
      }
      number += 1
    }
    try write(.version(time: time))
    try write(.start(time: time, step: step + 1))
  }

  private func closeFile() {
    if descriptor >= 0 { close(descriptor) }
    descriptor = -1
  }

  /// Adds the numbers of a record of metrics.jsonl.
  package func append(_ record: MetricsRecord) throws {
    step = record.step
    let numbers = record.numbers
    let time = numbers["time"] ?? Date().timeIntervalSince1970
    let values = numbers.sorted { $0.key < $1.key }.compactMap { key, number in
      record.kind.tag(key).map { TensorBoardValue.scalar($0, number) }
    }
    try write(.values(values, time: time, step: record.step))
  }

  /// Adds the distributions of the values of all parameters, and of their gradients where they have one.
  package func appendDistributions(step: Int) throws {
    var values: [TensorBoardValue] = []
    for (name, parameter) in model.namedParameters() {
      for (part, tensor) in [("weights", parameter), ("gradients", parameter.grad)] {
        guard let histogram = tensor?.detached().histogram else { continue }
        values.append(.histogram("\(part)/\(name)", histogram))
      }
    }
    try write(.values(values, time: Date().timeIntervalSince1970, step: step))
  }

  /// Adds a picture to the step 0.
  package func append(_ name: String, _ sheet: ImageSheet) throws {
    let image = TensorBoardValue.image(
      name, png: sheet.png, width: sheet.width, height: sheet.height)
    try write(.values([image], time: Date().timeIntervalSince1970, step: 0))
  }

  /// Writes a record.
  ///
  /// Training is worth more than its log: only the first failure throws.
  private func write(_ event: TensorBoardEvent) throws {
    guard !hasFailed else { return }
    do {
      try event.record.withUnsafeBytes { try writeAll($0, to: descriptor, path: path) }
    } catch {
      hasFailed = true
      throw error
    }
  }
}

extension Tensor {
  /// The distribution of the elements.
  fileprivate var histogram: Histogram? {
    array(of: Float.self).withUnsafeBufferPointer { Histogram($0) }
  }
}

extension MetricsKind {
  /// The name that TensorBoard shows for a number of a record; nil for one that it does not show.
  fileprivate func tag(_ key: String) -> String? {
    switch (self, key) {
    case (_, "step"), (_, "epoch"), (_, "time"), (_, "elapsed"), (.evaluation, "samples"): nil
    case (.step, "loss"), (.step, "accuracy"): "\(key)/training"
    case (.step, _): key
    case (.epoch, "loss"), (.epoch, "accuracy"): "\(key)/epoch"
    case (.epoch, "seconds"): "secondsPerEpoch"
    // As in the records of the steps.
    case (.epoch, _): nil
    case (.evaluation, _): "\(key)/validation"
    }
  }
}
