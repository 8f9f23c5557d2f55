import ArgumentParser
import Base
import Configuration
import Foundation
import Lockstep
import Training

struct EvalCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "eval",
    abstract: "Computes loss and accuracy of a trained model.",
    usage: "\(programName) eval <run-or-checkpoint> [<options>]",
    discussion: """
      Measures the test samples, or the validation samples where there are none for testing. \
      Other data is prepared as the training data was: --set data.path=other.csv. \
      Under mpirun the ranks share the work; every sample counts once.
      """)

  @OptionGroup var checkpoint: CheckpointOptions

  @OptionGroup var set: OverrideOptions

  @Option(
    help: ArgumentHelp(
      "Weights instead of the checkpoint's: a safetensors file, from PyTorch for example, or a run.",
      valueName: "path"))
  var weights: String?

  @Option(
    help: ArgumentHelp(
      "The samples to measure: train, validation or test.", valueName: "part"))
  var split: DataPart?

  @Flag(
    help: "Print precision, recall and F1 of each class, and the confusion matrix.")
  var perClass = false

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
    let preparation = try communicator.collectiveTry { try checkpoint.signature().preparation }
    let task = try TrainingTask(
      configuration, communicator, loadsInitialWeights: false, preparation: preparation)
    let part = split ?? (task.data.test.count > 0 ? .test : .validation)
    try communicator.collectiveTry {
      try loadWeights(
        of: task.model,
        from: weights.map { try SafetensorsFile.weights(at: $0) } ?? checkpoint.evaluatedWeights())
      guard task.data[part].count > 0 else {
        throw CommandError(
          "there are no \(part.rawValue) samples: hold some out, as in --set data.\(part.rawValue)=1000",
          .configuration)
      }
    }
    let batchSize = try configuration.group(Trainer.Options.self).globalBatch
    // Predictions of single samples are looked at only where they are asked for.
    let evaluation =
      try perClass || task.objective.standardizesTargets
      ? task.evaluateInDetail(part, batchSize: batchSize, communicator)
      : DetailedEvaluation(metrics: task.evaluate(part, batchSize: batchSize, communicator))
    if perClass, evaluation.confusion == nil {
      throw CommandError(
        "--per-class needs a model that predicts one class of a sample", .configuration)
    }
    if communicator.isRoot { show(evaluation, part, task, checkpoint) }
    return .success
  }

  private func show(
    _ evaluation: DetailedEvaluation, _ part: DataPart, _ task: TrainingTask,
    _ checkpoint: Checkpoint
  ) {
    let metrics = evaluation.metrics
    let classes = task.signature.preparation.classes
    let hasAccuracy = task.objective.hasAccuracy
    if json {
      var record: JSONObject = [
        "checkpoint": checkpoint.path, "step": checkpoint.step,
        "split": part.rawValue, "samples": Int(metrics.sampleCount), "loss": metrics.loss,
        "accuracy": hasAccuracy ? metrics.accuracy : nil,
      ]
      if let error = task.rootMeanSquaredError(metrics) {
        record.append("rootMeanSquaredError", error)
      }
      if perClass || evaluation.valueErrors != nil { record = record + evaluation.json(classes) }
      if task.countsTokens { record.append("perplexity", metrics.perplexity) }
      if let bits = metrics.bitsPerByte { record.append("bitsPerByte", bits) }
      printLine(record.text)
      return
    }
    printLine("checkpoint  \(checkpoint.path)")
    let noun = task.countsTokens ? "tokens " : "samples"
    printLine("\(noun)     \(grouped(Int(metrics.sampleCount))) (\(part.rawValue))")
    printLine(String(format: "loss        %.4f", metrics.loss))
    if task.countsTokens { printLine(String(format: "perplexity  %.4f", metrics.perplexity)) }
    if let bits = metrics.bitsPerByte { printLine(String(format: "bits/byte   %.4f", bits)) }
    if hasAccuracy {
      printLine(
        String(
          format: "accuracy    %.2f %% (%d wrong)", 100 * metrics.accuracy,
          Int(metrics.sampleCount - metrics.correctCount)))
    }
    for (index, errors) in (evaluation.valueErrors ?? []).enumerated() {
      let name = evaluation.valueErrors!.count == 1 ? "" : " of value \(index)"
      printLine(
        String(
          format: "MAE         %.6g%@ (in the unit of the target)", errors.meanAbsoluteError, name))
      printLine(String(format: "RMSE        %.6g%@", errors.rootMeanSquaredError, name))
      printLine(
        "R2          "
          + (errors.r2.map { String(format: "%.4f", $0) } ?? "none: all targets are equal")
          + name)
    }
    if perClass, let confusion = evaluation.confusion {
      printLine()
      EvaluationTable(confusion: confusion, classes: classes).lines.forEach { printLine($0) }
    }
  }
}
