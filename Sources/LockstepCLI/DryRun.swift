import Base
import Configuration
import Foundation
import Lockstep
import Reporting
import Training

/// What `train --dry-run` shows after the description of the run: the layers, and what a few real steps take.
///
/// Every rank calls it.
struct DryRun {
  /// The steps that are taken; the first one allocates memory and is not timed.
  private static let steps = 3

  let trainer: Trainer
  let configuration: TrainingConfiguration
  let communicator: any Communicator

  /// Takes a few steps and prints, on rank zero.
  func run() throws {
    try communicator.collectiveTry {
      guard communicator.isRoot else { return }
      ProgressReporter(.lines).description(trainer.describe(), configuration)
      printLine()
      try trainer.task.layerSummary().lines.forEach { printLine($0) }
    }
    var reports: [StepReport] = []
    _ = try trainer.train(
      store: nil, maximumSteps: min(DryRun.steps, trainer.totalSteps),
      onEvent: { if case .step(let report) = $0 { reports.append(report) } })
    let memory = communicator.allReduce(Double(residentByteCount() ?? 0), .max)
    try communicator.collectiveTry {
      if communicator.isRoot { try show(reports, memory: Int(memory)) }
    }
  }

  private func show(_ reports: [StepReport], memory: Int) throws {
    let options = try configuration.group(Trainer.Options.self)
    let description = trainer.describe()
    let ranks = description.worldSize
    let (samples, rest) = min(options.globalBatch, trainer.task.data.train.count)
      .quotientAndRemainder(dividingBy: ranks)
    let share =
      rest == 0 ? grouped(samples) : "\(grouped(samples)) or \(grouped(samples + 1))"
    printLine()
    printLine("batch       \(share) samples on each of \(count(ranks, "rank"))")
    printLine("checkpoint  \(try checkpointText())")
    printLine("memory      \(Text.bytes(Double(memory))) on the rank that has most, after a step")
    guard let last = reports.last else { return }
    printLine("first loss  \(Text.number(reports[0].loss))")
    let noun = description.countsTokens ? "tokens" : "samples"
    let perStep = last.epochMetrics.sampleCount / Double(reports.count)
    let timed = reports.dropFirst().isEmpty ? reports[...] : reports.dropFirst()
    let seconds = timed.map { perStep / $0.samplesPerSecond }.reduce(0, +) / Double(timed.count)
    printLine(
      "step        \(Text.duration(seconds)), \(grouped(Int(perStep / seconds))) \(noun)/s; "
        + "all \(grouped(trainer.totalSteps)) steps would take about "
        + "\(Text.duration(seconds * Double(trainer.totalSteps))), without evaluations")
  }

  /// The size of a checkpoint, and whether there is room for those that are kept.
  private func checkpointText() throws -> String {
    let size = trainer.checkpointByteCount
    let options = try configuration.group(Trainer.CheckpointOptions.self)
    let directory = try configuration.group(LoggingOptions.self).directory
    let kept = (options.keep ?? 0) + (options.keepBest ? 1 : 0)
    // The directory may not exist yet.
    let folder = FileManager.default.fileExists(atPath: directory) ? directory : "."
    let free =
      FileSystem().freeSpace(at: folder).map { "; \(Text.bytes(Double($0.bytes))) are free" } ?? ""
    let all =
      options.keep == nil
      ? "all are kept" : "up to \(kept) are kept, \(Text.bytes(Double(kept * size)))"
    return "\(Text.bytes(Double(size))); \(all)\(free)"
  }
}
