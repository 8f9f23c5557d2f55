// A run on the disk, as rank zero holds it: its directory, its lock, its log and the checkpoint it
// goes on from.
public import Base
public import Checkpointing
import Foundation

/// Whether a run goes on from what is there.
public enum Resume: Sendable, Equatable {
  /// Goes on where there is something to go on from, else begins.
  case automatic
  /// Begins, in a directory without checkpoints.
  case never
  /// Goes on from a run's newest checkpoint, or from this very one.
  case path(String)

  /// Reads `auto`, `never` or a path.
  public init(_ text: String) {
    self = text == "auto" ? .automatic : text == "never" ? .never : .path(text)
  }
}

/// A run that this process may write to.
public final class Run {
  /// Where everything goes.
  public let directory: RunDirectory
  /// The checkpoints.
  public let store: CheckpointStore
  /// The checkpoint to go on from, if there is one.
  public let checkpoint: Checkpoint?
  /// Newer checkpoints that cannot be used, and why.
  public let rejected: [CheckpointStore.Rejection]
  private let lock: RunLock

  /// Chooses the directory, makes sure it can be written, and finds the checkpoint to go on from.
  ///
  /// With a directory given, `automatic` goes on from its newest checkpoint. Without one it looks
  /// for the newest run of the configuration's name that was interrupted and had the same
  /// configuration; otherwise it makes a new directory.
  public init(
    _ configuration: TrainingConfiguration, directory path: String?, resume: Resume
  ) throws {
    var given: Checkpoint?
    if case .path(let path) = resume {
      given = try Run.findCheckpoint(at: path)
      try Run.check(configuration, against: given!)
    }
    directory = try Run.directory(of: configuration, path: path, resume: resume)
    lock = try directory.lock()
    store = directory.checkpoints(keep: configuration.checkpoint.keep)
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
      try Run.check(configuration, against: checkpoint)
      if !rejected.isEmpty { try store.removeCheckpoints(after: checkpoint.step) }
    }
    try directory.write(configuration)
  }

  /// The directory to write to, which can be written.
  private static func directory(
    of configuration: TrainingConfiguration, path: String?, resume: Resume
  ) throws -> RunDirectory {
    let root = configuration.logging.directory
    do {
      let directory: RunDirectory
      if let path {
        directory = RunDirectory(path: path)
      } else if resume == .automatic, let interrupted = try Run.interrupted(configuration) {
        directory = interrupted
      } else {
        directory = try RunDirectory.create(in: root, name: configuration.name)
      }
      try directory.prepare()
      return directory
    } catch let error as FileSystemError {
      throw RunDirectoryUnusable(path: path ?? root, cause: error)
    }
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

  /// The newest run of the same name and configuration, if it was interrupted.
  private static func interrupted(_ configuration: TrainingConfiguration) throws -> RunDirectory? {
    guard
      FileManager.default.fileExists(
        atPath: configuration.logging.directory + "/" + configuration.name),
      let newest = try RunDirectory.newest(
        in: configuration.logging.directory, name: configuration.name),
      [.running, .stopped].contains(try newest.status()),
      let checkpoint = try? newest.checkpoints(keep: 0).newestUsable()?.checkpoint,
      (try? check(configuration, against: checkpoint)) != nil
    else { return nil }
    return newest
  }

  /// Throws when a checkpoint was trained with another configuration, but for what may change on
  /// the way.
  private static func check(
    _ configuration: TrainingConfiguration, against checkpoint: Checkpoint
  ) throws {
    let differences = configuration.differences(from: try checkpoint.configuration()).filter {
      difference in
      !["name", "data.path", "training.epochs", "training.steps"].contains(difference.path)
        && (["distributed.shards", "distributed.synchronizedBatchNorm"].contains(difference.path)
          || !["logging.", "checkpoint.", "distributed.", "training.evaluat"].contains {
            difference.path.hasPrefix($0)
          })
    }
    guard differences.isEmpty else {
      let lines = differences.map {
        "  \($0.path): \($0.other.yaml) in the checkpoint, \($0.value.yaml) now"
      }
      throw ConfigurationError(
        """
        the run cannot go on from '\(checkpoint.path)', which has another configuration:
        \(lines.joined(separator: "\n"))
        restore these values, or begin a new run with --resume never and another --run-dir
        """)
    }
  }

  /// Gives the directory back and notes how the run ended.
  public func close(_ status: RunStatus) throws {
    try directory.setStatus(status)
    lock.release()
  }
}

/// A directory in which a run cannot be kept.
public struct RunDirectoryUnusable: ExitStatusProviding, CustomStringConvertible {
  /// The directory that was asked for.
  public let path: String
  /// What could not be done.
  public let cause: FileSystemError

  /// What happened and what to do.
  public var description: String {
    "no run can be kept in '\(path)': \(cause); "
      + "name another place with --run-dir or logging.directory"
  }

  /// The cause's: 73 where it cannot be created, 74 where it cannot be written.
  public var exitStatus: ExitStatus { cause.exitStatus }
}

/// A directory that holds checkpoints, where a new run was to begin.
public struct RunExists: ExitStatusProviding, CustomStringConvertible {
  /// The directory.
  public let path: String

  /// What is there and what to do.
  public var description: String {
    """
    '\(path)' holds checkpoints of a run that would be overwritten; name another --run-dir, or go \
    on from its newest checkpoint with --resume auto
    """
  }

  /// The exit code 73.
  public var exitStatus: ExitStatus { .cannotCreate }
}
