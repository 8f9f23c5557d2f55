import Base
import Checkpointing
package import Configuration
import Foundation
import Settings
package import Training

/// How a run stands.
package enum RunState: String, Sendable, CaseIterable {
  case running, done, stopped, failed
  /// STATUS says `running`, but no process holds the lock.
  case died
  /// There is no STATUS.
  case unknown
}

/// A run as the files of its directory describe it: of a finished run, or of one that is running.
///
/// Nothing is required: what is missing or damaged is nil or empty.
package struct RunHistory: Sendable {
  /// The directory.
  package let directory: RunDirectory
  /// How the run stands.
  package let state: RunState
  /// The configuration; nil where it cannot be read.
  package let configuration: TrainingConfiguration?
  /// The text of config.yaml.
  package let configurationText: String?
  /// What env.json says, sorted by key.
  package let environment: [(key: String, value: String)]
  /// The words of the command that began the last attempt.
  package let command: [String]
  /// What was recorded.
  package let metrics: MetricsHistory
  /// The launches, oldest first.
  package let attempts: [RunAttempt]
  /// The steps of the checkpoints, in order.
  package let checkpointSteps: [Int]
  /// The parameters of the model; nil if it is not known.
  package let parameterCount: Int?

  /// Reads a run.
  ///
  /// - Parameters:
  ///   - directory: The run's directory.
  ///   - withSteps: Whether the metrics of all steps are read, or only those of the last.
  package init(_ directory: RunDirectory, withSteps: Bool = true) {
    self.directory = directory
    let fileSystem = FileSystem()
    func text(_ name: String) -> String? {
      guard let bytes = try? fileSystem.readFile(directory.path.appendingPath(name)) else {
        return nil
      }
      return String(decoding: bytes, as: UTF8.self)
    }
    state = Self.state(of: directory)
    configurationText = text("config.yaml")
    configuration = configurationText.flatMap {
      try? TrainingConfiguration(yaml: Data($0.utf8), path: directory.configurationPath)
    }
    let values = text("env.json").flatMap {
      try? JSON.decode([String: LooseValue].self, from: $0.utf8)
    }
    environment = (values ?? [:]).sorted { $0.key < $1.key }.map { ($0.key, $0.value.text) }
    command = values?["command"]?.texts ?? []
    metrics = MetricsHistory(path: directory.metricsPath, withSteps: withSteps)
    attempts = RunAttempt.all(at: directory.path.appendingPath("attempts.jsonl"))
    checkpointSteps = (try? directory.checkpoints(keep: 0).steps()) ?? []
    struct Model: Decodable { var model: String? }
    let model = text("run.json").flatMap { try? JSON.decode(Model.self, from: $0.utf8).model }
    parameterCount = model?.split(separator: " ").first.flatMap { Int($0) }
  }

  private static func state(of directory: RunDirectory) -> RunState {
    switch try? directory.status() {
    case .running: directory.isInUse ? .running : .died
    case .done: .done
    case .stopped: .stopped
    case .failed: .failed
    case nil: .unknown
    }
  }

  /// The value of a key of the configuration, as a person writes it; nil where it cannot be read.
  package func setting(_ path: String) -> String? { configuration?[path].description }

  /// The name of the run's kind: that of the configuration, else of the directory.
  package var name: String {
    if let configuration, let name = try? configuration.group(RunName.self).name { return name }
    let parent = directory.path.parentPath.split(separator: "/").last { $0 != "." && $0 != ".." }
    return parent.map(String.init) ?? id
  }

  /// The directory's own name: the time of the start and four digits.
  package var id: String {
    directory.path.split(separator: "/").last.map(String.init) ?? directory.path
  }

  /// What env.json says of a key.
  package func environment(_ key: String) -> String? {
    environment.first { $0.key == key }?.value
  }

  /// The ranks of the last attempt.
  package var ranks: Int? { attempts.last?.ranks ?? environment("ranks").flatMap { Int($0) } }

  /// When the run began, in Unix seconds: as recorded, else as its directory is named.
  package var start: Double? {
    if let start = attempts.first?.start { return start }
    guard
      let match = id.prefixMatch(of: /(\d{4})-(\d\d)-(\d\d)T(\d\d)-(\d\d)-(\d\d)/)?.output
    else { return metrics.steps.first?[.time] }
    var parts = tm()
    parts.tm_year = Int32(match.1)! - 1900
    parts.tm_mon = Int32(match.2)! - 1
    parts.tm_mday = Int32(match.3)!
    (parts.tm_hour, parts.tm_min, parts.tm_sec) = (
      Int32(match.4)!, Int32(match.5)!, Int32(match.6)!
    )
    return Double(timegm(&parts))
  }

  /// "mlp" with its number of parameters.
  package var modelText: String {
    let kind = setting("model.kind") ?? "–"
    return parameterCount.map { "\(kind), \(count($0, "parameter"))" } ?? kind
  }

  /// The kind of the data, with its path.
  package var dataText: String {
    guard let kind = setting("data.kind"), let path = setting("data.path") else { return "–" }
    return path == "null" ? kind : "\(kind), \(path)"
  }

  /// The kind of the data, with the last part of its path.
  package var shortDataText: String {
    guard let kind = setting("data.kind"), let path = setting("data.path") else { return "–" }
    let name = path.split(separator: "/").last ?? ""
    return path == "null" ? kind : "\(kind), \(name)"
  }

  /// The command that continues the run.
  package var resumeCommand: String {
    launch(["train", directory.configurationPath, "--run-dir", directory.path])
  }

  /// The command that trains the run on, until it is twice as long; nil if its length is not known.
  package var longerCommand: String? {
    for key in ["training.steps", "training.epochs"] {
      if let length = setting(key).flatMap({ Int($0) }), length <= Int.max / 2 {
        return resumeCommand + " --set \(key)=\(2 * length)"
      }
    }
    return nil
  }

  /// The command that evaluates its newest checkpoint.
  package var evaluateCommand: String {
    (["lockstep", "eval", directory.path].map(Text.shellWord)).joined(separator: " ")
  }

  private func launch(_ arguments: [String]) -> String {
    let launcher = ranks.map { $0 > 1 ? ["mpirun", "-np", String($0)] : [] } ?? []
    return (launcher + ["lockstep"] + arguments).map(Text.shellWord).joined(separator: " ")
  }
}

/// Any JSON as text.
private enum LooseValue: Decodable {
  case text(String)
  case texts([String])

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let value = try? container.decode(String.self) {
      self = .text(value)
    } else if let value = try? container.decode(Bool.self) {
      self = .text(String(value))
    } else if let value = try? container.decode(Int.self) {
      self = .text(String(value))
    } else if let value = try? container.decode(Double.self) {
      self = .text(String(value))
    } else if let values = try? container.decode([LooseValue].self) {
      self = .texts(values.map(\.text))
    } else if let values = try? container.decode([String: LooseValue].self) {
      self = .texts(values.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value.text)" })
    } else {
      self = .text("null")
    }
  }

  var texts: [String] {
    switch self {
    case .text(let text): [text]
    case .texts(let texts): texts
    }
  }

  var text: String { texts.joined(separator: " ") }
}
