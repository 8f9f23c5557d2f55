import ArgumentParser
import Base
import Configuration
import Foundation
import Lockstep
import Training

struct EvalCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "eval",
    abstract: "Computes loss and accuracy of a trained model on its test samples.",
    usage: "lockstep eval <run-or-checkpoint> [<options>]",
    discussion: "Under mpirun the ranks share the work; every sample counts once.")

  @OptionGroup var checkpoint: CheckpointOptions

  @OptionGroup var set: OverrideOptions

  @Option(
    help: ArgumentHelp(
      "A safetensors file of weights, from PyTorch for example, instead of the checkpoint's.",
      valueName: "file"))
  var weights: String?

  @Flag(help: "Print one JSON object.")
  var json = false

  func run() {
    withSession("eval", evaluate)
  }

  private func evaluate(_ communicator: any Communicator) throws -> ExitStatus {
    let checkpoint = try communicator.collectiveTry { try self.checkpoint.open(communicator) }
    let configuration = try communicator.collectiveTry {
      try checkpoint.configuration().applying(set.overrides)
    }
    Threads.count = communicator.threadsPerRank()
    let task = try TrainingTask(configuration, communicator, loadsInitialWeights: false)
    try communicator.collectiveTry {
      try loadWeights(
        of: task.model,
        from: weights.map { try SafetensorsFile(path: $0) } ?? checkpoint.weights())
      guard task.data.test.count > 0 else {
        throw CommandError(
          "there are no test samples: set data.testCount, as in --set data.testCount=1000",
          .configuration)
      }
    }
    let metrics = try task.evaluate(
      batchSize: configuration.group(Trainer.Options.self).globalBatch, communicator)
    if communicator.isRoot { show(metrics, task, checkpoint) }
    return .success
  }

  private func show(_ metrics: Metrics, _ task: TrainingTask, _ checkpoint: Checkpoint) {
    let hasAccuracy = task.objective.hasAccuracy
    if json {
      let record: JSONObject = [
        "checkpoint": checkpoint.path, "step": checkpoint.step,
        "samples": Int(metrics.sampleCount), "loss": metrics.loss,
        "accuracy": hasAccuracy ? metrics.accuracy : nil,
      ]
      printLine(record.text)
      return
    }
    printLine("checkpoint  \(checkpoint.path)")
    let noun = task.countsTokens ? "tokens " : "samples"
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
