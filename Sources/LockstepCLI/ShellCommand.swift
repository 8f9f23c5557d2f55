import Base
import Configuration
import Foundation
import Reporting

/// The command that resumes a run, to be pasted into a shell: its own configuration and directory, and settings
/// as `key=value`.
func resumeCommand(in directory: String, settings: [String] = []) -> String {
  shellCommand(
    [CommandLine.arguments[0], "train", directory.appendingPath("config.yaml")]
      + ["--run-dir", directory] + settings.flatMap { ["--set", $0] })
}

/// The setting that makes a finished run twice as long.
func twiceAsLong(_ configuration: TrainingConfiguration) -> String? {
  let key = configuration["training.steps"] == .null ? "training.epochs" : "training.steps"
  guard case .integer(let length) = configuration[key] else { return nil }
  return "\(key)=\(2 * length)"
}

/// A command that a shell reads as these words.
func shellCommand(_ words: [String]) -> String {
  words.map(Text.shellWord).joined(separator: " ")
}

/// Whether an executable file of this name is on the PATH, or at this path.
func isProgram(_ name: String) -> Bool { programPath(name) != nil }

/// Where a program is, by its path or its name on the PATH; nil if it is not there.
func programPath(_ name: String) -> String? {
  let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
  let paths = name.contains("/") ? [name] : folders.map { String($0).appendingPath(name) }
  return paths.first { FileManager.default.isExecutableFile(atPath: $0) }
}
