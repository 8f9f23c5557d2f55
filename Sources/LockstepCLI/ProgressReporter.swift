import ArgumentParser
import Base
import Configuration
import Foundation
import Lockstep
import Settings
import Training

/// How training shows its progress.
enum ProgressStyle: String, ExpressibleByArgument, CaseIterable {
  /// A bar on a terminal, else lines.
  case auto
  /// A line per epoch, and below it a bar that moves.
  case bar
  /// A line per epoch.
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
  private var lastBar = ContinuousClock.now
  private var start = ContinuousClock.now
  private var barIsShown = false
  private var lastValidation: Metrics?
  private var lengthKey = "training.epochs"

  init(_ style: ProgressStyle) {
    let resolved = style == .auto ? (Terminal.columns == nil ? .lines : .bar) : style
    self.style = resolved == .bar && Terminal.columns == nil ? .lines : resolved
  }

  private var showsLines: Bool { style == .bar || style == .lines }

  /// Prints what is about to be trained.
  func description(
    _ description: RunDescription, _ configuration: TrainingConfiguration, run directory: Run? = nil
  ) {
    run = description
    lengthKey = configuration["training.steps"] == .null ? "training.epochs" : "training.steps"
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
          ? "inter-node all-reduce: \(description.overlap.rawValue)"
          : ranks > 1 ? "shared memory" : nil,
        description.fixedSlices.map {
          "\($0) fixed slices: any number of ranks gives the same bits"
        })
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
    printLine(
      row(
        "epoch", "step", "loss", description.hasAccuracy ? "accuracy" : nil, "val loss",
        description.hasAccuracy ? "val accuracy" : nil, "\(noun(description))s/s", "rate",
        "seconds"))
  }

  /// Redraws the bar, at most ten times a second.
  func step(_ report: StepReport) {
    if style == .json {
      printJSON(
        "step", report.step, report.epoch,
        [
          "loss": report.loss, "accuracy": report.accuracy, "learningRate": report.learningRate,
          "samplesPerSecond": report.samplesPerSecond,
        ])
    }
    guard style == .bar, let run, let columns = Terminal.columns else { return }
    let now = ContinuousClock.now
    guard !barIsShown || now - lastBar > .milliseconds(100) else { return }
    lastBar = now
    let done = Double(report.step) / Double(run.totalSteps)
    let here = Double(report.step - run.completedSteps)
    let left = (now - start) / .seconds(1) / here * Double(run.totalSteps - report.step)
    // The most important come first; on a narrow terminal the last ones are left out.
    var parts = [
      String(format: "] %3.0f%%", 100 * done), "epoch \(report.epoch)/\(run.epochs)",
      String(format: "loss %.4f", report.epochMetrics.loss),
    ]
    if report.accuracy != nil {
      parts.append(String(format: "accuracy %.4f", report.epochMetrics.accuracy))
    }
    parts += ["\(duration(left)) left", "\(grouped(Int(report.samplesPerSecond))) \(noun(run))s/s"]
    var tail: String { parts.joined(separator: "  ") }
    while parts.count > 1 && tail.count + 12 > columns { parts.removeLast() }
    let width = max(4, min(30, columns - tail.count - 2))
    let filled = Int(done * Double(width))
    let bar =
      "[" + String(repeating: "█", count: filled) + String(repeating: "·", count: width - filled)
    writeToTerminal("\r\u{1B}[2K" + String((bar + tail).prefix(columns - 1)))
    barIsShown = true
  }

  /// Prints an epoch's line.
  func epoch(_ report: EpochReport) {
    lastValidation = report.validation ?? lastValidation
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
    guard showsLines else { return }
    clear()
    func fixed(_ value: Double?) -> String { value.map { String(format: "%.4f", $0) } ?? "" }
    printLine(
      row(
        String(report.epoch), String(report.step), fixed(report.metrics.loss),
        report.hasAccuracy ? fixed(report.metrics.accuracy) : nil, fixed(report.validation?.loss),
        report.hasAccuracy ? fixed(report.validation?.accuracy) : nil,
        grouped(Int(report.samplesPerSecond)), String(format: "%.3g", report.learningRate),
        String(format: "%.2f", report.seconds)))
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
  func finish(_ outcome: Trainer.Outcome, _ run: Run) {
    clear()
    guard showsLines else { return }
    printLine()
    let path = run.directory.path
    switch outcome {
    case .finished where self.run.map { $0.completedSteps == $0.totalSteps } ?? false:
      printLine("the run is already finished; nothing is left to do")
    case .finished, .stoppedEarly:
      let seconds = (ContinuousClock.now - start) / .seconds(1)
      let accuracy = lastValidation.flatMap { validation in
        self.run?.hasAccuracy == true
          ? String(format: " · validation accuracy %.2f %%", 100 * validation.accuracy) : nil
      }
      printLine("done in \(duration(seconds))\(accuracy ?? "")")
      printLine("run        \(path)")
      printLine("evaluate   \(CommandLine.arguments[0]) eval \(path)")
      printLine(
        "continue   \(CommandLine.arguments[0]) train … --run-dir \(path) --set \(lengthKey)=N")
    case .reachedMaximumSteps, .stopped:
      printLine("stopped with a checkpoint; the same command, or --run-dir \(path), resumes")
    }
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

  private func row(_ cells: String?...) -> String {
    zip(cells, [5, 7, 8, 9, 10, 14, 10, 9, 8]).compactMap { cell, width in
      cell.map { String(repeating: " ", count: max(0, width - $0.count)) + $0 }
    }.joined()
  }

  private func writeToTerminal(_ text: String) {
    try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
  }
}

/// A duration in seconds, minutes or hours.
private func duration(_ seconds: Double) -> String {
  guard seconds < 1e12 else { return "?" }
  if seconds < 60 { return String(format: "%.1f s", seconds) }
  let whole = Int(seconds)
  return whole < 3600
    ? String(format: "%d:%02d min", whole / 60, whole % 60)
    : String(format: "%d:%02d h", whole / 3600, whole % 3600 / 60)
}
