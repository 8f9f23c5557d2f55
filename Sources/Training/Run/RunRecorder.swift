package import Base
import Foundation

/// Writes what happens in a run to its files: environment, status and metrics.
public final class RunRecorder {
  private let run: Run
  private var log: MetricsLog
  private let everySteps: Int?
  private let environment: JSONObject
  private let tensorBoard: TensorBoardLog?
  private var hasFailed = false
  /// The seconds that earlier processes trained.
  private let earlierSeconds: Double
  private let clock = Stopwatch()
  /// What steps waited since the last record, in seconds.
  private var waits = (steps: 0.0, data: 0.0, communication: 0.0)
  private var memory = (bytes: 0, at: -Double.infinity)

  /// Starts to record a run that resumes after a step, or a new run after step 0.
  ///
  /// - Parameters:
  ///   - run: The run.
  ///   - step: The last step that was done.
  ///   - everySteps: The steps between two records; nil records none.
  ///   - ranks: The number of ranks.
  ///   - environment: What the run is computed with, for env.json.
  ///   - tensorBoard: What TensorBoard shows; nil is nothing.
  package init(
    _ run: Run, continuingAfter step: Int, everySteps: Int?, ranks: Int = 1,
    environment: JSONObject, tensorBoard: TensorBoardLog? = nil
  ) throws {
    (self.run, self.everySteps, self.environment) = (run, everySteps, environment)
    self.tensorBoard = tensorBoard
    log = try run.directory.metricsLog(continuingAfter: step)
    earlierSeconds = log.lastRecord?["elapsed"] ?? 0
    try writeStart()
    try AttemptLog(path: run.directory.attemptsPath).start(step: step, ranks: ranks)
  }

  /// Whether the step of a number is recorded.
  public func records(step: Int) -> Bool { everySteps.map { step % $0 == 0 } ?? false }

  private func writeStart() throws {
    try run.directory.write(environment: environment)
    try run.directory.setStatus(.running)
  }

  /// Makes sure, before a checkpoint, that the run still has its directory.
  ///
  /// Creates it again where it was removed, and returns a warning then. Throws when another run has
  /// taken it, or it cannot be created.
  public func prepareCheckpoint() throws -> String? {
    guard let warning = try run.reclaimDirectory() else { return nil }
    log = try run.directory.metricsLog(continuingAfter: .max)
    try writeStart()
    // A failure shows when the next record is written.
    try? tensorBoard?.restart()
    return warning
  }

  /// Appends the metrics of an event.
  ///
  /// Training is worth more than its log: only the first failure throws.
  public func record(_ event: TrainingEvent) throws {
    switch event {
    case .step(let report):
      waits.steps += 1
      waits.data += report.dataWait
      waits.communication += report.communication
      guard records(step: report.step) else { break }
      defer { waits = (0, 0, 0) }
      try append([
        report.record.adding([
          "dataWait": rounded(waits.data / waits.steps),
          "communication": rounded(waits.communication / waits.steps),
        ])
      ])
    case .epoch(let report):
      try append(report.records)
      try tensorBoard?.appendDistributions(step: report.step)
    case .rolledBack(let step, _, _):
      // The steps after it will be recorded again.
      log = try run.directory.metricsLog(continuingAfter: step)
      try tensorBoard?.restart(after: step)
    case .started, .skipped, .checkpoint, .checkpointWarning, .checkpointFailed: break
    }
  }

  /// Appends all records to all logs, also after one could not be written, and then throws its error.
  private func append(_ records: [MetricsRecord]) throws {
    var failure: (any Error)?
    func attempt(_ body: () throws -> Void) {
      do { try body() } catch { failure = failure ?? error }
    }
    for record in records {
      let record = record.adding([
        "time": unixTime(), "elapsed": rounded(earlierSeconds + clock.elapsed),
        "memory": residentMemory(),
      ])
      attempt { try appendToLog(record) }
      attempt { try tensorBoard?.append(record) }
    }
    if let failure { throw failure }
  }

  private func appendToLog(_ record: MetricsRecord) throws {
    do {
      try log.append(record)
    } catch  where hasFailed {
      return
    } catch {
      hasFailed = true
      throw error
    }
  }

  /// The bytes of memory that this process has, read at most once a second.
  private func residentMemory() -> Int {
    if clock.elapsed - memory.at > 1 { memory = (residentByteCount() ?? 0, clock.elapsed) }
    return memory.bytes
  }

  /// Seconds to the microsecond.
  private func rounded(_ seconds: Double) -> Double { (seconds * 1e6).rounded() / 1e6 }
}
