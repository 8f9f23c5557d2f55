import Base
import Checkpointing
import Foundation

/// A run directory with its lock and the checkpoint to resume from.
struct OpenedRun {
  let directory: RunDirectory
  let lock: RunLock
  let checkpoint: Checkpoint
  let rejected: [CheckpointStore.Rejection]
}

/// Looks through all runs of a name for the one that a repeated command resumes: the same by its
/// identity, and unfinished.
///
/// A run is unfinished when its last checkpoint comes before the end of the training, or when its
/// STATUS does not say `done`: it was ended before it could say so. Nothing in the directories is
/// changed but the lock.
struct RunSearch {
  private struct Candidate {
    let directory: RunDirectory
    let lastStep: Int
    let differences: [RunIdentity.Difference]
    let isDone: Bool
  }

  let request: RunRequest
  /// What the run must have begun with; nil if that does not matter.
  let origin: RunOrigin?
  let fileSystem: FileSystem
  private(set) var notices: [RunNotice] = []

  init(_ request: RunRequest, origin: RunOrigin?, _ fileSystem: FileSystem) {
    (self.request, self.origin, self.fileSystem) = (request, origin, fileSystem)
  }

  /// The run to resume, locked; nil if there is none.
  mutating func find() throws -> OpenedRun? {
    var same: [Candidate] = []
    var others: [Candidate] = []
    let parent = request.root.appendingPath(request.name)
    for name in try fileSystem.names(in: parent) {
      guard let candidate = try candidate(parent.appendingPath(name)) else { continue }
      if candidate.differences.isEmpty { same.append(candidate) } else { others.append(candidate) }
    }
    // The one with the most steps, of equal ones the newest.
    same.sort { ($1.lastStep, $1.directory.path) < ($0.lastStep, $0.directory.path) }
    for candidate in same where !candidate.isDone || candidate.lastStep < request.totalSteps {
      if let run = try open(candidate.directory) { return run }
    }
    noteNearest(of: others)
    return nil
  }

  /// The run in a directory, if it has a checkpoint.
  private mutating func candidate(_ path: String) throws -> Candidate? {
    let directory = RunDirectory(path: path, fileSystem: fileSystem)
    do {
      guard let lastStep = try directory.checkpoints(keep: 0).steps().last else { return nil }
      if let origin, try directory.runFile()?.origin != origin { return nil }
      guard let identity = try request.identity(of: directory) else {
        notices.append(
          .warning(
            "'\(path)' has checkpoints, but its run.json and config.yaml cannot be read, so it was "
              + "not compared with this run"))
        return nil
      }
      let differences = request.identity.differences(
        from: identity, ignoring: request.allowedChanges)
      return Candidate(
        directory: directory, lastStep: lastStep, differences: differences,
        isDone: (try? directory.status()) == .done)
    } catch let error as FileSystemError where error.showsDamage || error.isRefused {
      // No run, or that of somebody else.
      return nil
    }
  }

  /// Locks the directory of a run that is the same and opens the checkpoint to resume from.
  ///
  /// It is nil, with a warning, if the run cannot be resumed. Throws when reading fails: then nobody
  /// knows.
  private mutating func open(_ directory: RunDirectory) throws -> OpenedRun? {
    func skip(_ reason: String) -> OpenedRun? {
      notices.append(
        .warning("the run '\(directory.path)' is the same but is not resumed: \(reason)"))
      return nil
    }
    do {
      try directory.prepare()
      let lock = try directory.lock()
      guard let newest = try directory.checkpoints(keep: 0).newestUsable(prefersAudited: true)
      else { return nil }
      try request.check(newest.checkpoint)
      return OpenedRun(
        directory: directory, lock: lock, checkpoint: newest.checkpoint, rejected: newest.rejected)
    } catch let error where RunLock.isHeldOnThisHost(error) {
      return skip("\(error)")
    } catch let error as FileSystemError where error.isRefused {
      return skip("\(error)")
    } catch let error as any ExitStatusProviding
      where [.badData, .configuration].contains(error.exitStatus)
    {
      return skip("\(error)")
    }
  }

  /// Says which unfinished run is the nearest, and in what it differs.
  private mutating func noteNearest(of others: [Candidate]) {
    func isLongerOnly(_ candidate: Candidate) -> Bool {
      candidate.differences.allSatisfy { Trainer.Options.lengthSettings.contains($0.name) }
    }
    let worthNoting = others.filter { !$0.isDone || isLongerOnly($0) }
    let nearest = worthNoting.min { first, second in
      (first.differences.count, second.directory.path)
        < (second.differences.count, first.directory.path)
    }
    guard let nearest else { return }
    let shown = nearest.differences.prefix(4).map(\.description)
    let rest = nearest.differences.count - shown.count
    var text =
      "the run '\(nearest.directory.path)', with \(nearest.lastStep) steps, differs: "
      + shown.joined(separator: "; ") + (rest > 0 ? "; and \(rest) more" : "")
      + ". This is a new run"
    if isLongerOnly(nearest) {
      text += "; to continue that one: --run-dir \(nearest.directory.path)"
    }
    notices.append(.note(text))
  }
}
