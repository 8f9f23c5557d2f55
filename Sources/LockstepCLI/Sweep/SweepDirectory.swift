import Base
import Configuration
import Foundation
import Lockstep
import Training

/// The directory of a sweep: sweep.json, which says what each run is, and a run's directory for each variant.
struct SweepDirectory {
  /// What sweep.json holds.
  private struct File: Codable {
    struct Variant: Codable {
      let run: String
      let settings: [String]
    }

    var format = "lockstep-sweep"
    var version = 1
    let keys: [String]
    /// The configuration without the keys that vary.
    let base: String
    var variants: [Variant] = []
  }

  let path: String
  private let file: File

  /// Opens or begins a sweep; throws if another one is there.
  init(_ path: String, _ base: TrainingConfiguration, keys: [String]) throws {
    self.path = path
    let new = File(keys: keys, base: base.yaml())
    let filePath = path.appendingPath("sweep.json")
    guard FileSystem().exists(filePath) else {
      try FileSystem().preflight(path)
      file = new
      return
    }
    guard let old = try? JSON.decode(File.self, from: FileSystem().readFile(filePath)),
      old.format == new.format, old.version == new.version
    else {
      throw CommandError("'\(filePath)' is not that of a sweep: name another --dir", .badData)
    }
    guard old.keys == keys, old.base == base.yaml() else {
      let reason =
        old.keys == keys
        ? "of another configuration"
        : "over \(old.keys.joined(separator: ", "))"
      throw CommandError(
        "'\(path)' has a sweep \(reason): name another --dir, or delete that one", .configuration)
    }
    file = old
  }

  /// The run directories of variants, those of earlier commands included; notes new ones.
  func runs(of variants: [[String]]) throws -> [RunDirectory] {
    var file = file
    let runs = variants.map { settings in
      if let known = file.variants.first(where: { $0.settings == settings }) { return known.run }
      let number = String(file.variants.count + 1)
      let run = String(repeating: "0", count: max(0, 3 - number.count)) + number
      file.variants.append(.init(run: run, settings: settings))
      return run
    }
    try write("sweep.json", JSON.text(file) + "\n")
    return runs.map { RunDirectory(path: path.appendingPath($0)) }
  }

  /// Replaces a file.
  func write(_ name: String, _ text: String) throws {
    try FileSystem().replaceFile(path.appendingPath(name), with: text)
  }
}
