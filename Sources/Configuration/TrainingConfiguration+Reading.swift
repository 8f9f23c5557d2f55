import Base
import Checkpointing
public import Foundation
import Training

extension TrainingConfiguration {
  /// The defaults, replaced by a file, replaced by `key.path=value` options in their order; checked.
  ///
  /// Throws all mistakes of the file and the options at once.
  ///
  /// - Parameters:
  ///   - path: A YAML file.
  ///   - overrides: Values of `--set`.
  ///   - onWarning: Called with what should be changed in the file or the options.
  public init(
    path: String? = nil, overrides: [String] = [], onWarning: (String) -> Void = { _ in }
  ) throws(ConfigurationError) {
    var file: YAMLFile?
    if let path { file = try YAMLFile(path: path) }
    try self.init(file, overrides: overrides, onWarning: onWarning)
    if let path, path.hasSuffix("config.yaml") {
      startFolder = RunDirectory(path: path.parentPath).startFolder
    }
  }

  /// The same with the content of a file; the path is for messages.
  public init(
    yaml: Data, path: String, overrides: [String] = [], onWarning: (String) -> Void = { _ in }
  ) throws(ConfigurationError) {
    try self.init(YAMLFile(yaml, path: path), overrides: overrides, onWarning: onWarning)
  }

  private init(
    _ file: YAMLFile?, overrides: [String], onWarning: (String) -> Void
  ) throws(ConfigurationError) {
    var reader = ConfigurationReader()
    if let file { try reader.read(file) }
    reader.read(overrides: overrides)
    self = try reader.finish()
    reader.warnings.forEach(onWarning)
  }

  /// This configuration with `key.path=value` options in their order, checked.
  public func applying(_ overrides: [String]) throws(ConfigurationError) -> TrainingConfiguration {
    var reader = ConfigurationReader(configuration: self)
    reader.read(overrides: overrides)
    return try reader.finish()
  }
}
