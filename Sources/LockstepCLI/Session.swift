// What every command does around its work: join the other ranks, and exit with the right message and
// code.
import ArgumentParser
import Base
import Collectives
import Foundation
import Lockstep
import Logging

/// What the watchdog of this process says, and when it ends the job.
nonisolated(unsafe) private(set) var watchdog: Watchdog?

/// Runs a command's work on this rank, and ends the process.
///
/// The ranks make sure that all of them run this command, and a watchdog notices when they wait for
/// each other for ever.
///
/// Errors that all ranks throw are printed by rank zero, and all ranks exit; an error of this rank alone
/// is printed with its number, and aborts the job.
func withSession(
  _ command: String, _ body: (any Communicator) throws -> ExitStatus
) -> Never {
  Activity.begin(.starting)
  let communicator: any Communicator
  do {
    communicator = try MPICommunicator.start()
  } catch {
    let code = ExitStatus.ranksDisagree.rawValue
    if LauncherEnvironment()?.rank ?? 0 != 0 { leaveQuietly(code) }
    logger.error("\(error)")
    exit(code)
  }
  Threads.flushDenormals()
  do {
    try communicator.checkInvariants(["command": "lockstep \(command)"])
    watchdog = try Watchdog(
      communicator, onWarning: { logger.warning("\($0)") },
      onStall: { logger.error("\($0)") })
    leave(communicator, try body(communicator).rawValue)
  } catch {
    if error is any AgreedError || communicator.worldSize == 1 {
      if communicator.isRoot { logger.error("\(error)") }
      leave(communicator, ExitStatus(error).rawValue)
    }
    logger.error("\(error)", metadata: ["rank": "\(communicator.rank)"])
    communicator.abort(exitCode: ExitStatus(error).rawValue)
  }
}

/// Ends this process, which is not rank zero, without a message: rank zero prints it.
///
/// A launcher ends all processes as soon as one fails, so this one gives rank zero time to print.
func leaveQuietly(_ code: Int32) -> Never {
  if code != 0 { sleep(1) }
  exit(code)
}

/// Ends this process when all ranks end theirs.
private func leave(_ communicator: any Communicator, _ code: Int32) -> Never {
  communicator.finalize()
  exit(code)
}

/// Prints a line to standard output at once; a closed pipe is not an error.
func printLine(_ line: String = "") {
  try? FileHandle.standardOutput.write(contentsOf: Data((line + "\n").utf8))
}
