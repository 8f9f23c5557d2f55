public import Base

/// A setting that is not allowed, or does not fit the others or the data.
///
/// It names the setting by its property; `inSection` adds where that stands in a configuration.
public struct SettingError: ExitStatusProviding, Equatable, CustomStringConvertible {
  /// The name of the setting.
  public let setting: String
  /// Its value, what is wrong with it, and the remedy: "is 6, which ...".
  public let problem: String
  /// 78, or that of a missing input file.
  public let exitStatus: ExitStatus

  /// Describes a problem with a setting.
  public init(_ setting: String, _ problem: String, exitStatus: ExitStatus = .configuration) {
    self.setting = setting
    self.problem = problem
    self.exitStatus = exitStatus
  }

  /// A value that the declaration does not allow.
  init(_ setting: String, _ value: SettingValue, allowed: String) {
    self.init(setting, "is \(value); allowed: \(allowed)")
  }

  /// The same error with the section of the configuration before the setting's name.
  public func inSection(_ section: String) -> SettingError {
    SettingError(
      section.isEmpty ? setting : "\(section).\(setting)", problem, exitStatus: exitStatus)
  }

  /// The setting and the problem.
  public var description: String { "'\(setting)' \(problem)" }
}
