import ArgumentParser
import Base
import Configuration
import Foundation
import Lockstep
import Reporting
import Settings
import Training

/// How training shows its progress.
enum ProgressStyle: String, ExpressibleByArgument, CaseIterable {
  /// A bar on a terminal, also under mpirun; else lines.
  case auto
  /// A line per epoch, and below it a bar that moves.
  case bar
  /// A line per epoch, and one every ten seconds.
  case lines
  /// A JSON object per step and epoch.
  case json
  /// Nothing.
  case none
}

/// Prints the progress of a run.
///
/// Lines go to standard output, the bar to standard error.
final class ProgressReporter {
  private let style: ProgressStyle
  private var run: RunDescription?
  /// When a bar or a line was printed last.
  private var lastOutput = ContinuousClock.now
  private var start = ContinuousClock.now
  private var barIsShown = false
  private var lastValidation: EpochReport?
  private var configuration: TrainingConfiguration?

  init(_ style: ProgressStyle) {
    let resolved = style == .auto ? (Terminal.columns == nil ? .lines : .bar) : style
    self.style = resolved == .bar && Terminal.columns == nil ? .lines : resolved
  }

  private var showsLines: Bool { style == .bar || style == .lines }

  /// Prints what is about to be trained.
  func description(
    _ description: RunDescription, _ configuration: TrainingConfiguration, run directory: Run? = nil
  ) {
    (run, self.configuration) = (description, configuration)
    guard showsLines else { return }
    let ranks = description.worldSize
    printItems(
      "lockstep \(Version.current)",
      "\(count(ranks, "rank")) × \(count(description.threads, "thread"))",
      "\(Threads.instructionSet)", "OpenBLAS \(BLAS.coreName)")
    printItems(
      "model  \(configuration["model.kind"])", "\(grouped(description.parameterCount)) parameters",
      description.trainedParameterCount < description.parameterCount
        ? "\(grouped(description.trainedParameterCount)) of them trained" : nil)
    printItems(
      "data   \(configuration["data.kind"])",
      "\(grouped(description.trainingSamples)) training, "
        + "\(grouped(description.validationSamples)) validation"
        + (description.testSamples > 0 ? ", \(grouped(description.testSamples)) test" : "")
        + " \(noun(description))s",
      "global batch \(description.globalBatch)" + (ranks > 1 ? " over \(ranks) ranks" : ""))
    printItems("task   \(description.task.targets)", "from \(description.task.inputs)")
    if ranks > 1 || description.fixedSlices != nil {
      let nodes = description.nodeCount
      printItems(
        "ranks  \(ranks) on \(count(nodes, "node"))",
        nodes > 1
          ? description.localSteps.map { "inter-node all-reduce: every \(count($0, "step"))" }
            ?? "inter-node all-reduce: \(description.overlap.rawValue)"
          : ranks > 1 ? "shared memory" : nil,
        nodes > 1 && description.wire != .float32
          ? "messages in \(description.wire.rawValue)" : nil,
        nodes > 1 && description.shardsOptimizer ? "optimizer sharded" : nil,
        description.fixedSlices.map {
          "\($0) fixed slices: any number of ranks gives the same bits"
        })
      if let allReduce = description.allReduce {
        printLine("nodes  inter-node all-reduce: \(allReduce)")
      }
    }
    let epochs = "\(count(description.epochs, "epoch")) × \(description.stepsPerEpoch)"
    let isWhole = description.epochs * description.stepsPerEpoch == description.totalSteps
    printItems(
      "steps  \(grouped(description.totalSteps))" + (isWhole ? " = \(epochs)" : ""),
      "seed \(configuration["training.seed"])")
    if let directory {
      printLine("run    \(directory.directory.path)")
      if description.completedSteps > 0 {
        printLine(
          "resuming after step \(description.completedSteps) from \(directory.checkpoint!.path)")
      }
    }
    guard directory != nil, description.completedSteps < description.totalSteps else { return }
    printLine()
    printLine(EpochTable(description).header)
    (start, lastOutput) = (.now, .now)
  }

  /// Redraws the bar, at most ten times a second, or prints a line, every ten seconds.
  func step(_ report: StepReport) {
    if style == .json {
      printJSON(
        "step", report.step, report.epoch,
        [
          "loss": report.loss, "accuracy": report.accuracy, "learningRate": report.learningRate,
          "gradientNorm": report.gradientNorm, "samplesPerSecond": report.samplesPerSecond,
        ])
    }
    guard let run, showsLines else { return }
    let now = ContinuousClock.now
    if style == .bar {
      guard !barIsShown || now - lastOutput > .milliseconds(100),
        let columns = Terminal.columns
      else { return }
      let bar = ProgressBar(
        fraction: Double(report.step) / Double(run.totalSteps),
        items: ["epoch \(report.epoch)/\(run.epochs)"] + items(report, run))
      writeToTerminal("\r\u{1B}[2K" + bar.line(columns: columns))
      barIsShown = true
    } else {
      guard now - lastOutput > .seconds(10) else { return }
      printItems(
        "       step \(grouped(report.step)) of \(grouped(run.totalSteps))",
        items(report, run).joined(separator: " · "))
    }
    lastOutput = now
  }

  /// Loss, speed and time left, and the accuracy.
  private func items(_ report: StepReport, _ run: RunDescription) -> [String] {
    let done = Double(report.step - run.completedSteps)
    let left =
      (ContinuousClock.now - start) / .seconds(1) / done
      * Double(run.totalSteps - report.step)
    let metrics = report.epochMetrics
    return [
      "loss \(Text.number(metrics.loss))",
      "\(grouped(Int(report.samplesPerSecond))) \(noun(run))s/s", "\(Text.duration(left)) left",
    ] + (report.accuracy == nil ? [] : ["accuracy \(Text.number(metrics.accuracy))"])
  }

  /// Prints an epoch's line.
  func epoch(_ report: EpochReport) {
    if report.validation != nil { lastValidation = report }
    if style == .json {
      printJSON(
        "epoch", report.step, report.epoch,
        [
          "loss": report.metrics.loss,
          "accuracy": report.hasAccuracy ? report.metrics.accuracy : nil,
          "validationLoss": report.validation?.loss,
          "validationAccuracy": report.hasAccuracy ? report.validation?.accuracy : nil,
          "learningRate": report.learningRate, "samplesPerSecond": report.samplesPerSecond,
        ])
    }
    guard showsLines, let run else { return }
    clear()
    printLine(EpochTable(run).line(report))
    lastOutput = .now
  }

  /// Reports a checkpoint in JSON; lines would only repeat the epochs.
  func checkpoint(_ event: TrainingEvent) {
    guard style == .json, case .checkpoint(let step, let path, let seconds, let waited) = event
    else { return }
    let record: JSONObject = [
      "kind": "checkpoint", "step": step, "path": path, "seconds": seconds, "waited": waited,
    ]
    printLine(record.text)
  }

  /// Shows a profile on standard error: standard output is for epochs and scripts.
  func profile(_ table: String) {
    guard style != .none else { return }
    clear()
    writeToTerminal("\n\(table)\n")
  }

  /// Reports in JSON that the run returned to a checkpoint, so that steps come again.
  func rollback(_ event: TrainingEvent) {
    guard style == .json, case .rolledBack(let step, _, let reason) = event else { return }
    let record: JSONObject = ["kind": "rollback", "step": step, "reason": reason]
    printLine(record.text)
  }

  /// Removes the bar before something else is printed.
  func clear() {
    guard barIsShown else { return }
    writeToTerminal("\r\u{1B}[2K")
    barIsShown = false
  }

  /// Prints how the run ended and what can be done with it.
  ///
  /// - Parameters:
  ///   - outcome: How it ended.
  ///   - run: The run.
  ///   - best: The steps of its best evaluation, and the validation loss.
  func finish(_ outcome: Trainer.Outcome, _ run: Run, best: (step: Int, loss: Double)?) {
    clear()
    guard showsLines else { return }
    printLine()
    let path = run.directory.path
    switch outcome {
    case .finished where isComplete:
      printLine("the run is already finished; nothing is left to do")
    case .stoppedEarly where lastValidation == nil:
      printLine(
        "the run is already finished: the validation loss did not improve any more; nothing is left to do"
      )
    case .finished, .stoppedEarly:
      let seconds = (ContinuousClock.now - start) / .seconds(1)
      let reason =
        outcome == .stoppedEarly ? "stopped early: no lower validation loss" : "done"
      printItems(
        "\(reason) in \(Text.duration(seconds))", lastValidation.flatMap(result),
        best.map { "best validation loss \(Text.number($0.loss)) after step \($0.step)" })
      printLine("run        \(path)")
      printLine("evaluate   \(shellCommand([CommandLine.arguments[0], "eval", path]))")
      printLine("report     \(shellCommand([CommandLine.arguments[0], "report", path]))")
      let setting =
        outcome == .stoppedEarly
        ? "training.stopAfterWithoutImprovement=null" : configuration.flatMap(twiceAsLong)
      printLine("continue   \(resume(path, setting))")
    case .reachedMaximumSteps, .stopped:
      printLine("stopped with a checkpoint; the same command resumes, or:")
      printLine("resume     \(resume(path))")
    }
  }

  /// Whether nothing was left to do when this process started.
  private var isComplete: Bool { run.map { $0.completedSteps == $0.totalSteps } ?? false }

  /// The accuracy of the last evaluation, or the error of the one predicted value.
  private func result(_ report: EpochReport) -> String? {
    if report.hasAccuracy, let validation = report.validation {
      return String(format: "validation accuracy %.2f %%", 100 * validation.accuracy)
    }
    return report.rootMeanSquaredError.map { String(format: "validation RMSE %.6g", $0) }
  }

  /// The command that resumes the run on as many ranks.
  private func resume(_ path: String, _ setting: String? = nil) -> String {
    let ranks = run?.worldSize ?? 1
    return (ranks > 1 ? "mpirun -np \(ranks) " : "")
      + resumeCommand(in: path, settings: setting.map { [$0] } ?? [])
  }

  private func printJSON(
    _ kind: String, _ step: Int, _ epoch: Int, _ values: JSONObject
  ) {
    printLine((["kind": kind, "step": step, "epoch": epoch] + values).text)
  }

  /// What the metrics of a run count.
  private func noun(_ run: RunDescription) -> String { run.countsTokens ? "token" : "sample" }

  private func printItems(_ items: String?...) {
    printLine(items.compactMap { $0 }.joined(separator: " · "))
  }

  private func writeToTerminal(_ text: String) {
    try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
  }
}
