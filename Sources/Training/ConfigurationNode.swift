// What a configuration file says, before it is known what it means.
public import Base

/// A parsed configuration file, free of the format in which it was written.
public indirect enum ConfigurationNode: Sendable, Equatable {
  /// A word, a number or a text; quotes make it a text.
  case scalar(text: String, isQuoted: Bool, line: Int)
  case sequence([ConfigurationNode], line: Int)
  case mapping([Entry], line: Int)

  /// A key with its value.
  public struct Entry: Sendable, Equatable {
    /// The key.
    public let key: String
    /// The line on which the key stands.
    public let line: Int
    /// The value.
    public let value: ConfigurationNode

    /// Pairs a key with a value.
    public init(key: String, line: Int, value: ConfigurationNode) {
      self.key = key
      self.line = line
      self.value = value
    }
  }

  /// The line on which the value begins.
  public var line: Int {
    switch self {
    case .scalar(_, _, let line), .sequence(_, let line), .mapping(_, let line): line
    }
  }

  /// What the node is, in words for a message.
  var summary: String {
    switch self {
    case .scalar("", false, _): "nothing"
    case .scalar(let text, let isQuoted, _):
      isQuoted ? "the text \"\(text.prefix(80))\"" : "'\(text.prefix(80))'"
    case .sequence(let elements, _): "a list of \(elements.count)"
    case .mapping: "a section"
    }
  }
}

/// A configuration file's tree and where it came from.
public struct ConfigurationDocument: Sendable, Equatable {
  /// The file's path, for messages.
  public let path: String
  /// The tree; an empty mapping for an empty file.
  public let root: ConfigurationNode

  /// Names the file of a tree.
  public init(path: String, root: ConfigurationNode) {
    self.path = path
    self.root = root
  }
}

/// A configuration that cannot be used: the place, the key, the value and what would do.
public struct ConfigurationError: ExitStatusProviding, Equatable, CustomStringConvertible {
  /// What is wrong and what would do.
  public let message: String
  /// The file and line, or the option, where there is one.
  public let place: String?
  /// A missing file, or a wrong configuration.
  public let exitStatus: ExitStatus

  /// Describes a fault by its message and place.
  public init(_ message: String, place: String? = nil, exitStatus: ExitStatus = .configuration) {
    self.message = message
    self.place = place
    self.exitStatus = exitStatus
  }

  /// The place, then the message.
  public var description: String { place.map { "\($0): \(message)" } ?? message }
}
