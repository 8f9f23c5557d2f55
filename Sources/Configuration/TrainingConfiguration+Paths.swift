import Base
import Checkpointing
import DataLoading
import Foundation
import Settings
import Training

// Relative paths of a run are those of the folder in which it was started: it can be evaluated and resumed
// from another one.

extension TrainingConfiguration {
  /// A path of the configuration: as it is where something is there, else from the folder in which
  /// the run was started, if it is there.
  func located(_ path: String) -> String {
    guard let startFolder, !path.hasPrefix("/"), !path.hasPrefix("~"), !exists(path) else {
      return path
    }
    let there = startFolder.appendingPath(path)
    return exists(there) ? there : path
  }

  /// Whether there is a file, a folder, or a file that fits the pattern.
  private func exists(_ path: String) -> Bool {
    FileManager.default.fileExists(atPath: path) || !TextFiles.paths(at: path).isEmpty
  }

  /// The settings of a section's entry with its paths located.
  func locatingPaths(in settings: any SettingsGroup) throws(SettingError) -> any SettingsGroup {
    let paths = settings.settings.compactMap { setting -> (name: String, value: String)? in
      guard setting.isPath, case .text(let path) = setting.defaultValue else { return nil }
      return (setting.name, path)
    }
    return try settings.replacing { name in
      paths.first { $0.name == name }.map { .text(located($0.value)) }
    }
  }

  /// The folder from which a new run finds the paths of this configuration.
  var folderOfPaths: String {
    let paths = ConfigurationKey.all.compactMap { key -> String? in
      // A run's own directory is made where the command runs.
      guard key.declaration.isPath, key.section != "logging",
        case .text(let path) = values[key.path]
      else { return nil }
      return path
    }
    let isElsewhere = paths.contains { located($0) != $0 }
    return isElsewhere ? startFolder! : FileManager.default.currentDirectoryPath
  }
}

extension SettingDeclaration {
  /// Whether the value is the path of something, which each rank may have elsewhere.
  fileprivate var isPath: Bool { type == .text && isPerRank }
}
