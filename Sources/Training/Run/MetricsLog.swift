package import Checkpointing
import Foundation

/// metrics.jsonl, open for appending: one JSON object per line, readable at any moment.
public final class MetricsLog {
  /// The file.
  public let path: String
  private let descriptor: Int32
  /// Whether the file may end with half a line.
  private var isTorn = false
  /// The last record that the file had when it was opened.
  let lastRecord: MetricsRecord?

  /// Opens the log of a run that resumes after a step, or of a new run after step 0.
  ///
  /// A torn last line is removed, and so are the records of later steps, which will be written
  /// again.
  public convenience init(path: String, continuingAfter step: Int) throws {
    try self.init(path: path, continuingAfter: step, fileSystem: FileSystem())
  }

  package init(path: String, continuingAfter step: Int, fileSystem: FileSystem) throws {
    lastRecord = try MetricsLog.trim(path, after: step, fileSystem)
    self.path = path
    descriptor = open(path, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw FileSystemError(.create, path, code: errno) }
  }

  deinit {
    close(descriptor)
  }

  /// Appends a record as one line in one call, so that readers never see half of it.
  ///
  /// What a failed call has written of its line is removed, or ended before the next line.
  public func append(_ record: MetricsRecord) throws {
    let length = lseek(descriptor, 0, SEEK_END)
    do {
      try Array(((isTorn ? "\n" : "") + record.line + "\n").utf8).withUnsafeBytes { bytes in
        try writeAll(bytes, to: descriptor, path: path)
      }
      isTorn = false
    } catch {
      if length < 0 || ftruncate(descriptor, length) != 0 { isTorn = true }
      throw error
    }
  }

  /// The records of a log, without torn and foreign lines.
  public static func records(at path: String) throws -> [MetricsRecord] {
    try FileSystem().readFile(path, limit: .max).split(separator: UInt8(ascii: "\n"))
      .compactMap { MetricsRecord(line: $0) }
  }

  /// Removes torn and foreign lines and the records of later steps; returns the last record that is left.
  private static func trim(
    _ path: String, after step: Int, _ fileSystem: FileSystem
  ) throws -> MetricsRecord? {
    guard fileSystem.exists(path) else { return nil }
    var last: MetricsRecord?
    let content = try fileSystem.readFile(path, limit: .max)
    var kept: [UInt8] = []
    kept.reserveCapacity(content.count)
    var rest = content[...]
    while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
      let line = rest[..<end]
      if let record = MetricsRecord(line: line), record.step <= step {
        kept += line
        kept.append(UInt8(ascii: "\n"))
        last = record
      }
      rest = rest[(end + 1)...]
    }
    guard kept.count < content.count else { return last }
    try fileSystem.replaceFile(path) { writer in
      try kept.withUnsafeBytes { try writer.write($0) }
    }
    return last
  }
}
