public import Base
package import Settings

/// A configuration that cannot be used: the place, the key, the value and the remedy.
public struct ConfigurationError: ExitStatusProviding, Equatable, CustomStringConvertible {
  /// What is wrong, and the remedy.
  public let message: String
  /// The file and line, or the option, where there is one.
  public let place: String?
  /// That of a missing file, or of a wrong configuration.
  public let exitStatus: ExitStatus

  /// An error by its message and place.
  public init(_ message: String, place: String? = nil, exitStatus: ExitStatus = .configuration) {
    self.message = message
    self.place = place
    self.exitStatus = exitStatus
  }

  /// The error of a setting that stands in a section.
  package init(_ error: SettingError, section: String) {
    self.init(error.inSection(section).description, exitStatus: error.exitStatus)
  }

  /// The place, then the message.
  public var description: String { place.map { "\($0): \(message)" } ?? message }
}
