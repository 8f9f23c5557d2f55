import Base
import Configuration
import Foundation
import Lockstep
import Reporting
import Training

/// Trains the variants of a sweep, one after another, each in a process of its own.
final class SweepRunner {
  private let command: [String]
  private let plan: SweepPlan
  private let runs: [RunDirectory]
  private let totalSteps: [Int]
  private let interval: Int
  /// The exit code of the first run that failed.
  private(set) var firstFailure: Int32?
  private var failed: Set<Int> = []

  /// - Parameters:
  ///   - command: The words that train, but for those of a variant.
  ///   - plan: The variants.
  ///   - runs: The run directory of each.
  ///   - totalSteps: The steps of each.
  ///   - interval: The steps between two evaluations.
  init(
    command: [String], plan: SweepPlan, runs: [RunDirectory], totalSteps: [Int], interval: Int
  ) {
    (self.command, self.plan, self.runs) = (command, plan, runs)
    (self.totalSteps, self.interval) = (totalSteps, interval)
  }

  /// What all variants have reached.
  var results: [SweepResult] { runs.indices.map(result) }

  private func result(_ variant: Int) -> SweepResult {
    SweepResult(settings: plan.variants[variant], run: RunSummary(runs[variant]))
  }

  /// Trains all variants to their end, or with successive halving fewer and fewer of them.
  func run(halving: Bool) throws {
    var variants = Array(runs.indices)
    let rounds = halving ? SweepPlan.rounds(variants: variants.count) : [(variants.count, 1)]
    for (number, round) in rounds.enumerated() {
      let best = variants.filter { !failed.contains($0) }
        .map { (variant: $0, loss: number == 0 ? 0 : result($0).loss ?? .infinity) }
        .sorted { ($0.loss, $0.variant) < ($1.loss, $1.variant) }
      variants = best.prefix(round.0).map(\.variant)
      if rounds.count > 1 {
        printLine("round \(number + 1) of \(rounds.count): \(count(variants.count, "variant"))")
      }
      for (position, variant) in variants.enumerated() {
        try train(variant, part: round.1, label: "[\(position + 1)/\(variants.count)]")
      }
    }
  }

  /// Trains a variant to a part of its steps, unless it is there already.
  private func train(_ variant: Int, part: Double, label: String) throws {
    let steps = totalSteps[variant]
    // Whole evaluations: there must be a loss to compare.
    let intervals = (part * Double(steps) / Double(interval)).rounded(.up)
    let target = part == 1 ? steps : min(steps, max(1, Int(intervals)) * interval)
    let before = result(variant)
    let isThere = before.summary.run.state == .done || part < 1 && before.steps >= target
    let overrides = plan.overrides(plan.variants[variant])
    var code: Int32 = 0
    if !isThere {
      let child = try ChildProcess(
        command + overrides.flatMap { ["--set", $0] } + ["--run-dir", runs[variant].path]
          + (part < 1 ? ["--max-steps", String(target)] : []),
        stopExitCode: ExitStatus.stoppedAndSaved.rawValue)
      code = child.wait(seconds: .infinity)!
      if code == ExitStatus.stoppedAndSaved.rawValue {
        throw CommandError(
          "'\(runs[variant].path)' was stopped with a checkpoint; the same command resumes the sweep",
          .stoppedAndSaved)
      }
      if code != 0 {
        failed.insert(variant)
        firstFailure = firstFailure ?? code
        let lines = child.errors.split(separator: "\n").filter { $0.hasPrefix("error:") }
        printLine(
          "\(label)  \(overrides.joined(separator: ", "))  failed (\(code)): "
            + (lines.first.map { $0.dropFirst(7).description } ?? "see \(runs[variant].path)"))
        return
      }
    }
    let after = result(variant)
    printLine(
      "\(label)  \(overrides.joined(separator: ", "))  loss \(after.loss.map { Text.number($0) } ?? "none")"
        + (after.summary.accuracy == nil ? "" : " · accuracy \(after.summary.text(.accuracy))")
        + " · step \(grouped(after.steps))" + (isThere ? " (trained before)" : ""))
  }
}
