import Base
import Foundation

/// A file of a checkpoint about to be written.
public struct CheckpointFile {
  /// The file's name, without directories.
  public let name: String
  /// Its size, for the message when the disk is full.
  public let byteCount: Int
  /// Calls its argument with the content, in one or several pieces from first to last.
  public let forEachPiece: ((UnsafeRawBufferPointer) throws -> Void) throws -> Void

  /// A file whose content a closure hands over, in one or several pieces.
  public init(
    name: String, byteCount: Int,
    forEachPiece: @escaping ((UnsafeRawBufferPointer) throws -> Void) throws -> Void
  ) {
    precondition(
      name.isPlainFileName && name != Checkpoint.manifestName,
      "checkpoint: '\(name)' cannot name a file")
    self.name = name
    self.byteCount = byteCount
    self.forEachPiece = forEachPiece
  }

  /// A file of tensors.
  public static func tensors(
    _ name: String, _ tensors: [SafetensorsTensor], metadata: [String: String] = [:]
  ) -> CheckpointFile {
    let writer = SafetensorsWriter(tensors, metadata: metadata)
    return CheckpointFile(name: name, byteCount: writer.byteCount) { try writer.write($0) }
  }

  /// A file of text.
  public static func text(_ name: String, _ text: String) -> CheckpointFile {
    CheckpointFile(name: name, byteCount: text.utf8.count) { body in
      try Array(text.utf8).withUnsafeBytes { try body($0) }
    }
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
  /// The id of the run that wrote it; nil if it was written without one.
  public let run: String?
  /// Whether the weights passed an audit right before they were saved; false in checkpoints of earlier
  /// versions.
  public let isAudited: Bool

  package static let manifestName = "manifest.json"

  /// Whether a directory is that of a checkpoint.
  package static func isCheckpoint(_ path: String) -> Bool {
    FileSystem().exists(path.appendingPath(manifestName))
  }

  /// Opens a checkpoint's directory and verifies it.
  public init(path: String) throws {
    try self.init(path: path, fileSystem: FileSystem())
  }

  package init(path: String, fileSystem: FileSystem) throws {
    let manifest = try CheckpointManifest(inDirectory: path, fileSystem)
    for file in manifest.files {
      let filePath = path.appendingPath(file.name)
      let found = try CheckpointError.whenReading(filePath) { try fileSystem.checksum(filePath) }
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
    run = manifest.run
    step = manifest.step
    isAudited = manifest.isAudited
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

  /// The content of one of its small files.
  package func content(of name: String) throws -> [UInt8] {
    let path = try path(of: name)
    return try CheckpointError.whenReading(path) { try FileSystem().readFile(path) }
  }

  /// Reads one of its files of JSON.
  public func decode<Value: Decodable>(_ type: Value.Type, from name: String) throws -> Value {
    let path = try path(of: name)
    let content = try content(of: name)
    do {
      return try JSON.decode(from: content)
    } catch {
      throw CheckpointError.damaged(path: path, reason: error.description)
    }
  }
}

/// The list of a checkpoint's files with their sizes and checksums.
///
/// It must read back to the very text that is written for its values, its own checksum included.
/// Version 1 has no `run`, and versions 1 and 2 have no `audited` and no checksum: their other values
/// are compared with the directory.
struct CheckpointManifest: Decodable {
  struct File: Decodable {
    let name: String
    let bytes: Int
    /// Eight hexadecimal digits.
    let crc32: String

    init(name: String, bytes: Int, checksum: UInt32) {
      (self.name, self.bytes, crc32) = (name, bytes, String(hexadecimal: checksum))
    }
  }

  private let version: Int
  let step: Int
  /// The id of the run that wrote the checkpoint.
  let run: String?
  private let audited: Bool?
  var files: [File] = []

  init(step: Int, run: String?, isAudited: Bool) {
    version = 3
    (self.step, self.run, audited) = (step, run, isAudited)
  }

  /// Reads the manifest of a checkpoint's directory.
  init(inDirectory path: String, _ fileSystem: FileSystem) throws {
    let manifestPath = path.appendingPath(Checkpoint.manifestName)
    self = try CheckpointError.whenReading(manifestPath) {
      guard try fileSystem.findsDirectory(path) else { throw CheckpointError.missing(path: path) }
      return try CheckpointManifest(
        parsing: fileSystem.readFile(manifestPath), path: manifestPath)
    }
  }

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

  var isAudited: Bool { audited ?? false }

  var text: String {
    let list = files.map { file -> JSONObject in
      ["name": file.name, "bytes": file.bytes, "crc32": file.crc32]
    }
    var manifest: JSONObject = ["format": "lockstep-checkpoint", "version": version]
    if version >= 2, let run { manifest.append("run", run) }
    manifest.append("step", step)
    if version >= 3 { manifest.append("audited", isAudited) }
    manifest.append("files", list)
    if version >= 3 {
      let checksum = Array(manifest.text.utf8).withUnsafeBytes { crc32(of: $0) }
      manifest.append("crc32", String(hexadecimal: checksum))
    }
    return manifest.text + "\n"
  }
}
