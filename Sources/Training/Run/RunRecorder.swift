package import Base

/// Writes what happens in a run to its files: environment, status and metrics.
public final class RunRecorder {
  private let run: Run
  private var log: MetricsLog
  private let everySteps: Int?
  private let environment: JSONObject
  private var hasFailed = false

  /// Starts to record a run that resumes after a step, or a new run after step 0.
  ///
  /// - Parameters:
  ///   - run: The run.
  ///   - step: The last step that was done.
  ///   - everySteps: The steps between two records; nil records none.
  ///   - environment: What the run is computed with, for env.json.
  package init(
    _ run: Run, continuingAfter step: Int, everySteps: Int?, environment: JSONObject
  ) throws {
    (self.run, self.everySteps, self.environment) = (run, everySteps, environment)
    log = try run.directory.metricsLog(continuingAfter: step)
    try writeStart()
  }

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
    return warning
  }

  /// Appends the metrics of an event.
  ///
  /// Training is worth more than its log: only the first failure throws.
  public func record(_ event: TrainingEvent) throws {
    switch event {
    case .step(let report):
      if let everySteps, report.step % everySteps == 0 { try append(report.record) }
    case .epoch(let report): try append(report.records)
    case .rolledBack(let step, _, _):
      // The steps after it will be recorded again.
      log = try run.directory.metricsLog(continuingAfter: step)
    case .started, .skipped, .checkpoint, .checkpointWarning, .checkpointFailed: break
    }
  }

  /// Appends all records, also after one of them could not be written, and then throws its error.
  private func append(_ records: [MetricsRecord]) throws {
    var failure: (any Error)?
    for record in records {
      do {
        try append(record)
      } catch {
        failure = failure ?? error
      }
    }
    if let failure { throw failure }
  }

  private func append(_ record: MetricsRecord) throws {
    do {
      try log.append(record)
    } catch  where hasFailed {
      return
    } catch {
      hasFailed = true
      throw error
    }
  }
}
