import ArgumentParser
import Base
import Configuration
import Foundation
import Lockstep
import Reporting
import Training

/// What a launch runs on its ranks: a command of this program, and for `train` what resumes it.
struct LaunchedJob {
  /// A training, which can resume.
  struct Training {
    let configuration: TrainingConfiguration
    let command: TrainCommand
    /// The seconds without progress after which the job ends; nil leaves the configuration's.
    let stallTimeout: Double?
    /// The seconds in which a rank must have begun to train; nil for no limit.
    let startLimit: Double?
    /// The run's directory; nil as long as it is not known.
    var directory: RunDirectory?
  }

  /// The command's words, without the program.
  let words: [String]
  /// Nil for other commands.
  var training: Training?

  /// Seconds without progress after which a stalled job ends, where neither the configuration nor an option tells:
  /// here a restart costs minutes, a lost night more.
  static let stallTimeout = 120.0
  /// Seconds until a rank must have begun to train, where no option tells.
  ///
  /// Until its ranks have found each other, nobody else watches a job; then they open data and checkpoint, each in at
  /// most the time of a stall.
  static let startTimeout = 300.0

  /// Reads the words of a command; throws what is wrong with those of `train`.
  ///
  /// - Parameters:
  ///   - words: The words after `--`.
  ///   - stallTimeout: What `--stall-timeout` says.
  ///   - startTimeout: What `--start-timeout` says.
  init(_ words: [String], stallTimeout: Double?, startTimeout: Double?) throws {
    self.words = words
    guard words.first == TrainCommand.configuration.commandName else { return }
    let command = try TrainCommand.parse(Array(words.dropFirst()))
    guard !command.dryRun else { return }
    let configuration = try TrainingConfiguration(
      path: command.configuration.config, overrides: command.configuration.set.overrides)
    let configured = try configuration.group(Watchdog.Options.self).stallTimeout
    let isUnset = configured == Watchdog.Options().stallTimeout
    let stallTimeout = stallTimeout ?? (isUnset ? LaunchedJob.stallTimeout : nil)
    // Who turns stalls off wants no limit.
    let startLimit = (stallTimeout ?? configured).map { max(LaunchedJob.startTimeout, 2 * $0) }
    training = Training(
      configuration: configuration, command: command, stallTimeout: stallTimeout,
      startLimit: startTimeout ?? startLimit,
      directory: command.runDir.map { RunDirectory(path: $0) })
  }

  /// The program's words in an attempt.
  ///
  /// - Parameters:
  ///   - attempt: Its number, from 1.
  ///   - seconds: The time since the launch.
  func program(attempt: Int, after seconds: Double) -> [String] {
    let program = [Bundle.main.executablePath ?? CommandLine.arguments[0]] + words
    guard let training else { return program }
    // Of an option that is given twice the last counts.
    var more: [String] = []
    if let timeout = training.stallTimeout {
      more += ["--set", "distributed.stallTimeout=\(String(format: "%g", timeout))"]
    }
    guard attempt > 1 else { return program + more }
    if let directory = training.directory { more += ["--run-dir", directory.path] }
    if training.command.resume == "never" { more += ["--resume", "auto"] }
    if let limit = training.command.maxTime.flatMap({ TimeLimit($0) }) {
      more += ["--max-time", "\(max(1, Int(limit.seconds - seconds)))"]
    }
    return program + more
  }

  /// Finds the run's directory, which `train` has chosen, by the launch in its attempts.jsonl.
  mutating func findDirectory(launch: String) {
    guard let training, training.directory == nil,
      let logging = try? training.configuration.group(LoggingOptions.self),
      let name = try? training.configuration.group(RunName.self).name
    else { return }
    self.training?.directory = try? RunDirectory.all(in: logging.directory.appendingPath(name))
      .first { AttemptLog($0).has(launch: launch) }
  }

  /// The run's directory, if an attempt has begun to train there.
  func directory(launch: String) -> RunDirectory? {
    training?.directory.flatMap { AttemptLog($0).has(launch: launch) ? $0 : nil }
  }
}

extension RunDirectory {
  /// The last step that the run has recorded; 0 before the first.
  var lastRecordedStep: Int { RunSummary(self).run.metrics.last?.step ?? 0 }
  /// The step of the newest checkpoint; nil without one.
  var lastSavedStep: Int? { (try? checkpoints(keep: 0).steps())?.last }
}
