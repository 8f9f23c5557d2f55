// metrics.jsonl: one JSON object per line, appended while training and readable at any moment.
public import Checkpointing
import Foundation

/// What a record of the metrics log is about.
public enum MetricsKind: String, Sendable, CaseIterable {
  case step, epoch
  case evaluation = "eval"
}

/// A record of the metrics log.
public struct MetricsRecord: Sendable, Equatable {
  /// What it is about.
  public let kind: MetricsKind
  /// The number of optimizer steps done.
  public let step: Int
  /// The epoch to which the last of them belongs.
  public let epoch: Int
  /// The measured values, in the order in which they are written.
  public let values: [JSONValue.Member]

  /// Collects the values measured after a step.
  public init(
    _ kind: MetricsKind, step: Int, epoch: Int, values: KeyValuePairs<String, JSONValue>
  ) {
    self.kind = kind
    self.step = step
    self.epoch = epoch
    self.values = values.map { JSONValue.Member($0.key, $0.value) }
  }

  /// The record as one JSON object.
  public var json: JSONValue {
    .object(
      [
        .init("kind", .string(kind.rawValue)), .init("step", .integer(step)),
        .init("epoch", .integer(epoch)),
      ] + values)
  }

  /// Reads a line of the log; `nil` when it is torn or not a record.
  public init?(line: some Sequence<UInt8>) {
    guard let json = try? JSONValue(parsing: Array(line)), let members = json.members,
      let kind = json["kind"]?.stringValue.flatMap(MetricsKind.init),
      let step = json["step"]?.integerValue, let epoch = json["epoch"]?.integerValue
    else { return nil }
    self.kind = kind
    self.step = step
    self.epoch = epoch
    values = members.filter { !["kind", "step", "epoch"].contains($0.key) }
  }

  /// The number of a key.
  public subscript(key: String) -> Double? {
    values.first { $0.key == key }?.value.doubleValue
  }
}

/// The log of a run's metrics, open for appending.
public final class MetricsLog {
  /// The file.
  public let path: String
  private let descriptor: Int32

  /// Opens a log for a run that continues after a step, or for a new run after step 0.
  ///
  /// A torn last line goes, and so do the records of later steps, which will be written again.
  public convenience init(path: String, continuingAfter step: Int) throws {
    try self.init(path: path, continuingAfter: step, fileSystem: FileSystem())
  }

  package init(path: String, continuingAfter step: Int, fileSystem: FileSystem) throws {
    try MetricsLog.trim(path, after: step, fileSystem)
    self.path = path
    descriptor = open(path, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw FileSystemError(.create, path, code: errno) }
  }

  deinit {
    close(descriptor)
  }

  /// Appends a record as one line, by one call, so that readers never see half of it.
  public func append(_ record: MetricsRecord) throws {
    try Array((record.json.text + "\n").utf8).withUnsafeBytes { bytes in
      try writeAll(bytes, to: descriptor, path: path)
    }
  }

  /// The records of a log, those of a torn or foreign line left out.
  public static func records(at path: String) throws -> [MetricsRecord] {
    try FileSystem().readFile(path, limit: .max).split(separator: UInt8(ascii: "\n"))
      .compactMap { MetricsRecord(line: $0) }
  }

  private static func trim(_ path: String, after step: Int, _ fileSystem: FileSystem) throws {
    guard fileSystem.exists(path) else { return }
    let content = try fileSystem.readFile(path, limit: .max)
    var kept: [UInt8] = []
    kept.reserveCapacity(content.count)
    var rest = content[...]
    while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
      let line = rest[..<end]
      if let record = MetricsRecord(line: line), record.step <= step {
        kept += line
        kept.append(UInt8(ascii: "\n"))
      }
      rest = rest[(end + 1)...]
    }
    guard kept.count < content.count else { return }
    try fileSystem.replaceFile(path) { writer in
      try kept.withUnsafeBytes { try writer.write($0) }
    }
  }
}
