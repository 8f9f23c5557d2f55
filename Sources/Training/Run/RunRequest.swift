public import Checkpointing

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

/// The run that a command asks for.
public struct RunRequest {
  /// The name of the run.
  public var name: String
  /// The directory in which runs create theirs.
  public var root: String
  /// The checkpoints that are kept; nil keeps all.
  public var keep: Int?
  /// The content of `config.yaml`.
  public var configuration: String
  /// The folder that relative paths of the configuration are relative to.
  public var folder: String
  /// What makes another run the same.
  public var identity: RunIdentity
  /// The steps of the whole run.
  public var totalSteps: Int
  /// What may differ although it is part of the identity.
  public var allowedChanges: Set<AllowedChange> = []
  /// The settings of another run's identity under today's names: those that it saved, or for nil
  /// those of its `config.yaml`; nil if they cannot be read.
  public var settings: (RunDirectory, _ saved: [String: String]?) throws -> [String: String]?
  /// Throws when the run cannot be resumed from a checkpoint.
  public var check: (Checkpoint) throws -> Void

  /// A request by its parts.
  public init(
    name: String, root: String, keep: Int?, configuration: String, folder: String,
    identity: RunIdentity,
    totalSteps: Int, allowedChanges: Set<AllowedChange> = [],
    settings: @escaping (RunDirectory, _ saved: [String: String]?) throws -> [String: String]?,
    check: @escaping (Checkpoint) throws -> Void
  ) {
    (self.name, self.root, self.keep, self.configuration) = (name, root, keep, configuration)
    (self.identity, self.totalSteps, self.allowedChanges) = (identity, totalSteps, allowedChanges)
    self.folder = folder
    (self.settings, self.check) = (settings, check)
  }

  /// The identity of the run in a directory; nil if it cannot be told.
  func identity(of directory: RunDirectory) throws -> RunIdentity? {
    let saved = try directory.runFile()?.identity
    guard let settings = try settings(directory, saved?.settings) ?? settings(directory, nil)
    else { return nil }
    return RunIdentity(settings: settings, data: saved?.data, model: saved?.model)
  }
}

/// What a run's start has to say besides its result.
public enum RunNotice: Sendable, Equatable {
  /// What the user may want to know.
  case note(String)
  /// What is not as it should be.
  case warning(String)
}
