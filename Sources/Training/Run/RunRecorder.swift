/// Writes what happens in a run to its files: environment, status and metrics.
public final class RunRecorder {
  private let log: MetricsLog
  private let everySteps: Int?
  private var hasFailed = false

  /// Starts to record a run that resumes after a step, or a new run after step 0.
  ///
  /// - Parameters:
  ///   - run: The run.
  ///   - step: The last step that was done.
  ///   - everySteps: The steps between two records; nil records none.
  ///   - environment: What the run is computed with, for env.json.
  public init(
    _ run: Run, continuingAfter step: Int, everySteps: Int?, environment: some Encodable
  ) throws {
    self.everySteps = everySteps
    log = try run.directory.metricsLog(continuingAfter: step)
    try run.directory.write(environment: environment)
    try run.directory.setStatus(.running)
  }

  /// Appends the metrics of an event.
  ///
  /// Training is worth more than its log: only the first failure throws.
  public func record(_ event: TrainingEvent) throws {
    switch event {
    case .step(let report):
      if let everySteps, report.step % everySteps == 0 { try append(report.record) }
    case .epoch(let report): try report.records.forEach(append)
    case .started, .skipped, .checkpoint, .checkpointFailed: break
    }
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
