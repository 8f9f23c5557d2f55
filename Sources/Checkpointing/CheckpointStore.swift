// Checkpoints are directories which appear whole or not at all:
//
//   checkpoints/step-000470/{model.safetensors, optimizer.safetensors, state.json, manifest.json}
//   checkpoints/latest
//   checkpoints/best
//
// A directory is written under a hidden name, its files and itself are synced, and then it is
// renamed. The list of checkpoints is what the disk shows; `latest` is for people and scripts, and
// is never trusted. `best` names the checkpoint with the lowest validation loss, which stays when older ones go. A checkpoint that is damaged, belongs to another run, or is newer than the one a
// run resumes from is moved to checkpoints/rejected and never deleted.
import Base
import Foundation

/// The directory in which a run keeps its checkpoints.
public struct CheckpointStore: Sendable {
  /// A checkpoint that was passed over, and why.
  public struct Rejection: Sendable, Equatable {
    /// The step in its name.
    public let step: Int
    /// What is wrong with it; nil if only its audit is missing.
    public let damage: String?
  }

  /// The directory.
  public let directory: String
  /// How many checkpoints are kept; 0 keeps all.
  public let keep: Int
  /// The id of the run whose checkpoints are committed here; nil for none.
  public let run: String?
  let fileSystem: FileSystem

  /// Names the directory, which need not exist yet.
  ///
  /// - Parameters:
  ///   - directory: The directory of the checkpoints.
  ///   - keep: How many are kept; 0 keeps all.
  ///   - run: The id of the run, which each checkpoint gets.
  public init(directory: String, keep: Int, run: String? = nil) {
    self.init(directory: directory, keep: keep, run: run, fileSystem: FileSystem())
  }

  package init(directory: String, keep: Int, run: String? = nil, fileSystem: FileSystem) {
    precondition(keep >= 0, "checkpoint: cannot keep \(keep) checkpoints")
    self.directory = directory
    self.keep = keep
    self.run = run
    self.fileSystem = fileSystem
  }

  /// The directory of what was set aside.
  public var rejectedDirectory: String { directory.appendingPath("rejected") }

  /// Creates the directory, proves that it can be written durably, and removes what a killed run
  /// left.
  ///
  /// Call it once, before training, while holding the run's lock.
  public func prepare() throws {
    try fileSystem.preflight(directory)
    for name in try fileSystem.names(in: directory) where CheckpointStore.isTemporary(name) {
      try fileSystem.remove(directory.appendingPath(name))
    }
  }

  /// The steps of the committed checkpoints, ascending, as the disk shows them now.
  public func steps() throws -> [Int] {
    try fileSystem.names(in: directory).compactMap { name in
      guard let step = CheckpointStore.step(of: name),
        try fileSystem.findsDirectory(directory.appendingPath(name))
      else { return nil }
      return step
    }.sorted()
  }

  /// The directory of a step's checkpoint.
  public func path(step: Int) -> String {
    directory.appendingPath(CheckpointStore.name(step: step))
  }

  /// Opens the checkpoint of a step and verifies it.
  public func checkpoint(step: Int) throws -> Checkpoint {
    let checkpoint = try Checkpoint(path: path(step: step), fileSystem: fileSystem)
    guard checkpoint.step == step else {
      throw CheckpointError.damaged(
        path: checkpoint.path, reason: "its manifest is that of step \(checkpoint.step)")
    }
    return checkpoint
  }

  /// The newest checkpoint that verifies, and the newer ones that were passed over.
  ///
  /// It is `nil` where there is no checkpoint at all, and an error where there are some and none is
  /// usable. It is also an error where one cannot be read: that does not show that it is damaged.
  ///
  /// - Parameter prefersAudited: Whether an audited checkpoint is chosen before a newer one that is
  ///   not. Where none is audited, the newest is chosen.
  public func newestUsable(
    prefersAudited: Bool = false
  ) throws -> (checkpoint: Checkpoint, rejected: [Rejection])? {
    let steps = try steps()
    var rejected: [Rejection] = []
    for step in steps.reversed() {
      do {
        let newest = try checkpoint(step: step)
        guard prefersAudited, !newest.isAudited,
          let audited = newestAudited(of: steps.filter { $0 < step })
        else { return (newest, rejected) }
        rejected += steps.filter { audited.step < $0 && $0 <= step }.reversed()
          .map { Rejection(step: $0, damage: nil) }
        return (audited, rejected)
      } catch let error as CheckpointError where error.exitStatus != .inputOutput {
        rejected.append(Rejection(step: step, damage: error.description))
      }
    }
    if rejected.isEmpty { return nil }
    throw CheckpointError.noneUsable(
      directory: directory, reasons: rejected.compactMap(\.damage))
  }

  /// The newest checkpoint of some steps that is audited and verifies.
  ///
  /// One that cannot be read is passed over: there is a newer one that can be used.
  private func newestAudited(of steps: [Int]) -> Checkpoint? {
    for step in steps.reversed() {
      // The manifest is short; the other files are read only if that makes sense.
      guard let manifest = try? CheckpointManifest(inDirectory: path(step: step), fileSystem),
        manifest.isAudited, let checkpoint = try? checkpoint(step: step)
      else { continue }
      return checkpoint
    }
    return nil
  }

  /// Writes a checkpoint so that it appears whole or not at all, then removes those no longer kept.
  ///
  /// A good checkpoint of the same step and run stays as it is; a damaged one, or that of another
  /// run, is set aside.
  ///
  /// - Parameters:
  ///   - step: The number of optimizer steps done.
  ///   - files: Its files.
  ///   - isAudited: Whether the weights in `files` passed an audit.
  ///   - bestStep: The step of the run's best checkpoint, which is kept; nil keeps none for that.
  ///   - onWarning: Called with what failed after the checkpoint was saved.
  @discardableResult
  public func commit(
    step: Int, files: [CheckpointFile], isAudited: Bool = false, bestStep: Int? = nil,
    onWarning: (String) -> Void = { _ in }
  ) throws -> Checkpoint {
    precondition(step >= 0, "checkpoint: step \(step) is negative")
    precondition(
      Set(files.map(\.name)).count == files.count, "checkpoint: two files have the same name")
    if let existing = try committed(step: step), run == nil || existing.run == run {
      return existing
    }
    // Whether inodes are free is asked before the failed attempt is removed, which frees some.
    var hasInodes = true
    do {
      let temporary = directory.appendingPath(temporaryName(step: step, "tmp"))
      do {
        try write(files, step: step, isAudited, into: temporary)
        try publish(temporary, step: step)
      } catch {
        hasInodes = fileSystem.freeSpace(at: directory)?.hasInodes ?? true
        try? fileSystem.remove(temporary)
        throw error
      }
    } catch let error as FileSystemError {
      throw CheckpointError.writeFailed(
        step: step, byteCount: files.reduce(0) { $0 + $1.byteCount },
        free: fileSystem.freeSpace(at: directory).map {
          FreeSpace(bytes: $0.bytes, hasInodes: hasInodes)
        }, cause: error)
    }
    warning("the file 'latest' could not be updated", step, onWarning) {
      try nameLatest(step: step)
    }
    warning("the file 'best' could not be updated", step, onWarning) {
      try nameBest(step: bestStep)
    }
    // Read back before anything older goes, so that a checkpoint which the disk garbled costs
    // nothing.
    let committed = try checkpoint(step: step)
    warning("an older one could not be removed", step, onWarning) { try removeSurplus(upTo: step) }
    return committed
  }

  /// The checkpoint of a step if there is a good one.
  private func committed(step: Int) throws -> Checkpoint? {
    do {
      return try checkpoint(step: step)
    } catch let error as CheckpointError where error.exitStatus != .inputOutput {
      return nil
    }
  }

  /// Runs `body` after the checkpoint of a step was saved: its failure is no failure of the
  /// checkpoint.
  private func warning(
    _ what: String, _ step: Int, _ onWarning: (String) -> Void, _ body: () throws -> Void
  ) {
    do {
      try body()
    } catch {
      onWarning("the checkpoint of step \(step) was saved, but \(what): \(error)")
    }
  }

  /// Prepares to resume from a step: moves checkpoints that were passed over to `rejected`, and names
  /// the one used in `latest`, also where the run could not write that file.
  ///
  /// Returns where the checkpoints that were passed over are now, in their order.
  @discardableResult
  public func prepareToResume(
    from step: Int, settingAside rejected: [Rejection] = []
  ) throws -> [String] {
    let moved = try rejected.map { try setAside(path(step: $0.step)) }
    if !rejected.isEmpty { try fileSystem.synchronizeDirectory(directory) }
    let latest = try? fileSystem.readFile(directory.appendingPath("latest"))
    if latest != Array(latestText(step: step).utf8) {
      do {
        try nameLatest(step: step)
      } catch  where rejected.isEmpty {
        // People and scripts can wait for it until the disk has room again.
      }
    }
    return moved
  }

  /// Moves a checkpoint's directory to `rejected`, under a name that is free there; returns the new
  /// path.
  @discardableResult
  private func setAside(_ path: String) throws -> String {
    try fileSystem.makeDirectories(rejectedDirectory)
    let name = String(path.dropFirst(directory.count).drop { $0 == "/" })
    var target = rejectedDirectory.appendingPath(name)
    var number = 1
    while fileSystem.exists(target) {
      number += 1
      target = rejectedDirectory.appendingPath("\(name)-\(number)")
    }
    try fileSystem.rename(path, to: target)
    try fileSystem.synchronizeDirectory(rejectedDirectory)
    return target
  }

  private func nameLatest(step: Int) throws {
    try fileSystem.replaceFile(directory.appendingPath("latest"), with: latestText(step: step))
  }

  private func latestText(step: Int) -> String { CheckpointStore.name(step: step) + "\n" }

  private func write(
    _ files: [CheckpointFile], step: Int, _ isAudited: Bool, into temporary: String
  ) throws {
    try fileSystem.makeDirectories(directory)
    if fileSystem.exists(temporary) { try fileSystem.remove(temporary) }
    try fileSystem.makeDirectory(temporary)
    var manifest = CheckpointManifest(step: step, run: run, isAudited: isAudited)
    for file in files {
      let writer = try fileSystem.createFile(temporary.appendingPath(file.name))
      try file.forEachPiece { try writer.write($0) }
      try writer.finish()
      manifest.files.append(
        CheckpointManifest.File(
          name: file.name, bytes: writer.byteCount, checksum: writer.checksum))
    }
    let writer = try fileSystem.createFile(temporary.appendingPath(Checkpoint.manifestName))
    try writer.write(manifest.text)
    try writer.finish()
    try fileSystem.synchronizeDirectory(temporary)
  }

  private func publish(_ temporary: String, step: Int) throws {
    let final = path(step: step)
    if fileSystem.exists(final) { try setAside(final) }
    try fileSystem.rename(temporary, to: final)
    try fileSystem.synchronizeDirectory(directory)
  }

  private func removeSurplus(upTo step: Int) throws {
    guard keep > 0 else { return }
    // Newer checkpoints than the one just written are not part of this course of training.
    let best = try bestStep()
    for old in try steps().filter({ $0 <= step }).dropLast(keep) where old != best {
      try removeCheckpoint(step: old)
    }
  }

  private func removeCheckpoint(step: Int) throws {
    // Renamed first, so that a half-removed directory is never taken for a checkpoint.
    let removed = directory.appendingPath(temporaryName(step: step, "removed"))
    try fileSystem.rename(path(step: step), to: removed)
    try fileSystem.remove(removed)
  }

  private func temporaryName(step: Int, _ purpose: String) -> String {
    ".\(CheckpointStore.name(step: step)).\(purpose)-\(getpid())"
  }

  static func name(step: Int) -> String {
    let digits = String(step)
    return "step-" + String(repeating: "0", count: max(0, 6 - digits.count)) + digits
  }

  static func step(of name: String) -> Int? {
    guard name.hasPrefix("step-"), let step = Int(name.dropFirst(5)), step >= 0,
      self.name(step: step) == name
    else { return nil }
    return step
  }

  private static func isTemporary(_ name: String) -> Bool {
    name.hasPrefix(".step-") || name.hasPrefix(".latest.tmp-") || name.hasPrefix(".best.tmp-")
      || name.hasPrefix(".preflight-")
  }
}
