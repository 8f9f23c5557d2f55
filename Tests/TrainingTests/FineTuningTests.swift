import Base
import Checkpointing
import Collectives
import Configuration
import DataLoading
import DataParallel
import Foundation
import NeuralNetworks
import Settings
import TensorCore
import TestSupport
import Testing
import Training

/// `model.weights`, `newHead` and `freeze`, `optimizer.learningRates`, and `training.emaDecay`.
@Suite struct FineTuningTests {
  private func configuration(
    _ change: (inout TrainingConfiguration) -> Void = { _ in }
  ) -> TrainingConfiguration {
    var configuration = TrainingConfiguration()
    configuration["model.hidden"] = [24, 16]
    configuration["model.dropout"] = 0.2
    configuration["training.epochs"] = 2
    configuration["training.globalBatch"] = 200  // eight steps an epoch, the last one short
    change(&configuration)
    return configuration
  }

  private struct Result: Sendable {
    var losses: [Double] = []
    var accuracies: [Double] = []
    var weights: [String: [Float]] = [:]
    var notices: [String] = []
  }

  private func train(
    _ configuration: TrainingConfiguration, _ communicator: any Communicator,
    store: CheckpointStore? = nil, maximumSteps: Int? = nil
  ) throws -> Result {
    var result = Result()
    let trainer = try Trainer(configuration, communicator, onNotice: { result.notices.append($0) })
    let checkpoint = try communicator.isRoot ? store?.newestUsable()?.checkpoint : nil
    if communicator.broadcast(checkpoint != nil) { try trainer.restore(from: checkpoint) }
    _ = try trainer.train(
      store: store, maximumSteps: maximumSteps,
      onEvent: { event in
        if case .step(let report) = event { result.losses.append(report.loss) }
        if case .epoch(let report) = event {
          result.accuracies.append(report.validation?.accuracy ?? 0)
        }
      })
    result.weights = Dictionary(
      uniqueKeysWithValues: trainer.model.stateDictionary().map { ($0.name, $0.value.array()) })
    return result
  }

  private func store(_ directory: String) throws -> CheckpointStore {
    let store = CheckpointStore(directory: directory, keep: 0)
    try store.prepare()
    return store
  }

  /// Everything together, also batch normalization, whose statistics are averaged too.
  private func fineTuning(_ weights: String) -> TrainingConfiguration {
    configuration {
      $0["model.kind"] = "layers"
      $0["model.layers"] = .texts([
        "conv 4 3", "batchNorm", "relu", "flatten", "linear 16", "dropout 0.2", "linear outputs",
      ])
      $0["model.weights"] = .text(weights)
      $0["model.freeze"] = .texts(["0.*"])
      $0["optimizer.learningRates"] = .texts(["6 10"])
      $0["training.emaDecay"] = 0.9
    }
  }

  @Test(
    "a fine-tuning that stops after any step resumes to the same bits, the averages too",
    arguments: [1, 2])
  func resume(_ ranks: Int) throws {
    let directory = try TemporaryDirectory()
    let base = try store(directory.path("base"))
    var before = fineTuning("")
    for key in ["model.weights", "training.emaDecay"] { before[key] = .null }
    before["model.freeze"] = .texts([])
    _ = try train(before, SingleProcess(), store: base, maximumSteps: 2)
    let tuning = fineTuning(base.path(step: 2))

    let whole = try store(directory.path("whole"))
    let straight = try withRanks(ranks) { try train(tuning, $0, store: whole) }
    func file(_ store: CheckpointStore, _ name: String) throws -> Data {
      try Data(contentsOf: URL(filePath: store.path(step: 16) + "/" + name))
    }
    for stop in [1, 5, 8, 15] {
      let parts = try store(directory.path("parts-\(stop)"))
      let first = try withRanks(ranks) {
        try train(tuning, $0, store: parts, maximumSteps: stop)
      }
      let second = try withRanks(ranks) { try train(tuning, $0, store: parts) }
      #expect(first[0].losses + second[0].losses == straight[0].losses)
      #expect(first[0].accuracies + second[0].accuracies == straight[0].accuracies)
      for name in ["model.safetensors", "ema.safetensors", "optimizer.safetensors"] {
        #expect(try file(parts, name) == file(whole, name), "\(name), stopped after \(stop)")
      }
    }
    let loaded = try Checkpoint(path: base.path(step: 2)).weights()
    let frozen = try loaded.floats(of: try #require(loaded["0.weight"]))
    for rank in straight { #expect(rank.weights["0.weight"] == frozen) }
    #expect(try file(whole, "model.safetensors") != file(whole, "ema.safetensors"))
  }

  @Test("the averages are what is evaluated, by training and from its checkpoint")
  func evaluation() throws {
    let directory = try TemporaryDirectory()
    let store = try store(directory.path)
    let tuned = configuration {
      $0["training.emaDecay"] = 0.99
      $0["optimizer.learningRate"] = 0.5
    }
    let result = try train(tuned, SingleProcess(), store: store)
    let plain = try train(
      configuration { $0["optimizer.learningRate"] = 0.5 }, SingleProcess())
    #expect(result.weights == plain.weights)
    #expect(result.accuracies.last != plain.accuracies.last)
    let checkpoint = try Checkpoint(path: store.path(step: 16))
    let task = try TrainingTask(
      checkpoint.configuration(), SingleProcess(), loadsInitialWeights: false)
    try loadWeights(of: task.model, from: checkpoint.evaluatedWeights())
    #expect(
      try task.evaluate(batchSize: 200, SingleProcess()).accuracy == result.accuracies.last)
  }

  @Test("weights come from a run, a checkpoint or a file; a new head is said to be new")
  func weights() throws {
    let directory = try TemporaryDirectory()
    let store = try store(directory.path("run/checkpoints"))
    let trained = try train(configuration(), SingleProcess(), store: store)
    let step = store.path(step: 16)
    for path in [directory.path("run"), step, step + "/model.safetensors"] {
      let result = try train(
        configuration { $0["model.weights"] = .text(path) }, SingleProcess(), maximumSteps: 0)
      #expect(result.weights == trained.weights)
      #expect(result.notices.first?.contains("loaded 6 tensors of") == true)
    }
    var other = configuration {
      $0["model.weights"] = .text(directory.path("run"))
      $0["model.newHead"] = true
    }
    let same = try train(other, SingleProcess(), maximumSteps: 0)
    #expect(same.notices.first?.contains("the same shape") == true)
    try trainOnThreeClasses(directory, &other)
    let missing = #expect(throws: CollectiveFailure.self) {
      try train(
        configuration { $0["model.weights"] = .text(directory.path("nowhere")) }, SingleProcess())
    }
    #expect(missing?.exitStatus == .inputMissing)
    try FileManager.default.createDirectory(
      atPath: directory.path("empty"), withIntermediateDirectories: false)
    let empty = #expect(throws: CollectiveFailure.self) {
      try train(
        configuration { $0["model.weights"] = .text(directory.path("empty")) }, SingleProcess())
    }
    #expect(empty?.exitStatus == .inputMissing)
    #expect(empty?.message.contains("no checkpoint at") == true)
  }

  /// Fine-tunes a network for the ten digits on data of the same 64 pixels with three classes.
  private func trainOnThreeClasses(
    _ directory: TemporaryDirectory, _ configuration: inout TrainingConfiguration
  ) throws {
    let rows = (0..<30).map { sample in
      (0..<64).map { "\(($0 * 7 + sample * 5) % 16)" }.joined(separator: ",") + ",\(sample % 3)"
    }
    try directory.write(rows.joined(separator: "\n") + "\n", to: "pixels.csv")
    configuration["data.kind"] = "csv"
    configuration["data.path"] = .text(directory.path("pixels.csv"))
    configuration["data.validation"] = 6
    configuration["data.target"] = "classes"
    configuration["data.inputShape"] = [1, 8, 8]
    let result = try train(configuration, SingleProcess(), maximumSteps: 1)
    #expect(
      result.notices.first?.contains(
        "loaded 4 tensors of") == true
        && result.notices.first?.contains(
          "left out") == true
        && result.notices.first?.contains("[3, 16]") == true,
      "\(result.notices)")
  }

  @Test("patterns that fit nothing, and a new head without weights, are errors of their keys")
  func errors() {
    func message(_ change: (inout TrainingConfiguration) -> Void) -> String {
      do {
        _ = try train(self.configuration(change), SingleProcess(), maximumSteps: 1)
        return "none"
      } catch let error as CollectiveFailure {
        #expect(error.exitStatus == .configuration)
        return error.message
      } catch {
        return "\(error)"
      }
    }
    #expect(message { $0["model.freeze"] = .texts(["9.*"]) }.hasPrefix("'model.freeze' has '9.*'"))
    #expect(
      message { $0["optimizer.learningRates"] = .texts(["9.* 2"]) }
        .hasPrefix("'optimizer.learningRates' has '9.*'"))
    #expect(
      message {
        $0["model.freeze"] = .texts(["1"])
        $0["optimizer.learningRates"] = .texts(["1.weight 2"])
      }.hasPrefix("'optimizer.learningRates' has '1.weight'"))
    var configuration = TrainingConfiguration()
    configuration["model.newHead"] = true
    #expect(throws: ConfigurationError.self) { try configuration.validate() }
  }
}

/// Samples in memory for a trained model.
@Suite struct PredictorTests {
  @Test("predictions in memory are those of a file, also from several threads at once")
  func memory() async throws {
    let directory = try TemporaryDirectory()
    let store = CheckpointStore(directory: directory.path("run/checkpoints"), keep: 0)
    try store.prepare()
    var configuration = TrainingConfiguration()
    configuration["training.epochs"] = 1
    configuration["data.normalize"] = "standardizeFeatures"
    let trainer = try Trainer(configuration, SingleProcess())
    _ = try trainer.train(store: store)
    let predictor = try Predictor(Run.findCheckpoint(at: directory.path("run")))

    let samples = (0..<5).map { sample in (0..<64).map { Float(($0 * 7 + sample) % 16) / 16 } }
    try directory.write(
      samples.map { $0.map { "\($0)" }.joined(separator: ",") }.joined(separator: "\n") + "\n",
      to: "samples.csv")
    let expected = try predictor.predictions(for: directory.path("samples.csv"))
    let tensor = Tensor.of(samples.flatMap(\.self), shape: [5, 1, 8, 8])
    #expect(try predictor.predict(tensor) == expected)
    #expect(try predictor.predict(Tensor.zeros([0, 1, 8, 8])) == [])
    let answers = try await withThrowingTaskGroup(of: (Int, Prediction).self) { group in
      for index in 0..<40 {
        group.addTask { (index, try predictor.predict(samples[index % 5])) }
      }
      return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
    }
    for index in 0..<40 {
      guard case .probabilities(let found) = answers[index],
        case .probabilities(let wanted) = expected[index % 5]
      else { return #expect(Bool(false)) }
      // A batch of one is another product of matrices.
      #expect(zip(found, wanted).allSatisfy { abs($0 - $1) < 1e-5 })
    }
    #expect(throws: DataError.self) { try predictor.predict([1, 2]) }
    #expect(throws: DataError.self) { try predictor.predict(Tensor.zeros([5, 64])) }
  }
}
