public import Base
public import Checkpointing
import Foundation

/// Whether a run resumes from a checkpoint.
public enum Resume: Sendable, Equatable {
  /// Resumes if there is a checkpoint to resume from, else starts over.
  case automatic
  /// Starts over, in a directory without checkpoints.
  case never
  /// Resumes from a run's newest checkpoint, or from this checkpoint.
  case path(String)

  /// Reads `auto`, `never` or a path.
  public init(_ text: String) {
    self = text == "auto" ? .automatic : text == "never" ? .never : .path(text)
  }
}

/// A run on disk as rank zero has it: its directory, its lock, and the checkpoint to resume from.
public final class Run {
  /// The run's directory.
  public let directory: RunDirectory
  /// The checkpoints.
  public let store: CheckpointStore
  /// The checkpoint to resume from, if there is one.
  public let checkpoint: Checkpoint?
  /// Newer checkpoints that cannot be used, and why.
  public let rejected: [CheckpointStore.Rejection]
  private let lock: RunLock

  /// Chooses the directory, makes sure that it can be written, and finds the checkpoint to resume
  /// from.
  ///
  /// With a directory given, `automatic` resumes from its newest checkpoint. Without one it looks
  /// for the newest run of this name that was interrupted and can be resumed; otherwise it creates a
  /// directory.
  ///
  /// - Parameters:
  ///   - name: The name of the run.
  ///   - root: The directory in which runs create theirs.
  ///   - path: The run's directory; nil finds or creates one in `root`.
  ///   - keep: The checkpoints that are kept; nil keeps all.
  ///   - resume: Whether to resume.
  ///   - configuration: The content of `config.yaml`.
  ///   - check: Throws when the run cannot be resumed from a checkpoint.
  public init(
    name: String, in root: String, directory path: String?, keep: Int?, resume: Resume,
    configuration: String, check: (Checkpoint) throws -> Void
  ) throws {
    var given: Checkpoint?
    if case .path(let path) = resume {
      given = try Run.findCheckpoint(at: path)
      try check(given!)
    }
    do {
      directory =
        try path.map { RunDirectory(path: $0) }
        ?? (resume == .automatic ? Run.interrupted(name, in: root, check) : nil)
        ?? RunDirectory.create(in: root, name: name)
      try directory.prepare()
    } catch let error as FileSystemError {
      throw RunDirectoryUnusable(path: path ?? root, cause: error)
    }
    lock = try directory.lock()
    store = directory.checkpoints(keep: keep ?? 0)
    try store.prepare()
    switch resume {
    case .automatic:
      let newest = try store.newestUsable()
      checkpoint = newest?.checkpoint
      rejected = newest?.rejected ?? []
    case .never:
      guard try store.steps().isEmpty else { throw RunExists(path: directory.path) }
      checkpoint = nil
      rejected = []
    case .path:
      guard try store.steps().allSatisfy({ $0 <= given!.step }) else {
        throw RunExists(path: directory.path)
      }
      checkpoint = given
      rejected = []
    }
    if let checkpoint {
      try check(checkpoint)
      if !rejected.isEmpty { try store.removeCheckpoints(after: checkpoint.step) }
    }
    try directory.write(configuration: configuration)
  }

  /// Opens a checkpoint, given its own directory or that of its run.
  public static func findCheckpoint(at path: String) throws -> Checkpoint {
    let fileSystem = FileSystem()
    if fileSystem.exists(path.appendingPath(Checkpoint.manifestName)) {
      return try Checkpoint(path: path)
    }
    guard fileSystem.isDirectory(path),
      let newest = try RunDirectory(path: path).checkpoints(keep: 0).newestUsable()
    else { throw CheckpointError.missing(path: path) }
    return newest.checkpoint
  }

  /// The newest run of a name, if it was interrupted and can be resumed.
  private static func interrupted(
    _ name: String, in root: String, _ check: (Checkpoint) throws -> Void
  ) throws -> RunDirectory? {
    guard FileManager.default.fileExists(atPath: root + "/" + name),
      let newest = try RunDirectory.newest(in: root, name: name),
      [.running, .stopped].contains(try newest.status()),
      let checkpoint = try? newest.checkpoints(keep: 0).newestUsable()?.checkpoint,
      (try? check(checkpoint)) != nil
    else { return nil }
    return newest
  }

  /// Releases the directory and records how the run ended.
  public func close(_ status: RunStatus) throws {
    try directory.setStatus(status)
    lock.release()
  }
}

/// A directory in which a run cannot be kept.
public struct RunDirectoryUnusable: ExitStatusProviding, CustomStringConvertible {
  /// The directory that was asked for.
  public let path: String
  /// The operation that failed.
  public let cause: FileSystemError

  /// What happened and what to do.
  public var description: String {
    "no run can be kept in '\(path)': \(cause); "
      + "name another directory with --run-dir or logging.directory"
  }

  /// The cause's: 73 where it cannot be created, 74 where it cannot be written.
  public var exitStatus: ExitStatus { cause.exitStatus }
}

/// A directory that has checkpoints, where a new run was to start.
public struct RunExists: ExitStatusProviding, CustomStringConvertible {
  /// The directory.
  public let path: String

  /// What is there and what to do.
  public var description: String {
    """
    '\(path)' has checkpoints of a run, which would be overwritten; name another --run-dir, or \
    resume from its newest checkpoint with --resume auto
    """
  }

  /// The exit code 73.
  public var exitStatus: ExitStatus { .cannotCreate }
}
