import ArgumentParser
import Configuration
import Foundation
import Lockstep
import Logging
import Training

struct TrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train", abstract: "Trains the model that a configuration describes.",
    usage: "lockstep train [<config>] [<options>]",
    discussion: """
      Prints one line per epoch, and on a terminal a progress bar. Everything is kept in a run \
      directory. The same command resumes a run that was interrupted.

      Exit codes: 0 finished, 75 stopped by a signal with a checkpoint saved, 78 wrong \
      configuration, 80 non-finite loss; README lists all.
      """)

  @OptionGroup var configuration: ConfigurationOptions

  @Option(
    help: ArgumentHelp(
      "The run's directory. Default: a new one under logging.directory.", valueName: "directory"))
  var runDir: String?

  @Option(
    help: ArgumentHelp(
      "auto: resume if the run was interrupted. never: start over. Or a run or checkpoint to resume from.",
      valueName: "auto|never|path"))
  var resume = "auto"

  @Option(
    help: ArgumentHelp(
      "Stop, with a checkpoint, after this many steps of the run.", valueName: "steps"))
  var maxSteps: Int?

  @Option(help: ArgumentHelp("How progress is shown.", valueName: "style"))
  var progress = ProgressStyle.auto

  @Flag(help: "Check everything, print what would be trained, and exit.")
  var dryRun = false

  func validate() throws {
    if let maxSteps, maxSteps < 1 { throw ValidationError("--max-steps must be at least 1") }
  }

  func run() {
    StopSignals.observe(untilSaving: true)
    withSession("train", train)
  }

  private func train(_ communicator: any Communicator) throws -> ExitStatus {
    let configuration = try configuration.load(communicator)
    watchdog?.options = try configuration.group()
    let cores = communicator.findCPUBinding()
    let threads = try configuration.group(ThreadOptions.self).threadsPerRank
    Threads.count = threads ?? cores.threads
    if communicator.isRoot {
      for warning in cores.warnings(threadsPerRank: threads) { logger.warning("\(warning)") }
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
    watchdog?.runDirectory = communicator.broadcast(run?.directory.path ?? "")
    StopSignals.beginToSave()
    let outcome: Trainer.Outcome
    do {
      outcome = try trainer.train(
        store: run?.store, maximumSteps: maxSteps,
        isStopRequested: { StopSignals.requested != nil }, onEvent: { recorder?.record($0) })
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

/// Records and shows what happens in a run, on rank zero.
private final class Recorder {
  let progress: ProgressReporter
  private let run: Run
  private let recorder: RunRecorder
  private let configuration: TrainingConfiguration

  init(
    _ run: Run, _ trainer: Trainer, _ configuration: TrainingConfiguration,
    _ progress: ProgressReporter
  ) throws {
    (self.run, self.progress, self.configuration) = (run, progress, configuration)
    recorder = try RunRecorder(
      run, continuingAfter: trainer.step,
      everySteps: configuration.group(LoggingOptions.self).everySteps,
      environment: Environment.description(trainer.describe()))
    for rejection in run.rejected {
      logger.warning("checkpoint of step \(rejection.step) was skipped: \(rejection.reason)")
    }
  }

  func record(_ event: TrainingEvent) {
    switch event {
    case .started(let description):
      progress.description(description, configuration, run: run)
    case .step(let report): progress.step(report)
    case .epoch(let report): progress.epoch(report)
    case .skipped(let step, let reason): warn("step \(step) was left out: \(reason)")
    case .checkpoint: progress.checkpoint(event)
    case .checkpointFailed(_, let reason): warn("\(reason); training continues")
    }
    do {
      try recorder.record(event)
    } catch {
      warn("\(error); training continues without this log")
    }
  }

  func finish(_ outcome: Trainer.Outcome) {
    progress.finish(outcome, run)
  }

  private func warn(_ message: String) {
    progress.clear()
    logger.warning("\(message)")
  }
}
