import Base
import Checkpointing

/// One launch of a run, from its start to its end.
package struct RunAttempt: Sendable, Equatable {
  /// When it began, in Unix seconds.
  package var start: Double?
  /// The steps that were done before.
  package var firstStep: Int?
  /// The number of ranks.
  package var ranks: Int?
  /// The host of rank zero.
  package var host: String?
  /// The version of the program.
  package var version: String?
  /// When it ended; nil while it is running, and where it was killed.
  package var end: Double?
  /// The steps that were done at its end.
  package var lastStep: Int?
  /// How it ended: done, stopped or failed.
  package var status: String?
  /// Why it ended.
  package var reason: String?

  private struct Event: Decodable {
    var event: String
    var time: Double?
    var step: Int?
    var ranks: Int?
    var host, version, status, reason: String?
    var launch: String?
    var attempt: Int?
    var cause: String?

    var launchAttempt: LaunchAttempt? {
      guard let launch, let attempt else { return nil }
      return LaunchAttempt(launch: launch, number: attempt)
    }
  }

  /// Reads attempts.jsonl; torn and foreign lines are left out.
  static func all(at path: String) -> [RunAttempt] {
    guard let content = try? FileSystem().readFile(path) else { return [] }
    var attempts: [RunAttempt] = []
    var launched: [LaunchAttempt: Int] = [:]
    for line in content.split(separator: UInt8(ascii: "\n")) {
      guard let event = try? JSON.decode(Event.self, from: line) else { continue }
      if event.event == "start" {
        attempts.append(
          RunAttempt(
            start: event.time, firstStep: event.step, ranks: event.ranks, host: event.host,
            version: event.version))
        event.launchAttempt.map { launched[$0] = attempts.count - 1 }
      } else if event.event == "launch" {
        // Why a killed process ended: it could not say so itself.
        guard let index = event.launchAttempt.flatMap({ launched[$0] }),
          attempts[index].status == nil
        else { continue }
        attempts[index].reason = event.cause
      } else if event.event == "end", let last = attempts.indices.last {
        attempts[last].end = event.time
        attempts[last].lastStep = event.step
        attempts[last].status = event.status
        attempts[last].reason = event.reason
      }
    }
    return attempts
  }
}
