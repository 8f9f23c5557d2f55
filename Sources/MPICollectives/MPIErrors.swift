import Base
import CMPI
import Collectives
import Foundation

/// Ends all ranks if a call to MPI failed: a run that has lost a rank cannot continue.
func checkMPI(_ status: Int32, _ call: @autoclosure () -> String) {
  if status == MPI_SUCCESS { return }
  var text = [CChar](repeating: 0, count: Int(MPI_MAX_ERROR_STRING))
  var length: Int32 = 0
  MPI_Error_string(status, &text, &length)
  let reason = String(
    decoding: text.prefix(Int(length)).map(UInt8.init(bitPattern:)), as: UTF8.self)
  report("\(call()) failed: \(reason)")
  abortMPI(exitCode: 70)
}

/// The ranges of at most `limit` elements that make up `count`.
func ranges(of count: Int, atMost limit: Int) -> [Range<Int>] {
  stride(from: 0, to: count, by: limit).map { $0..<min($0 + limit, count) }
}

/// Tells why this rank ends the job; not to the log, whose handler may still hold it back then.
private func report(_ message: String) {
  var rank: Int32 = 0
  MPI_Comm_rank(cmpi_comm_world(), &rank)
  FileHandle.standardError.write(Data("lockstep: rank \(rank) on \(hostName()): \(message)\n".utf8))
}

/// Ends every rank at once.
func abortMPI(exitCode: Int32) -> Never {
  // MPI_Abort ends the process without flushing.
  fflush(nil)
  MPI_Abort(cmpi_comm_world(), exitCode)
  _exit(exitCode)
}

/// Finalizes MPI when the process exits with code 0 without having done so.
func finalizeMPIAtExit() {
  on_exit({ status, _ in finalizeIfSuccessful(status) }, nil)
}

/// How long a rank that exits without `finalize()` waits for the others to exit too.
private let patienceAtExit = Duration.seconds(30)

private func finalizeIfSuccessful(_ status: Int32) {
  var isFinalized: Int32 = 0
  MPI_Finalized(&isFinalized)
  guard status == 0, isFinalized == 0 else { return }
  let phase = Activity.phase
  if phase != .idle {
    let activity = Activity.snapshot
    report(
      "this rank has called exit(0) in the middle of the run (\(phase.name), step \(activity.step)), where "
        + "the other ranks wait for it")
    // Not MPI_Abort: this may be a call of MPI's that was interrupted. The launcher ends the others.
    fflush(nil)
    _exit(ExitStatus.internalError.rawValue)
  }
  // MPI_Finalize would wait for ever for a rank that never exits.
  var request = cmpi_request_null()
  checkMPI(MPI_Ibarrier(cmpi_comm_world(), &request.handle), "MPI_Ibarrier")
  let deadline = ContinuousClock.now + patienceAtExit
  var isDone: Int32 = 0
  while isDone == 0 {
    checkMPI(MPI_Test(&request.handle, &isDone, cmpi_status_ignore()), "MPI_Test")
    if isDone == 0 && ContinuousClock.now > deadline {
      report("this rank has exited, but others still run after \(patienceAtExit)")
      abortMPI(exitCode: 70)
    }
    if isDone == 0 { usleep(1000) }
  }
  MPI_Finalize()
}
