import Base
import Checkpointing
package import DataParallel
import Optimizers
import TensorCore

/// What makes two runs the same: a repeated command resumes a run of the same identity only.
public struct RunIdentity: Sendable, Equatable {
  /// A value that two runs have not in common.
  public struct Difference: Sendable, Equatable, CustomStringConvertible {
    /// The path of a setting, or what else differs.
    public let name: String
    /// The value of the other run.
    public let there: String
    /// The value of this run.
    public let here: String

    /// The name and both values.
    public var description: String { "\(name) \(there) there, \(here) here" }
  }

  /// The settings that must be the same, as `path: value`, each value as in YAML.
  public var settings: [String: String]
  /// The fingerprints of the data; nil if they are not known.
  public var data: [String: String]?
  /// The model's parameters; nil if they are not known.
  public var model: String?

  /// An identity by its parts.
  public init(settings: [String: String], data: [String: String]?, model: String?) {
    (self.settings, self.data, self.model) = (settings, data, model)
  }

  /// In what another run differs from this one, sorted by name; what one of them does not know, it
  /// does not differ in.
  public func differences(
    from other: RunIdentity, ignoring ignored: Set<AllowedChange> = []
  ) -> [Difference] {
    func compare(_ there: [String: String], _ here: [String: String]) -> [Difference] {
      Set(there.keys).union(here.keys).sorted().compactMap { name in
        let (there, here) = (there[name] ?? "none", here[name] ?? "none")
        return there == here ? nil : Difference(name: name, there: there, here: here)
      }
    }
    var differences = compare(other.settings, settings)
    if let there = other.data.map(TrainingTask.currentInvariants), let here = data,
      !ignored.contains(.data)
    {
      differences += compare(there, here)
    }
    if let there = other.model, let here = model {
      differences += compare(["model": there], ["model": here])
    }
    return differences
  }
}

/// What a resumed run may change although it is part of what defines the run.
public enum AllowedChange: String, Sendable, CaseIterable {
  /// The content of the data.
  case data
}

/// The checkpoint of another run that a run began with: a repeated command with the same one resumes the
/// run instead of beginning again.
struct RunOrigin: Codable, Equatable {
  /// The id of the other run; nil if the checkpoint does not tell.
  let run: String?
  let step: Int

  init(_ checkpoint: Checkpoint) { (run, step) = (checkpoint.run, checkpoint.step) }
}

/// The file run.json of a run directory: which run it holds.
struct RunFile: Codable, Equatable {
  private static let currentVersion = 1

  private var format = "lockstep-run"
  private var version = currentVersion
  /// The id of the run, which its checkpoints carry.
  var id: String
  private var settings: [String: String]
  private var data: [String: String]?
  private var model: String?
  /// The checkpoint that the run began with, if it was given one.
  var origin: RunOrigin?
  /// The folder that relative paths of the configuration are relative to; earlier versions did not
  /// write it.
  var folder: String?

  init(id: String, _ identity: RunIdentity, origin: RunOrigin?, folder: String) {
    (self.id, self.origin, self.folder) = (id, origin, folder)
    (settings, data, model) = (identity.settings, identity.data, identity.model)
  }

  /// A new id: 16 hexadecimal digits.
  static func newID() -> String {
    String(hexadecimal: .random(in: 0 ... .max)) + String(hexadecimal: .random(in: 0 ... .max))
  }

  var identity: RunIdentity { RunIdentity(settings: settings, data: data, model: model) }

  /// Reads the file's content; nil if it is not of this format and version.
  init?(_ bytes: [UInt8]) {
    guard let file = try? JSON.decode(RunFile.self, from: bytes), file.format == "lockstep-run",
      file.version == RunFile.currentVersion
    else { return nil }
    self = file
  }

  var text: String { JSON.text(self) + "\n" }
}

extension DataParallel {
  /// The number of parameters, and a checksum of their names and shapes.
  package var modelFingerprint: String {
    let layout = arena.entries.map { "\($0.name) \($0.parameter.shape)" }.joined(separator: "\n")
    let checksum = Array(layout.utf8).withUnsafeBytes { crc32(of: $0) }
    let count = arena.entries.reduce(0) { $0 + $1.range.count }
    return "\(count) parameters, layout \(String(hexadecimal: checksum))"
  }
}
