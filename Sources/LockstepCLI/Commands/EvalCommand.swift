import ArgumentParser
import Foundation
import Lockstep
import Training

struct EvalCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "eval", abstract: "Measures a trained model on its test samples.",
    usage: "lockstep eval <run-or-checkpoint> [<options>]",
    discussion: "Under mpirun the ranks share the work; every sample counts exactly once.")

  @Argument(help: "A run's directory, whose newest checkpoint is taken, or a checkpoint.")
  var runOrCheckpoint: String

  @Option(
    name: .customLong("set"),
    help: ArgumentHelp(
      "Overrides a value of the configuration, as in data.path=FOLDER. Repeatable.",
      valueName: "key=value"))
  var overrides: [String] = []

  @Option(
    help: ArgumentHelp(
      "Weights in a safetensors file, of PyTorch for example, in place of the checkpoint's.",
      valueName: "file"))
  var weights: String?

  @Flag(help: "Print one JSON object.")
  var json = false

  func run() {
    withSession(evaluate)
  }

  private func evaluate(_ communicator: any Communicator) throws -> ExitStatus {
    let checkpoint = try communicator.collectiveTry {
      try Run.findCheckpoint(at: runOrCheckpoint)
    }
    let configuration = try communicator.collectiveTry {
      try checkpoint.configuration().applying(overrides)
    }
    Threads.count = communicator.threadsPerRank()
    let trainer = try Trainer(configuration, communicator)
    try communicator.collectiveTry {
      try loadWeights(
        of: trainer.model,
        from: weights.map { try SafetensorsFile(path: $0) } ?? checkpoint.weights())
      guard trainer.testData.count > 0 else {
        throw ConfigurationError(
          "there are no test samples: set data.testCount, as in --set data.testCount=1000")
      }
    }
    let metrics = try trainer.evaluate()
    if communicator.isRoot { show(metrics, trainer, checkpoint) }
    return .success
  }

  private func show(_ metrics: Metrics, _ trainer: Trainer, _ checkpoint: Checkpoint) {
    let hasAccuracy = trainer.objective.hasAccuracy
    if json {
      printLine(
        JSONValue.object([
          "checkpoint": .string(checkpoint.path), "step": .integer(checkpoint.step),
          "samples": .integer(Int(metrics.sampleCount)), "loss": .number(metrics.loss),
          "accuracy": hasAccuracy ? .number(metrics.accuracy) : .null,
        ]).text)
      return
    }
    printLine("checkpoint  \(checkpoint.path)")
    let noun = trainer.describe().countsTokens ? "tokens " : "samples"
    printLine("\(noun)     \(grouped(Int(metrics.sampleCount)))")
    printLine(String(format: "loss        %.4f", metrics.loss))
    if hasAccuracy {
      printLine(
        String(
          format: "accuracy    %.2f %% (%d wrong)", 100 * metrics.accuracy,
          Int(metrics.sampleCount - metrics.correctCount)))
    }
  }
}
