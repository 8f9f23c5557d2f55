public import Base

/// A file of data that is missing or damaged: the message names the file, the place and the remedy.
public struct DataError: ExitStatusProviding, Sendable, Equatable, CustomStringConvertible {
  /// What is wrong with the file.
  public enum Kind: Sendable {
    /// A file or folder does not exist or cannot be read.
    case missing
    /// A file's content does not follow its format.
    case malformed
  }

  /// What is wrong with the file.
  public let kind: Kind
  /// The message for the user.
  public let message: String

  /// Creates an error.
  public init(_ kind: Kind, _ message: String) {
    self.kind = kind
    self.message = message
  }

  /// The message.
  public var description: String { message }

  /// 66 or 65, by kind.
  public var exitStatus: ExitStatus {
    switch kind {
    case .missing: .inputMissing
    case .malformed: .badData
    }
  }
}
