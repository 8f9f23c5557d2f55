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
  /// The key that it is about, where it is one of the configuration.
  private(set) var key: String?

  /// An error by its message and place.
  public init(_ message: String, place: String? = nil, exitStatus: ExitStatus = .configuration) {
    self.message = message
    self.place = place
    self.exitStatus = exitStatus
  }

  /// The error of a setting that stands in a section.
  package init(_ error: SettingError, section: String) {
    let error = error.inSection(section)
    self.init(error.description, exitStatus: error.exitStatus)
    key = error.setting
  }

  /// An error about a key.
  init(_ message: String, key: String, place: String? = nil) {
    self.init(message, place: place)
    self.key = key
  }

  /// All mistakes as one error, a line each; nil if there are none.
  init?(_ mistakes: [ConfigurationError]) {
    guard let first = mistakes.first else { return nil }
    if mistakes.count == 1 {
      self = first
      return
    }
    let lines = mistakes.map { "\n  \($0)" }.joined()
    let isOneKind = mistakes.allSatisfy { $0.exitStatus == first.exitStatus }
    self.init(
      "the configuration has \(mistakes.count) mistakes:\(lines)",
      exitStatus: isOneKind ? first.exitStatus : .configuration)
  }

  /// The same error where its key was set.
  func at(_ place: String) -> ConfigurationError {
    var error = ConfigurationError(message, place: place, exitStatus: exitStatus)
    error.key = key
    return error
  }

  /// The place, then the message.
  public var description: String { place.map { "\($0): \(message)" } ?? message }
}
