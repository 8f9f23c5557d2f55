import ArgumentParser
import CSignals
import Foundation
import Lockstep
import Training

struct TrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train", abstract: "Trains the model that a configuration describes.",
    usage: "lockstep train [<config>] [<options>]",
    discussion: """
      Prints one line per epoch, and on a terminal a progress bar. Everything is kept in a run \
      directory. A run that was interrupted goes on when the same command is given again.

      Exit codes: 0 finished, 75 stopped by a signal with a checkpoint saved, 78 wrong \
      configuration, 80 non-finite loss; README lists all.
      """)

  @Argument(help: "A YAML file. Without one, the defaults: a small network on the embedded digits.")
  var config: String?

  @Option(
    name: .customLong("set"),
    help: ArgumentHelp(
      "Overrides a value, as in training.epochs=5. Repeatable.", valueName: "key=value"))
  var overrides: [String] = []

  @Option(
    help: ArgumentHelp(
      "The run's directory. Default: a new one under logging.directory.", valueName: "directory"))
  var runDir: String?

  @Option(
    help: ArgumentHelp(
      "auto: go on if the run was interrupted. never: begin. Or a run or checkpoint to go on from.",
      valueName: "auto|never|path"))
  var resume = "auto"

  @Option(
    help: ArgumentHelp(
      "Stop, with a checkpoint, when the run has done this many steps.", valueName: "steps"))
  var maxSteps: Int?

  @Option(help: ArgumentHelp("How progress is shown.", valueName: "style"))
  var progress = ProgressStyle.auto

  @Flag(help: "Check everything, say what would be trained, and end.")
  var dryRun = false

  func validate() throws {
    if let maxSteps, maxSteps < 1 { throw ValidationError("--max-steps must be at least 1") }
  }

  func run() {
    csignals_install()
    withSession(train)
  }

  private func train(_ communicator: any Communicator) throws -> ExitStatus {
    let configuration = try communicator.collectiveTry {
      try ConfigurationFile.configuration(path: config, overrides: overrides)
    }
    let cores = communicator.findCPUBinding()
    let threads = configuration.distributed.threadsPerRank
    Threads.count = threads > 0 ? threads : cores.threads
    if communicator.isRoot {
      cores.warnings(threadsPerRank: threads > 0 ? threads : nil).forEach(printWarning)
    }
    let trainer = try Trainer(configuration, communicator)
    try communicator.checkInvariants([
      "--max-steps": maxSteps.map(String.init) ?? "none", "--dry-run": String(dryRun),
    ])
    if dryRun {
      if communicator.isRoot {
        ProgressReporter(.lines).description(trainer.describe(), configuration)
      }
      return .success
    }
    let run = try communicator.collectiveTry {
      communicator.isRoot
        ? try Run(configuration, directory: runDir, resume: Resume(resume)) : nil
    }
    if communicator.broadcast(run?.checkpoint != nil) {
      try trainer.restore(from: run?.checkpoint)
    }
    let recorder = try communicator.collectiveTry {
      try run.map { try Recorder($0, trainer, configuration, ProgressReporter(progress)) }
    }
    let outcome: Trainer.Outcome
    do {
      outcome = try trainer.train(
        store: run?.store, maximumSteps: maxSteps,
        isStopRequested: { csignals_requested() != 0 }, onEvent: { recorder?.record($0) })
    } catch {
      try? run?.close(.failed)
      recorder?.progress.clear()
      throw error
    }
    recorder?.finish(outcome)
    try run?.close(outcome == .finished ? .done : .stopped)
    return outcome == .stopped ? .stoppedAndSaved : .success
  }
}

/// Writes down what happens in a run, on rank zero: in its files and for the one who watches.
private final class Recorder {
  let progress: ProgressReporter
  private let run: Run
  private let log: MetricsLog
  private let everySteps: Int
  private let configuration: TrainingConfiguration
  private var hasWarned = false

  init(
    _ run: Run, _ trainer: Trainer, _ configuration: TrainingConfiguration,
    _ progress: ProgressReporter
  ) throws {
    self.run = run
    self.progress = progress
    self.configuration = configuration
    everySteps = configuration.logging.everySteps
    log = try run.directory.metricsLog(continuingAfter: trainer.step)
    try run.directory.write(environment: Environment.description(trainer.describe()))
    try run.directory.setStatus(.running)
    for rejection in run.rejected {
      printWarning("checkpoint of step \(rejection.step) was passed over: \(rejection.reason)")
    }
  }

  func record(_ event: TrainingEvent) {
    switch event {
    case .started(let description):
      progress.description(description, configuration, run: run)
    case .step(let report):
      progress.step(report)
      if everySteps > 0, report.step % everySteps == 0 { append(report.record) }
    case .epoch(let report):
      progress.epoch(report)
      append(report.record)
      if let evaluation = report.evaluationRecord { append(evaluation) }
    case .checkpoint: progress.checkpoint(event)
    case .checkpointFailed(_, let reason):
      progress.clear()
      printWarning("\(reason); training goes on")
    }
  }

  func finish(_ outcome: Trainer.Outcome) {
    progress.finish(outcome, run)
  }

  /// Training is worth more than its log: what cannot be written is said once.
  private func append(_ record: MetricsRecord) {
    do {
      try log.append(record)
    } catch {
      guard !hasWarned else { return }
      hasWarned = true
      progress.clear()
      printWarning("\(error); training goes on without this log")
    }
  }
}

extension StepReport {
  fileprivate var record: MetricsRecord {
    MetricsRecord(
      .step, step: step, epoch: epoch,
      values: [
        "loss": .number(loss), "accuracy": accuracy.map { .number($0) } ?? .null,
        "learningRate": .number(learningRate), "samplesPerSecond": .number(samplesPerSecond),
      ])
  }
}

extension EpochReport {
  fileprivate var record: MetricsRecord {
    MetricsRecord(
      .epoch, step: step, epoch: epoch,
      values: [
        "loss": .number(metrics.loss),
        "accuracy": hasAccuracy ? .number(metrics.accuracy) : .null,
        "learningRate": .number(learningRate), "samplesPerSecond": .number(samplesPerSecond),
        "seconds": .number(seconds),
      ])
  }

  fileprivate var evaluationRecord: MetricsRecord? {
    guard let test else { return nil }
    return MetricsRecord(
      .evaluation, step: step, epoch: epoch,
      values: [
        "loss": .number(test.loss),
        "accuracy": hasAccuracy ? .number(test.accuracy) : .null,
        "samples": .integer(Int(test.sampleCount)),
      ])
  }
}
