import ArgumentParser
import Base
import Configuration
import Foundation
import Lockstep
import Logging
import Reporting
import Training

struct SweepCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sweep", abstract: "Trains variants of a configuration and compares them.",
    usage: "\(programName) sweep [<config>] --set <key=a,b,c> ... [<options>]",
    discussion: """
      Trains every combination of the values, one after another, and prints them from the lowest \
      validation loss to the highest. The same command resumes a sweep that was stopped; more \
      values add variants to it.

        lockstep sweep CONFIG --set optimizer.learningRate=0.1,0.03,0.01
        lockstep sweep CONFIG --set model.hidden=[64],[128,64] --halving
        lockstep sweep CONFIG --set optimizer.learningRate=0.001..1 --random 20

      Writes sweep.csv, the picture sweep.svg, and a run directory for each variant, of which \
      'lockstep report DIRECTORY/*' shows the curves. A variant that fails is in the table too.

      Exit codes: 0 done, 75 stopped by a signal, resume with the same command; if no variant \
      succeeds, that of the first.
      """)

  @Argument(help: "A YAML file. Without one, the defaults: a small network on the embedded digits.")
  var config: String?

  @Option(
    name: .customLong("set"),
    help: ArgumentHelp(
      "A key with its values: key=a,b,c, or key=low..high with --random. With one value it is that of all variants. Repeatable.",
      valueName: "key=values"))
  var axes: [String] = []

  @Option(
    help: ArgumentHelp("Number of variants to train, drawn at random.", valueName: "count"))
  var random: Int?

  @Option(help: ArgumentHelp("The random seed of --random.", valueName: "number"))
  var seed: UInt64 = 1

  @Flag(
    help:
      "Successive halving: train all variants for a part of their steps, and the best third of them for three times as long, until one is left."
  )
  var halving = false

  @Option(help: ArgumentHelp("The ranks of each run, started with mpirun.", valueName: "count"))
  var ranks = 1

  @Option(
    help: ArgumentHelp(
      "The sweep's directory. Default: sweep-<name> under logging.directory.",
      valueName: "directory"))
  var dir: String?

  func validate() throws {
    if let random, !(1...10_000).contains(random) {
      throw ValidationError("--random must be 1 to 10000")
    }
    guard (1...4096).contains(ranks) else { throw ValidationError("--ranks must be 1 to 4096") }
    if let launcher = LauncherEnvironment() {
      throw ValidationError(
        "sweep starts its ranks itself: call it without \(launcher.launcher.rawValue), with --ranks"
      )
    }
  }

  func run() {
    StopSignals.observe()
    withSession("sweep") { try sweep($0) }
  }

  private func sweep(_ communicator: any Communicator) throws -> ExitStatus {
    var (fixed, varied): ([String], [SweepAxis]) = ([], [])
    for option in axes {
      let axis = try SweepAxis(option)
      if axis.isFixed { fixed.append(option) } else { varied.append(axis) }
    }
    let base = try TrainingConfiguration(config, fixed, on: communicator)
    guard !varied.isEmpty else {
      throw CommandError(
        "nothing varies: give a key several values, as in --set optimizer.learningRate=0.1,0.01",
        .usage)
    }
    let plan =
      try random.map { SweepPlan(random: varied, count: $0, seed: seed) }
      ?? SweepPlan(grid: varied)
    let configurations = try plan.variants.map { try base.applying(plan.overrides($0)) }
    let directory = try SweepDirectory(
      dir
        ?? base.group(LoggingOptions.self).directory
        .appendingPath("sweep-\(base.group(RunName.self).name)"), base, keys: plan.keys)
    let runs = try directory.runs(of: plan.variants)
    let task = try TrainingTask(base, communicator, loadsInitialWeights: false)
    let runner = SweepRunner(
      command: trainCommand(fixed), plan: plan, runs: runs,
      totalSteps: try configurations.map {
        try $0.group(Trainer.Options.self).totalSteps(for: task)
      },
      interval: try reportInterval(base, task))
    printLine("sweep  \(count(plan.variants.count, "variant")) · \(directory.path)")
    try runner.run(halving: halving)
    let results = SweepResult.ranked(runner.results)
    printLine()
    alignedColumns(SweepResult.rows(results, keys: plan.keys), left: 1..<plan.keys.count + 1)
      .forEach { printLine($0) }
    try directory.write("sweep.csv", SweepResult.csv(results, keys: plan.keys))
    try directory.write("sweep.svg", SweepPlot(results, keys: plan.keys).svg)
    printLine()
    printLine("files  \(directory.path)/sweep.csv, sweep.svg")
    if results.contains(where: { $0.summary.run.state == .done }) { return .success }
    return ExitStatus(rawValue: runner.firstFailure ?? 0) ?? .internalError
  }

  /// The words that train a configuration, but for those of a variant.
  private func trainCommand(_ fixed: [String]) -> [String] {
    (ranks > 1 ? ["mpirun", "-np", String(ranks)] : [])
      + [Bundle.main.executablePath ?? CommandLine.arguments[0], "train"]
      + (config.map { [$0] } ?? []) + fixed.flatMap { ["--set", $0] } + ["--progress", "none"]
  }

  /// The steps between two evaluations: a round of successive halving ends with one.
  private func reportInterval(
    _ configuration: TrainingConfiguration, _ task: TrainingTask
  ) throws -> Int {
    var options = try configuration.group(Trainer.Options.self)
    if let steps = options.evaluateEverySteps { return steps }
    options.steps = nil
    options.epochs = options.evaluateEveryEpochs ?? 1
    return options.totalSteps(for: task)
  }
}
