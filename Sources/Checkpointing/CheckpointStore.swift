// Checkpoints are directories which appear whole or not at all:
//
//   checkpoints/step-000470/{model.safetensors, optimizer.safetensors, state.json, manifest.json}
//   checkpoints/latest
//
// A directory is written under a hidden name, its files and itself are synced, and then it is
// renamed. The list of checkpoints is what the disk shows; `latest` is for people and scripts, and
// is never trusted.
public import Base
import Foundation

/// A file of a checkpoint about to be written.
public struct CheckpointFile {
  /// The file's name, without directories.
  public let name: String
  /// Its size, for the message when the disk is full.
  public let byteCount: Int
  /// Writes its content.
  public let write: (FileWriter) throws -> Void

  /// A file whose content a closure writes.
  public init(name: String, byteCount: Int, write: @escaping (FileWriter) throws -> Void) {
    precondition(
      name.isPlainFileName && name != Checkpoint.manifestName,
      "checkpoint: '\(name)' cannot name a file")
    self.name = name
    self.byteCount = byteCount
    self.write = write
  }

  /// A file of tensors.
  public static func tensors(
    _ name: String, _ tensors: [SafetensorsTensor], metadata: [String: String] = [:]
  ) -> CheckpointFile {
    let writer = SafetensorsWriter(tensors, metadata: metadata)
    return CheckpointFile(name: name, byteCount: writer.byteCount) { try writer.write(to: $0) }
  }

  /// A file of text.
  public static func text(_ name: String, _ text: String) -> CheckpointFile {
    CheckpointFile(name: name, byteCount: text.utf8.count) { try $0.write(text) }
  }
}

/// A checkpoint on the disk whose every byte was compared with its manifest.
public struct Checkpoint: Sendable, Equatable {
  /// The number of optimizer steps that led to it.
  public let step: Int
  /// Its directory.
  public let path: String
  /// The names of its files.
  public let fileNames: [String]

  package static let manifestName = "manifest.json"

  /// Opens a checkpoint's directory and verifies it.
  public init(path: String) throws {
    try self.init(path: path, fileSystem: FileSystem())
  }

  package init(path: String, fileSystem: FileSystem) throws {
    let manifestPath = path.appendingPath(Checkpoint.manifestName)
    guard fileSystem.exists(manifestPath) else {
      throw fileSystem.exists(path)
        ? CheckpointError.damaged(path: manifestPath, reason: "the file is missing")
        : CheckpointError.missing(path: path)
    }
    let manifest = try CheckpointManifest(
      parsing: fileSystem.readFile(manifestPath), path: manifestPath)
    for file in manifest.files {
      let filePath = path.appendingPath(file.name)
      let found: (byteCount: Int, checksum: UInt32)
      do {
        found = try fileSystem.checksum(filePath)
      } catch let error as FileSystemError {
        throw CheckpointError.damaged(
          path: filePath, reason: String(cString: strerror(error.code)))
      }
      guard found.byteCount == file.bytes else {
        throw CheckpointError.damaged(
          path: filePath, reason: "\(found.byteCount) bytes long instead of \(file.bytes)")
      }
      let checksum = String(hexadecimal: found.checksum)
      guard checksum == file.crc32 else {
        throw CheckpointError.damaged(
          path: filePath,
          reason: "the content has changed: its CRC-32 is \(checksum) instead of \(file.crc32)")
      }
    }
    step = manifest.step
    self.path = path
    fileNames = manifest.files.map(\.name)
  }

  /// The path of one of its files.
  public func path(of name: String) throws -> String {
    guard fileNames.contains(name) else {
      throw CheckpointError.damaged(path: path, reason: "it holds no '\(name)'")
    }
    return path.appendingPath(name)
  }

  /// Opens one of its files of tensors.
  public func tensors(_ name: String) throws -> SafetensorsFile {
    try SafetensorsFile(path: path(of: name))
  }

  /// Reads one of its files of JSON.
  public func decode<Value: Decodable>(_ type: Value.Type, from name: String) throws -> Value {
    let path = try path(of: name)
    do {
      return try JSON.decode(from: FileSystem().readFile(path))
    } catch let error as JSONError {
      throw CheckpointError.damaged(path: path, reason: error.description)
    }
  }
}

/// A checkpoint that could not be written or cannot be used.
public enum CheckpointError: ExitStatusProviding, Equatable, CustomStringConvertible {
  /// There is nothing at this path.
  case missing(path: String)
  /// A file is not what was written.
  case damaged(path: String, reason: String)
  /// There are checkpoints, and none can be used; the reasons, newest first.
  case noneUsable(directory: String, reasons: [String])
  /// Writing failed; earlier checkpoints are untouched.
  case writeFailed(step: Int, byteCount: Int, freeByteCount: Int?, cause: FileSystemError)

  /// What happened, where, and what can be done.
  public var description: String {
    switch self {
    case .missing(let path): "there is no checkpoint at '\(path)'"
    case .damaged(let path, let reason): "the checkpoint file '\(path)' is damaged: \(reason)"
    case .noneUsable(let directory, let reasons):
      "none of the \(reasons.count) checkpoints in '\(directory)' can be used:\n"
        + reasons.map { "  " + $0 }.joined(separator: "\n")
        + "\nrestore one from a copy, or start anew in another run directory"
    case .writeFailed(let step, let byteCount, let freeByteCount, let cause):
      "the checkpoint of step \(step) was not saved, earlier ones are intact: \(cause)"
        + " (it needs \(byteCount) bytes"
        + (freeByteCount.map { ", \($0) are free)" } ?? ")")
    }
  }

  /// Missing input, bad data, or a failed transfer.
  public var exitStatus: ExitStatus {
    switch self {
    case .missing: .inputMissing
    case .damaged, .noneUsable: .badData
    case .writeFailed: .inputOutput
    }
  }
}

/// The directory in which a run keeps its checkpoints.
public struct CheckpointStore: Sendable {
  /// A checkpoint that was passed over, and why.
  public struct Rejection: Sendable, Equatable {
    /// The step in its name.
    public let step: Int
    /// What is wrong with it.
    public let reason: String
  }

  /// The directory.
  public let directory: String
  /// How many checkpoints are kept; 0 keeps all.
  public let keep: Int
  private let fileSystem: FileSystem

  /// Names the directory, which need not exist yet.
  public init(directory: String, keep: Int) {
    self.init(directory: directory, keep: keep, fileSystem: FileSystem())
  }

  package init(directory: String, keep: Int, fileSystem: FileSystem) {
    precondition(keep >= 0, "checkpoint: cannot keep \(keep) checkpoints")
    self.directory = directory
    self.keep = keep
    self.fileSystem = fileSystem
  }

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
        fileSystem.isDirectory(directory.appendingPath(name))
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

  /// The newest checkpoint that verifies, and the newer ones that do not.
  ///
  /// It is `nil` where there is no checkpoint at all, and an error where there are some and none is
  /// usable.
  public func newestUsable() throws -> (checkpoint: Checkpoint, rejected: [Rejection])? {
    var rejected: [Rejection] = []
    for step in try steps().reversed() {
      do {
        return (try checkpoint(step: step), rejected)
      } catch let error as CheckpointError {
        rejected.append(Rejection(step: step, reason: error.description))
      } catch let error as FileSystemError {
        rejected.append(Rejection(step: step, reason: error.description))
      }
    }
    if rejected.isEmpty { return nil }
    throw CheckpointError.noneUsable(directory: directory, reasons: rejected.map(\.reason))
  }

  /// Writes a checkpoint so that it appears whole or not at all, then removes those no longer kept.
  ///
  /// A good checkpoint of the same step stays as it is; a damaged one is replaced.
  @discardableResult
  public func commit(step: Int, files: [CheckpointFile]) throws -> Checkpoint {
    precondition(step >= 0, "checkpoint: step \(step) is negative")
    precondition(
      Set(files.map(\.name)).count == files.count, "checkpoint: two files have the same name")
    if let existing = try? checkpoint(step: step) { return existing }
    do {
      let temporary = directory.appendingPath(temporaryName(step: step, "tmp"))
      do {
        try write(files, step: step, into: temporary)
        try publish(temporary, step: step)
      } catch {
        try? fileSystem.remove(temporary)
        throw error
      }
      try fileSystem.replaceFile(
        directory.appendingPath("latest"), with: CheckpointStore.name(step: step) + "\n")
    } catch let error as FileSystemError {
      throw CheckpointError.writeFailed(
        step: step, byteCount: files.reduce(0) { $0 + $1.byteCount },
        freeByteCount: fileSystem.freeBytes(at: directory), cause: error)
    }
    // Read back before anything older goes, so that a checkpoint which the disk garbled costs
    // nothing.
    let committed = try checkpoint(step: step)
    try removeSurplus(upTo: step)
    return committed
  }

  /// Removes the checkpoints newer than the one from which a run continues.
  ///
  /// They are damaged, or belong to a course of training that is being abandoned.
  public func removeCheckpoints(after step: Int) throws {
    for newer in try steps() where newer > step { try removeCheckpoint(step: newer) }
    try fileSystem.replaceFile(
      directory.appendingPath("latest"), with: CheckpointStore.name(step: step) + "\n")
  }

  private func write(_ files: [CheckpointFile], step: Int, into temporary: String) throws {
    try fileSystem.makeDirectories(directory)
    if fileSystem.exists(temporary) { try fileSystem.remove(temporary) }
    try fileSystem.makeDirectory(temporary)
    var manifest = CheckpointManifest(step: step)
    for file in files {
      let writer = try fileSystem.createFile(temporary.appendingPath(file.name))
      try file.write(writer)
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
    let damaged = directory.appendingPath(temporaryName(step: step, "damaged"))
    if fileSystem.exists(final) { try fileSystem.rename(final, to: damaged) }
    try fileSystem.rename(temporary, to: final)
    try fileSystem.synchronizeDirectory(directory)
    if fileSystem.exists(damaged) { try fileSystem.remove(damaged) }
  }

  private func removeSurplus(upTo step: Int) throws {
    guard keep > 0 else { return }
    // Newer checkpoints than the one just written are not part of this course of training.
    for old in try steps().filter({ $0 <= step }).dropLast(keep) {
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

  private static func name(step: Int) -> String {
    let digits = String(step)
    return "step-" + String(repeating: "0", count: max(0, 6 - digits.count)) + digits
  }

  private static func step(of name: String) -> Int? {
    guard name.hasPrefix("step-"), let step = Int(name.dropFirst(5)), step >= 0,
      self.name(step: step) == name
    else { return nil }
    return step
  }

  private static func isTemporary(_ name: String) -> Bool {
    name.hasPrefix(".step-") || name.hasPrefix(".latest.tmp-") || name.hasPrefix(".preflight-")
  }
}

/// The list of a checkpoint's files with their sizes and checksums.
///
/// It needs no checksum of its own: it must read back to the very text that is written for its
/// values, and each value is compared with the directory.
private struct CheckpointManifest: Decodable {
  struct File: Decodable {
    let name: String
    let bytes: Int
    /// Eight hexadecimal digits.
    let crc32: String

    init(name: String, bytes: Int, checksum: UInt32) {
      (self.name, self.bytes, crc32) = (name, bytes, String(hexadecimal: checksum))
    }
  }

  let step: Int
  var files: [File] = []

  init(step: Int) { self.step = step }

  init(parsing bytes: [UInt8], path: String) throws(CheckpointError) {
    do throws(JSONError) {
      self = try JSON.decode(from: bytes)
    } catch {
      throw .damaged(path: path, reason: error.description)
    }
    for file in files where !file.name.isPlainFileName {
      throw .damaged(path: path, reason: "'\(file.name.prefix(80))' is not a file's name")
    }
    guard text.utf8.elementsEqual(bytes) else {
      throw .damaged(path: path, reason: "it is not as it was written")
    }
  }

  var text: String {
    let list = files.map { file -> JSONObject in
      ["name": file.name, "bytes": file.bytes, "crc32": file.crc32]
    }
    let manifest: JSONObject = [
      "format": "lockstep-checkpoint", "version": 1, "step": step, "files": list,
    ]
    return manifest.text + "\n"
  }
}
