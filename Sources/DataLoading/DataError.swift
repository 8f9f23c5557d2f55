public import Base

/// What was wrong with a data set: the message names the file, the place and the remedy.
public struct DataError: ExitStatusProviding, Sendable, Equatable, CustomStringConvertible {
  /// Whose mistake it was.
  public enum Kind: Sendable {
    /// A file or folder does not exist or cannot be read.
    case missing
    /// A file's contents are not what its format asks for.
    case malformed
    /// An option's value makes no sense, by itself or for this data.
    case configuration
  }

  /// Whose mistake it was.
  public let kind: Kind
  /// One sentence for the user.
  public let message: String

  /// Creates an error.
  public init(_ kind: Kind, _ message: String) {
    self.kind = kind
    self.message = message
  }

  /// The message.
  public var description: String { message }

  /// 66, 65 or 78, by kind.
  public var exitStatus: ExitStatus {
    switch kind {
    case .missing: .inputMissing
    case .malformed: .badData
    case .configuration: .configuration
    }
  }
}
