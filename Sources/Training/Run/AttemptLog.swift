import Base
import Checkpointing
import Foundation

/// attempts.jsonl of a run: a line when a process begins to train it, and one when that ends.
///
/// A killed process leaves no second line.
struct AttemptLog {
  let path: String

  /// Notes the start of an attempt at a step.
  func start(step: Int, ranks: Int) throws {
    try append([
      "event": "start", "time": unixTime(), "step": step, "ranks": ranks,
      "host": ProcessInfo.processInfo.hostName, "pid": Int(getpid()), "version": Version.current,
    ])
  }

  /// Notes the end of an attempt.
  func end(step: Int?, _ status: RunStatus, reason: String?) throws {
    try append([
      "event": "end", "time": unixTime(), "step": step, "status": status.rawValue,
      "reason": reason,
    ])
  }

  private func append(_ record: JSONObject) throws {
    let descriptor = open(path, O_CREAT | O_RDWR | O_APPEND | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw FileSystemError(.create, path, code: errno) }
    defer { close(descriptor) }
    // A killed process may have left half a line.
    var last: UInt8 = 0
    let length = lseek(descriptor, 0, SEEK_END)
    let isTorn =
      length > 0 && pread(descriptor, &last, 1, length - 1) == 1 && last != UInt8(ascii: "\n")
    try Array(((isTorn ? "\n" : "") + record.text + "\n").utf8).withUnsafeBytes {
      try writeAll($0, to: descriptor, path: path)
    }
  }
}

/// The seconds since 1970, to the millisecond.
func unixTime() -> Double { (Date().timeIntervalSince1970 * 1000).rounded() / 1000 }
