import Base
public import Checkpointing

/// A run on disk as rank zero has it: its directory, its lock, and the checkpoint to resume from.
public final class Run {
  /// The run's directory.
  public let directory: RunDirectory
  /// The checkpoints.
  public let store: CheckpointStore
  /// The checkpoint to resume from, if there is one.
  public let checkpoint: Checkpoint?
  /// What the start of the run has to say.
  public let notices: [RunNotice]
  private let configuration: String
  private let file: RunFile
  private var lock: RunLock

  /// Chooses the directory, makes sure that it can be written, and finds the checkpoint to resume
  /// from.
  ///
  /// With a directory given, `automatic` resumes from its newest checkpoint. Without one it looks
  /// through all runs of this name for one that is the same and unfinished; where there is none, it
  /// creates a directory. A checkpoint of another run begins a new run, or resumes the one that began
  /// with it. An audited checkpoint is chosen before a newer one that is not. Newer
  /// checkpoints that are passed over are moved to `checkpoints/rejected`. Throws, and changes
  /// nothing, when a checkpoint cannot be read.
  ///
  /// - Parameters:
  ///   - request: The run that is asked for.
  ///   - path: The run's directory; nil finds or creates one.
  ///   - resume: Whether to resume.
  public convenience init(_ request: RunRequest, directory path: String?, resume: Resume) throws {
    try self.init(request, directory: path, resume: resume, fileSystem: FileSystem())
  }

  package init(
    _ request: RunRequest, directory path: String?, resume: Resume, fileSystem: FileSystem
  ) throws {
    var notices: [RunNotice] = []
    func check(_ checkpoint: Checkpoint) throws {
      try request.check(checkpoint)
      guard checkpoint.step <= request.totalSteps else {
        throw RunBeyondEnd(
          path: checkpoint.path, step: checkpoint.step, totalSteps: request.totalSteps)
      }
    }
    var given: Checkpoint?
    if case .path(let path) = resume {
      given = try Run.findCheckpoint(at: path, prefersAudited: true) {
        notices.append(.warning($0))
      }
      try check(given!)
    }
    let origin = given.map { RunOrigin($0) }
    var found: OpenedRun?
    do {
      if path == nil && resume != .never {
        var search = RunSearch(request, origin: origin, fileSystem)
        found = try search.find()
        notices += search.notices
      }
      directory =
        try found?.directory ?? path.map { RunDirectory(path: $0, fileSystem: fileSystem) }
        ?? RunDirectory.create(in: request.root, name: request.name)
      if found == nil { try directory.prepare() }
    } catch let error as FileSystemError where error.action != .read {
      throw RunDirectoryUnusable(path: path ?? request.root, cause: error)
    }
    lock = try found?.lock ?? directory.lock()
    try directory.removeTemporaries()

    let all = directory.checkpoints(keep: 0)
    try all.prepare()
    let lastStep = try all.steps().last
    let saved = try lastStep == nil ? nil : directory.runFile()
    file = RunFile(
      id: saved?.id ?? RunFile.newID(), request.identity, origin: origin ?? saved?.origin,
      folder: request.folder)
    let store = directory.checkpoints(keep: request.keep ?? 0, run: file.id)
    self.store = store
    switch resume {
    case .never:
      guard lastStep == nil else { throw RunExists(path: directory.path) }
      checkpoint = nil
    case .path where (lastStep ?? 0) <= given!.step:
      checkpoint = given
    case .path where saved?.origin != origin:
      throw RunExists(path: directory.path)
    // The same command has begun this run.
    case .automatic, .path:
      let newest =
        try found.map { ($0.checkpoint, $0.rejected) } ?? store.newestUsable(prefersAudited: true)
      checkpoint = newest?.0
      if let (checkpoint, rejected) = newest {
        try check(checkpoint)
        notices += try store.prepareToResume(from: checkpoint, settingAside: rejected)
          .map { .warning($0) }
      }
    }
    configuration = request.configuration
    self.notices = notices
    try writeDescription()
  }

  private func writeDescription() throws {
    try directory.write(configuration: configuration)
    try directory.write(file)
  }

  /// Opens a checkpoint, given its own directory, that of its run, or that of the runs of a name.
  ///
  /// - Parameters:
  ///   - path: A checkpoint's directory; or a run's, or that of several runs, of which the newest is
  ///     taken: its newest usable checkpoint is opened.
  ///   - isBest: Whether the run's best checkpoint is opened instead of the newest.
  ///   - isStrict: Whether it is an error that newer checkpoints are damaged.
  ///   - prefersAudited: Whether an audited checkpoint is chosen before a newer one that is not.
  ///   - onWarning: Called for each newer checkpoint that is passed over.
  public static func findCheckpoint(
    at path: String, isBest: Bool = false, isStrict: Bool = false, prefersAudited: Bool = false,
    onWarning: (String) -> Void = { _ in }
  ) throws -> Checkpoint {
    let fileSystem = FileSystem()
    if fileSystem.exists(path.appendingPath(Checkpoint.manifestName)) {
      return try Checkpoint(path: path)
    }
    guard try fileSystem.findsDirectory(path) else { throw CheckpointError.missing(path: path) }
    let store = try RunDirectory.find(at: path).checkpoints(keep: 0)
    if isBest {
      guard let best = try store.best() else { throw NoBestCheckpoint(path: path) }
      return best
    }
    guard let newest = try store.newestUsable(prefersAudited: prefersAudited) else {
      throw CheckpointError.missing(path: path)
    }
    let step = newest.checkpoint.step
    for rejection in newest.rejected {
      guard let damage = rejection.damage else {
        onWarning(
          "checkpoint of step \(rejection.step) was not audited; using that of step \(step), which "
            + "was. To use the newer one, name '\(store.path(step: rejection.step))'")
        continue
      }
      if isStrict {
        throw DamagedNewestCheckpoint(step: rejection.step, usableStep: step, reason: damage)
      }
      onWarning(
        "checkpoint of step \(rejection.step) is damaged; using that of step \(step): " + damage)
    }
    return newest.checkpoint
  }

  /// Makes sure that the directory is still that of this run, before something is written there.
  ///
  /// Creates it again where it was removed, and then returns what is lost. Throws when another run
  /// has taken it.
  func reclaimDirectory() throws -> String? {
    switch lock.state {
    case .held: return nil
    case .replaced: throw RunDirectoryError.takenOver(path: directory.path)
    case .removed: break
    }
    let found = try directory.runFile()
    let wasRemoved = found == nil
    guard wasRemoved || found?.id == file.id else {
      throw RunDirectoryError.takenOver(path: directory.path)
    }
    try directory.prepare()
    lock.release()
    lock = try directory.lock()
    guard wasRemoved else {
      return "'\(directory.path)/LOCK' was removed while this run was training; it is locked again"
    }
    try writeDescription()
    return """
      the run directory '\(directory.path)' was removed while this run was training; it is created \
      again, without earlier checkpoints and metrics
      """
  }

  /// Releases the directory and records how the run ended, if it is still that of this run.
  ///
  /// - Parameters:
  ///   - status: How it ended.
  ///   - step: The steps that were done, if known.
  ///   - reason: Why it ended, if it is not finished.
  public func close(_ status: RunStatus, step: Int? = nil, reason: String? = nil) throws {
    guard lock.state == .held else { return }
    // The status matters more than the log.
    try? AttemptLog(path: directory.attemptsPath).end(step: step, status, reason: reason)
    try directory.setStatus(status)
    lock.release()
  }
}
