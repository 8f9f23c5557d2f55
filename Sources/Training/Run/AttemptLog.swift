package import Base
import Checkpointing
import Foundation

/// attempts.jsonl of a run: a line when a process begins to train it, and one when that ends.
///
/// A killed process leaves no second line. `lockstep launch` adds one after each of its attempts, which
/// tells why it ended.
package struct AttemptLog {
  let path: String

  /// The log of a run's directory.
  package init(_ directory: RunDirectory) { self.init(path: directory.attemptsPath) }

  init(path: String) { self.path = path }

  /// Notes the start of an attempt at a step.
  func start(step: Int, ranks: Int) throws {
    let launch: JSONObject =
      LaunchAttempt().map { ["launch": $0.launch, "attempt": $0.number] } ?? [:]
    try append(
      [
        "event": "start", "time": unixTime(), "step": step, "ranks": ranks,
        "host": ProcessInfo.processInfo.hostName, "pid": Int(getpid()), "version": Version.current,
      ] + launch)
  }

  /// Notes what `lockstep launch` knows about an attempt after its end.
  package func launched(_ attempt: LaunchAttempt, _ record: JSONObject) throws {
    try append(
      ["event": "launch", "launch": attempt.launch, "attempt": attempt.number] + record)
  }

  /// Whether the log has an attempt of a launch.
  package func has(launch: String) -> Bool {
    (fileText(path) ?? "").contains("\"launch\":\(JSONObject.text(launch))")
  }

  /// Whether a process has begun to train in an attempt.
  package func hasStart(of attempt: LaunchAttempt) -> Bool {
    // `start` writes these last, `launched` does not.
    let end: JSONObject = ["launch": attempt.launch, "attempt": attempt.number]
    return (fileText(path) ?? "").contains("," + end.text.dropFirst() + "\n")
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
package func unixTime() -> Double { (Date().timeIntervalSince1970 * 1000).rounded() / 1000 }
