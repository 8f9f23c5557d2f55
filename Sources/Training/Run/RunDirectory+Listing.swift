public import Base
import Checkpointing
import Foundation

extension RunDirectory {
  /// The files of which a run's directory has at least one.
  private static let marks = ["run.json", "metrics.jsonl", "config.yaml", "STATUS"]

  /// Whether the directory has the files of a run.
  public var isRun: Bool {
    let fileSystem = FileSystem()
    return Self.marks.contains { fileSystem.exists(path.appendingPath($0)) }
      && !fileSystem.exists(path.appendingPath(Checkpoint.manifestName))
  }

  /// The run that `find` finds at a path; throws `RunNotFound` where there is none.
  public static func existing(at path: String) throws -> RunDirectory {
    let directory = try find(at: path)
    guard directory.isRun else { throw RunNotFound(path: path) }
    return directory
  }

  /// All runs below a directory, sorted by path; itself if it is one.
  ///
  /// - Parameters:
  ///   - root: The directory.
  ///   - depth: How many directories lie between it and a run's files at most.
  public static func all(in root: String, depth: Int = 3) throws -> [RunDirectory] {
    let fileSystem = FileSystem()
    if RunDirectory(path: root).isRun { return [RunDirectory(path: root)] }
    guard depth > 0, try fileSystem.findsDirectory(root) else { return [] }
    return try fileSystem.names(in: root).filter { !$0.hasPrefix(".") }.flatMap { name in
      let directory = RunDirectory(path: root.appendingPath(name))
      return try fileSystem.findsDirectory(directory.path)
        ? all(in: directory.path, depth: depth - 1) : []
    }
  }

  /// Whether a process holds the lock now, as far as this host can tell.
  public var isInUse: Bool { RunLock.isHeld(in: path) }
}

/// A path at which there is no run.
public struct RunNotFound: ExitStatusProviding, CustomStringConvertible {
  /// The path that was given.
  public let path: String

  /// The path and what to give.
  public var description: String {
    "there is no run at '\(path)'; give a run's directory, or one that holds runs, such as runs/NAME"
  }

  /// The exit code 66.
  public var exitStatus: ExitStatus { .inputMissing }
}
