public import Base
import Foundation

/// A checkpoint that could not be written or cannot be used.
public enum CheckpointError: ExitStatusProviding, Equatable, CustomStringConvertible {
  /// There is nothing at this path.
  case missing(path: String)
  /// A file is not what was written.
  case damaged(path: String, reason: String)
  /// Reading a file failed, which does not show whether it is damaged.
  case unreadable(path: String, cause: FileSystemError)
  /// There are checkpoints, and none can be used; the reasons, newest first.
  case noneUsable(directory: String, reasons: [String])
  /// Writing failed; earlier checkpoints are untouched.
  case writeFailed(step: Int, byteCount: Int, free: FreeSpace?, cause: FileSystemError)

  /// What happened, where, and what can be done.
  public var description: String {
    switch self {
    case .missing(let path): "there is no checkpoint at '\(path)'"
    case .damaged(let path, let reason): "the checkpoint file '\(path)' is damaged: \(reason)"
    case .unreadable(let path, let cause):
      """
      \(cause). This does not mean that the checkpoint is damaged, so nothing was changed. Check the \
      disk or the mount and run the command again. If '\(path.parentPath)' stays unreadable, move it \
      elsewhere to use the checkpoint before it
      """
    case .noneUsable(let directory, let reasons):
      "none of the \(reasons.count) checkpoints in '\(directory)' can be used:\n"
        + reasons.map { "  " + $0 }.joined(separator: "\n")
        + "\nrestore one from a copy, or start over in another run directory"
    case .writeFailed(let step, let byteCount, let free, let cause):
      "the checkpoint of step \(step) was not saved, earlier ones are intact: \(cause)"
        + CheckpointError.spaceHint(byteCount, free, cause)
    }
  }

  /// Missing input, bad data, or a failed transfer.
  public var exitStatus: ExitStatus {
    switch self {
    case .missing: .inputMissing
    case .damaged, .noneUsable: .badData
    case .unreadable, .writeFailed: .inputOutput
    }
  }

  /// What is missing on the disk, and what is not.
  private static func spaceHint(
    _ byteCount: Int, _ free: FreeSpace?, _ cause: FileSystemError
  ) -> String {
    guard let free else { return " (it needs \(byteCount) bytes)" }
    if cause.code == ENOSPC && !free.hasInodes {
      return
        " (no inode is free, so no file can be created: remove files; \(free.bytes) bytes are free)"
    }
    return " (it needs \(byteCount) bytes, \(free.bytes) are free)"
  }

  /// Runs `body`, which reads a file of a checkpoint, and tells apart what shows damage and what
  /// does not.
  static func whenReading<Value>(_ path: String, _ body: () throws -> Value) throws -> Value {
    do {
      return try body()
    } catch let error as FileSystemError {
      guard error.showsDamage else { throw CheckpointError.unreadable(path: path, cause: error) }
      let isMissing = error.code == ENOENT
      throw CheckpointError.damaged(
        path: path,
        reason: isMissing ? "the file is missing" : String(cString: strerror(error.code)))
    }
  }
}
