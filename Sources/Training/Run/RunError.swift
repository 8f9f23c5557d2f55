public import Base
public import Checkpointing

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

/// A checkpoint of more steps than the run is to have.
public struct RunBeyondEnd: ExitStatusProviding, CustomStringConvertible {
  /// The checkpoint's directory.
  public let path: String
  /// The steps that led to it.
  public let step: Int
  /// The steps of the whole run, as configured now.
  public let totalSteps: Int

  /// Both numbers and what to do.
  public var description: String {
    """
    the run cannot resume from '\(path)': it has \(step) steps already, and the configuration asks \
    for \(totalSteps). Raise training.epochs or training.steps, or name another --run-dir
    """
  }

  /// The exit code 78.
  public var exitStatus: ExitStatus { .configuration }
}

/// A run directory that another process uses.
public enum RunDirectoryError: ExitStatusProviding, Equatable, CustomStringConvertible {
  /// Another process trains in this directory.
  case inUse(path: String, host: String, process: Int)
  /// The lock cannot be read, so its holder is unknown.
  case unreadableLock(path: String)
  /// The directory was removed or replaced while this run was training, and another run has it now.
  case takenOver(path: String)

  /// Who uses the directory, and what to do.
  public var description: String {
    switch self {
    case .inUse(let path, let host, let process):
      "the run directory '\(path)' is in use by process \(process) on host '\(host)'; wait for it "
        + "or name another --run-dir (if that process is gone, remove '\(path)/LOCK')"
    case .unreadableLock(let path):
      "'\(path)/LOCK' does not say which process holds it; remove it if no process trains here"
    case .takenOver(let path):
      "another run has taken the run directory '\(path)' while this one was training, so no "
        + "checkpoint was saved; start this one again in another --run-dir"
    }
  }

  /// The directory cannot be used for output.
  public var exitStatus: ExitStatus { .cannotCreate }
}

/// A run whose newest checkpoint is damaged, where an older one was not to be used.
public struct DamagedNewestCheckpoint: ExitStatusProviding, CustomStringConvertible {
  /// The step of the newest checkpoint.
  public let step: Int
  /// The step of the newest one that can be used.
  public let usableStep: Int
  /// What is wrong with the newest.
  public let reason: String

  /// Both steps, the reason and what to do.
  public var description: String {
    """
    the newest checkpoint, of step \(step), is damaged, and --strict does not permit that of step \
    \(usableStep) in its place: \(reason)
    """
  }

  /// The exit code 65.
  public var exitStatus: ExitStatus { .badData }
}

/// A run of which no best checkpoint is kept.
public struct NoBestCheckpoint: ExitStatusProviding, CustomStringConvertible {
  /// The run's directory.
  public let path: String

  /// The directory and what to do.
  public var description: String {
    "'\(path)' has no best checkpoint: train with --set checkpoint.keepBest=true and validation data"
  }

  /// The exit code 66.
  public var exitStatus: ExitStatus { .inputMissing }
}
