import Base
import Checkpointing
import Foundation
import Synchronization

/// A checkpoint that a thread of its own copies and writes.
final class PendingCheckpoint: Sendable {
  /// How writing ended.
  struct Outcome {
    let result: Result<Checkpoint, any Error>
    /// What failed after the checkpoint was saved.
    let warnings: [String]
    let seconds: Double
  }

  /// The files and the memory for their copies, which only the thread uses until it ends.
  private struct Files: @unchecked Sendable {
    let files: [CheckpointFile]
    let buffer: CheckpointBuffer
  }

  let step: Int
  private let outcome = Mutex<Outcome?>(nil)
  private let isWritten = DispatchSemaphore(value: 0)
  private let hasCopied = DispatchSemaphore(value: 0)

  /// Starts to copy files into a buffer, and to write the copies.
  init(
    step: Int, bestStep: Int?, _ files: [CheckpointFile], _ buffer: CheckpointBuffer,
    to store: CheckpointStore
  ) {
    self.step = step
    let files = Files(files: files, buffer: buffer)
    let thread = Thread { [self] in
      let copies = Result {
        try Timeline.span("copy of step \(step)", .checkpoint) {
          try files.buffer.copy(files.files)
        }
      }
      hasCopied.signal()
      // On Linux this is the thread's own: computing goes first.
      setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 5)
      let outcome = Timeline.span("writing of step \(step)", .checkpoint) {
        PendingCheckpoint.write(step: step, bestStep: bestStep, copies, to: store)
      }
      self.outcome.withLock { $0 = outcome }
      isWritten.signal()
    }
    thread.name = "checkpoint"
    thread.start()
  }

  /// Writes a checkpoint of audited weights and tells how that ended.
  static func write(
    step: Int, bestStep: Int?, _ files: Result<[CheckpointFile], any Error>,
    to store: CheckpointStore
  ) -> Outcome {
    var clock = Stopwatch()
    var warnings: [String] = []
    let result = Result {
      try store.commit(
        step: step, files: files.get(), isAudited: true, bestStep: bestStep,
        onWarning: { warnings.append($0) })
    }
    return Outcome(result: result, warnings: warnings, seconds: clock.lap())
  }

  /// Waits until the files have been copied, and may change.
  func waitForCopy() {
    hasCopied.wait()
    // For the next call.
    hasCopied.signal()
  }

  /// Whether writing has ended.
  var isDone: Bool { outcome.withLock { $0 != nil } }

  /// Waits for the end of writing; call it once.
  func wait() -> Outcome {
    isWritten.wait()
    return outcome.withLock { $0! }
  }
}
