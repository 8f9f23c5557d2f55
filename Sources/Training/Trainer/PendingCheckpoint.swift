import Base
import Checkpointing
import Foundation
import Synchronization

/// A checkpoint that a thread of its own writes.
final class PendingCheckpoint: Sendable {
  /// How writing ended.
  struct Outcome {
    let result: Result<Checkpoint, any Error>
    /// What failed after the checkpoint was saved.
    let warnings: [String]
    let seconds: Double
  }

  /// The files, which only the thread uses once it has started.
  private struct Files: @unchecked Sendable {
    let files: [CheckpointFile]
  }

  let step: Int
  private let outcome = Mutex<Outcome?>(nil)
  private let isWritten = DispatchSemaphore(value: 0)

  /// Starts to write copies of files.
  init(step: Int, _ files: [CheckpointFile], to store: CheckpointStore) {
    self.step = step
    let files = Files(files: files)
    let thread = Thread { [self] in
      // On Linux this is the thread's own: computing goes first.
      setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 5)
      let outcome = PendingCheckpoint.write(step: step, files.files, to: store)
      self.outcome.withLock { $0 = outcome }
      isWritten.signal()
    }
    thread.name = "checkpoint"
    thread.start()
  }

  /// Writes a checkpoint of audited weights and tells how that ended.
  static func write(
    step: Int, _ files: [CheckpointFile], to store: CheckpointStore
  ) -> Outcome {
    var clock = Stopwatch()
    var warnings: [String] = []
    let result = Result {
      try store.commit(
        step: step, files: files, isAudited: true, onWarning: { warnings.append($0) })
    }
    return Outcome(result: result, warnings: warnings, seconds: clock.lap())
  }

  /// Whether writing has ended.
  var isDone: Bool { outcome.withLock { $0 != nil } }

  /// Waits for the end of writing; call it once.
  func wait() -> Outcome {
    isWritten.wait()
    return outcome.withLock { $0! }
  }
}
