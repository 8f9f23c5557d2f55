import Base
import Foundation
import Lockstep
import Logging

/// The launcher of one attempt: passes on what its ranks print and what this process is asked, and is ended when it
/// hangs.
final class AttemptProcess {
  /// How an attempt ended.
  struct End {
    /// The launcher's exit code; 83 where no rank has begun to train in time, 75 where it was asked to stop before.
    let code: Int32
    /// All that came on the launcher's standard error.
    let errors: String
    /// The same, line by line.
    let messages: LauncherMessages
    /// The seconds that were up before a rank had begun to train; nil where that was not the reason.
    let missedStart: Double?

    /// Why it ended.
    func cause(_ plan: LaunchPlan) -> FirstCause {
      guard let missedStart else {
        return FirstCause(exitCode: code, errors: errors, plan: plan)
      }
      return FirstCause(
        kind: .launcher,
        event: "no rank has begun to train within \(String(format: "%g", missedStart)) s "
          + "(--start-timeout)",
        log: messages.lastLines(2))
    }
  }

  private let child: ChildProcess
  private let startLimit: Double?
  private var messages = LauncherMessages()
  private var (offset, line) = (0, Data())
  /// The time since the ranks were asked to stop; nil before.
  private var sinceRequest: Stopwatch?
  private var isEnding = false

  /// The seconds after which the ranks are asked again: while it starts them, a launcher passes nothing on.
  private static let repetition = 2.0
  /// The seconds in which a launcher must end after a failure was seen.
  private static let patience = 15.0

  /// Starts a command.
  ///
  /// - Parameters:
  ///   - command: Its words.
  ///   - startLimit: The seconds in which a rank must have begun to train; nil for no limit.
  init(_ command: [String], startLimit: Double?) throws {
    self.startLimit = startLimit
    // If this process is killed, its job must end too.
    let guarded = isProgram("setpriv") ? ["setpriv", "--pdeathsig", "TERM"] : []
    child = try ChildProcess(guarded + command, output: .inherited)
  }

  /// Waits for the end.
  ///
  /// - Parameter hasBegun: Whether a rank has begun to train: from then on the ranks watch each other.
  func run(hasBegun: () -> Bool) -> End {
    let clock = Stopwatch()
    var (failure, limit): (Stopwatch?, Double?) = (nil, startLimit)
    var missedStart: Double?
    while child.exitCode == nil {
      usleep(50_000)
      follow()
      passRequests()
      if failure == nil, messages.showFailure { failure = Stopwatch() }
      if let failure, failure.elapsed > AttemptProcess.patience {
        logger.warning("the launcher does not end after the failure; it is killed")
        child.stop()
      }
      if let seconds = limit, clock.elapsed > seconds {
        limit = nil
        guard failure == nil, !hasBegun() else { continue }
        missedStart = seconds
        child.stop()
      }
    }
    follow()
    if !line.isEmpty { show() }
    var code = missedStart == nil ? child.exitCode ?? 1 : ExitStatus.stalled.rawValue
    // Launchers and ranks do not listen to requests from their first moment on.
    if sinceRequest != nil, !isEnding, missedStart != nil || code == 128 + SIGUSR1 {
      logger.notice("stopped before the first step; nothing was to be saved")
      code = ExitStatus.stoppedAndSaved.rawValue
    }
    return End(code: code, errors: child.errors, messages: messages, missedStart: missedStart)
  }

  private func follow() {
    let bytes = child.errors(after: offset)
    offset += bytes.count
    for byte in bytes {
      guard byte == UInt8(ascii: "\n") else {
        line.append(byte)
        continue
      }
      show()
    }
  }

  private func show() {
    if messages.take(String(decoding: line, as: UTF8.self)) {
      try? FileHandle.standardError.write(contentsOf: line + Data("\n".utf8))
    }
    line = Data()
  }

  /// Asks the ranks to save a checkpoint and to stop, or kills them at the second Ctrl-C.
  private func passRequests() {
    if StopSignals.takeSaveRequest() { child.send(SIGUSR2) }
    if StopSignals.interrupts > 1, !isEnding {
      isEnding = true
      return child.stop()
    }
    guard let signal = StopSignals.requested, !isEnding else { return }
    if signal == SIGINT, sinceRequest == nil {
      logger.notice(
        "saving a checkpoint, then stopping; press Ctrl-C again to stop at once")
    }
    guard sinceRequest.map({ $0.elapsed > AttemptProcess.repetition }) ?? true else { return }
    sinceRequest = Stopwatch()
    // mpirun kills its ranks two seconds after other signals, too soon for a checkpoint.
    child.send(SIGUSR1)
  }
}
