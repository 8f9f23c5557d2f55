import ArgumentParser
import Checkpointing
import Configuration
import Foundation
import Lockstep
import Logging
import Training

struct TrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train", abstract: "Trains the model that a configuration describes.",
    usage: "\(programName) train [<config>] [<options>]",
    discussion: """
      Prints one line per epoch, and on a terminal a progress bar. Everything is kept in a run \
      directory. The same command resumes a run that was interrupted: of all runs of this name, the \
      one with the same configuration, length and data that has the most steps. A run that differs \
      is left alone.

      TERM, INT and USR1 stop it after the step, with a checkpoint; USR2 saves one and continues.

      Exit codes: 0 finished or --max-steps reached, 75 stopped by a signal or --max-time with a \
      checkpoint saved, 78 wrong configuration, 80 non-finite loss; README lists all.
      """)

  @OptionGroup var configuration: ConfigurationOptions

  @Option(
    help: ArgumentHelp(
      "The run's directory. Default: a new one under logging.directory.", valueName: "directory"))
  var runDir: String?

  @Option(
    help: ArgumentHelp(
      "auto: resume the same run if it was interrupted. never: start over. Or a run or checkpoint to resume from.",
      valueName: "auto|never|path"))
  var resume = "auto"

  @Option(
    help: ArgumentHelp(
      "Resume although this differs from what the run was trained with.", valueName: "data"),
    transform: {
      guard let change = AllowedChange(rawValue: $0) else {
        throw ValidationError("allowed: data")
      }
      return change
    })
  var allowChange: [AllowedChange] = []

  @Option(
    help: ArgumentHelp(
      "Stop, with a checkpoint and exit code 0, after this many steps of the run.",
      valueName: "steps"))
  var maxSteps: Int?

  @Option(
    help: ArgumentHelp(
      "Stop early enough to save a checkpoint before this time since the start is over: "
        + "11:50:00, 50:00 or seconds.", valueName: "time"))
  var maxTime: String?

  @Option(help: ArgumentHelp("How progress is shown.", valueName: "style"))
  var progress = ProgressStyle.auto

  @Option(
    help: ArgumentHelp(
      "Show where the time of this many steps goes, after the first three, and write operations.txt "
        + "and trace.json to the directory 'profile' of the run.", valueName: "steps"))
  var profile: Int?

  @Flag(
    help:
      "Check everything, print what would be trained, take a few steps, and exit; keeps nothing.")
  var dryRun = false

  func validate() throws {
    if let maxSteps, maxSteps < 1 { throw ValidationError("--max-steps must be at least 1") }
    if let profile, !TrainingProfiler.steps.contains(profile) {
      throw ValidationError(
        "--profile must be \(TrainingProfiler.steps.lowerBound) to \(TrainingProfiler.steps.upperBound)"
      )
    }
    if let maxTime, TimeLimit(maxTime) == nil {
      throw ValidationError(
        "--max-time is '\(maxTime)'; use hours:minutes:seconds, as in 11:50:00, minutes:seconds, "
          + "or seconds")
    }
  }

  func run() {
    StopSignals.observe(untilSaving: true)
    withSession("train", train)
  }

  private func train(_ communicator: any Communicator) throws -> ExitStatus {
    var timeLimit = maxTime.flatMap { TimeLimit($0) }
    let configuration = try configuration.load(communicator)
    watchdog?.options = try configuration.group()
    let cores = communicator.findCPUBinding()
    let threads = try configuration.group(ThreadOptions.self).threadsPerRank
    Threads.count = threads ?? cores.threads
    if communicator.isRoot {
      for warning in cores.warnings(threadsPerRank: threads) { logger.warning("\(warning)") }
    }
    timeLimit?.stepsToCheckpoint =
      try configuration.group(DataParallel.Options.self).localSteps ?? 1
    let trainer = try Trainer(
      configuration, communicator, onNotice: { logger.notice("\($0)") })
    try communicator.checkInvariants([
      "--max-steps": maxSteps.map(String.init) ?? "none", "--dry-run": String(dryRun),
      "--profile": profile.map(String.init) ?? "none",
    ])
    if communicator.isRoot {
      for warning in TaskSummary(trainer.task).warnings + trainer.warnings {
        logger.warning("\(warning)")
      }
    }
    if dryRun {
      try DryRun(trainer: trainer, configuration: configuration, communicator: communicator).run()
      return .success
    }
    let run = try Activity.during(.checkpoint) {
      let run = try communicator.collectiveTry {
        communicator.isRoot
          ? try Run(
            configuration, trainer, directory: runDir, resume: Resume(resume),
            allowedChanges: Set(allowChange)) : nil
      }
      if communicator.broadcast(run?.checkpoint != nil) {
        try trainer.restore(from: run?.checkpoint)
      }
      return run
    }
    if communicator.isRoot {
      for warning in trainer.resumeWarnings { logger.warning("\(warning)") }
    }
    let recorder = try communicator.collectiveTry {
      try run.map { try Recorder($0, trainer, configuration, ProgressReporter(progress)) }
    }
    let savesOnSignal = try configuration.group(Trainer.CheckpointOptions.self).onSignal
    watchdog?.runDirectory = communicator.broadcast(run?.directory.path ?? "")
    let profiler = profile.map { steps in
      TrainingProfiler(steps: steps, trainer.model, communicator) { recorder?.profile($0, $1) }
    }
    StopSignals.beginToSave()
    let outcome: Trainer.Outcome
    do {
      outcome = try trainer.train(
        store: run?.store, maximumSteps: maxSteps,
        isStopRequested: { timeLimit?.isReached() ?? false || StopSignals.requested != nil },
        isSaveRequested: { StopSignals.takeSaveRequest() && savesOnSignal },
        willSave: { try recorder?.prepareCheckpoint() },
        willTakeStep: { profiler?.willTakeStep() },
        wantsGradientNorm: { recorder?.records(step: $0) ?? false },
        onEvent: { event in
          recorder?.record(event)
          if case .checkpoint(_, _, let seconds, _) = event {
            timeLimit?.record(checkpointSeconds: seconds)
          }
        })
    } catch {
      try? run?.close(.failed, step: trainer.step, reason: "\(error)")
      recorder?.progress.clear()
      throw error
    }
    if profiler?.finish() == false {
      recorder?.warn("no step was profiled: --profile leaves out the first three")
    }
    recorder?.finish(outcome, best: trainer.bestEvaluation)
    try run?.close(
      outcome.isEnd ? .done : .stopped, step: trainer.step,
      reason: reason(outcome))
    return outcome == .stopped ? .stoppedAndSaved : .success
  }
}

extension TrainCommand {
  /// Why the training ended, if it is not finished.
  private func reason(_ outcome: Trainer.Outcome) -> String? {
    switch outcome {
    case .finished: nil
    case .stoppedEarly: "the validation loss did not improve"
    case .reachedMaximumSteps: "--max-steps \(maxSteps ?? 0)"
    case .stopped:
      StopSignals.requested.map { "signal \($0)" } ?? maxTime.map { "--max-time \($0)" }
        ?? "a signal to another rank"
    }
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
    let options = try configuration.group(LoggingOptions.self)
    recorder = try RunRecorder(
      run, continuingAfter: trainer.step, everySteps: options.everySteps,
      ranks: trainer.describe().worldSize,
      environment: Environment.description(trainer.describe()),
      tensorBoard: options.tensorboard ? TensorBoardLog(run.directory, trainer) : nil)
    for notice in run.notices {
      switch notice {
      case .note(let text): logger.notice("\(text)")
      case .warning(let text): logger.warning("\(text)")
      }
    }
  }

  /// Whether the metrics of the step of a number are recorded.
  func records(step: Int) -> Bool { recorder.records(step: step) }

  func prepareCheckpoint() throws {
    if let warning = try recorder.prepareCheckpoint() { warn(warning) }
  }

  func record(_ event: TrainingEvent) {
    switch event {
    case .started(let description):
      progress.description(description, configuration, run: run)
    case .step(let report): progress.step(report)
    case .epoch(let report): progress.epoch(report)
    case .skipped(let step, let reason): warn("step \(step) was left out: \(reason)")
    case .rolledBack(let step, let leftOut, let reason):
      progress.rollback(event)
      let steps =
        leftOut.count == 1
        ? "step \(leftOut.lowerBound)" : "steps \(leftOut.lowerBound) to \(leftOut.upperBound)"
      warn("\(reason); returned to the checkpoint of step \(step), leaving out \(steps)")
    case .checkpoint: progress.checkpoint(event)
    case .checkpointWarning(_, let reason): warn(reason)
    case .checkpointFailed(_, let reason): warn("\(reason); training continues")
    }
    do {
      try recorder.record(event)
    } catch {
      warn("\(error); training continues without this log")
    }
  }

  /// Shows where the time of some steps went, and keeps it in the run directory.
  func profile(_ table: String, _ trace: String) {
    progress.profile(table)
    let directory = run.directory.path.appendingPath("profile")
    do {
      try FileSystem().makeDirectories(directory)
      try FileSystem().replaceFile(directory.appendingPath("operations.txt"), with: table)
      try FileSystem().replaceFile(directory.appendingPath("trace.json"), with: trace)
    } catch {
      warn("\(error); training continues without the files of the profile")
    }
  }

  func finish(_ outcome: Trainer.Outcome, best: (step: Int, loss: Double)?) {
    progress.finish(outcome, run, best: best)
  }

  func warn(_ message: String) {
    progress.clear()
    logger.warning("\(message)")
  }
}
