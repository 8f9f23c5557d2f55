import Checkpointing
import Collectives
import Configuration
import DataLoading
import NeuralNetworks
import Settings
import TensorCore
import TestSupport
import Testing
import Training

@Suite("Weights of classes") struct ClassOptionsTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  /// 90 samples of class a and 10 of class b, which one feature tells apart.
  private func configuration(_ overrides: [String] = []) throws -> TrainingConfiguration {
    let rows = (0..<100).map { $0 < 90 ? "\($0 % 9),a\n" : "\($0 - 80),b\n" }
    try directory.write(Array(rows.joined().utf8), to: "data.csv")
    return try TrainingConfiguration(
      overrides: [
        "data.kind=csv", "data.path=\(directory.path("data.csv"))", "model.hidden=[4]",
        "training.globalBatch=30", "training.epochs=2", "data.validation=0",
      ] + overrides)
  }

  private static func losses(
    _ configuration: TrainingConfiguration, _ communicator: any Communicator
  ) throws -> [Double] {
    var losses: [Double] = []
    _ = try Trainer(configuration, communicator).train(
      store: nil,
      onEvent: { event in
        if case .step(let report) = event { losses.append(report.loss) }
      })
    return losses
  }

  @Test("the first loss is the sum of weighted losses over the number of samples")
  func firstLoss() throws {
    // A batch of all samples: the loss of the initial weights.
    func first(_ overrides: [String]) throws -> Double {
      let options = ["training.globalBatch=100", "training.steps=1"] + overrides
      return try Self.losses(configuration(options), SingleProcess())[0]
    }
    let (a, b) = (
      try first(["training.classWeights=[1,0]"]), try first(["training.classWeights=[0,1]"])
    )
    let close = { (x: Double, y: Double) in abs(x - y) < 1e-5 * abs(y) }
    #expect(try close(first([]), a + b))
    #expect(try close(first(["training.classWeights=[0.5,3]"]), 0.5 * a + 3 * b))
    // 100 / (2 x 90) and 100 / (2 x 10)
    #expect(try close(first(["training.classBalance=loss"]), a / 1.8 + b * 5))
    let smoothed = try first(["training.labelSmoothing=0.2"])
    let task = try TrainingTask(configuration(["training.globalBatch=100"]), SingleProcess())
    var batches = SequentialBatches(task.data.train, batchSize: 100)
    let batch = try #require(try batches.next())
    let x = batch.withInputs { Tensor.of(Array($0), shape: [100, 1]) }
    let labels = batch.withLabels { Tensor(Array($0)) }
    #expect(close(smoothed, crossEntropy(task.model(x), labels, labelSmoothing: 0.2).item()))
  }

  @Test(
    "ranks together train as one",
    arguments: [
      "training.classBalance=loss", "training.classBalance=sampling", "training.labelSmoothing=0.1",
    ])
  func ranks(_ option: String) throws {
    let one = try Self.losses(configuration([option]), SingleProcess())
    let configuration = try configuration([option])
    let three = try withRanks(3) { try Self.losses(configuration, $0) }[0]
    #expect(one.count == 8 && zip(one, three).allSatisfy { abs($0 - $1) < 1e-5 * $0 })
    #expect(try Self.losses(self.configuration(), SingleProcess()) != one)
  }

  @Test("balanced sampling draws all classes equally often, others in each epoch")
  func sampling() {
    let labels = [Int32](repeating: 0, count: 900) + [Int32](repeating: 1, count: 100)
    let sampler = GlobalBatchSampler(balancing: labels, globalBatch: 64, seed: 3)
    let order = sampler.order(epoch: 0)
    let rare = order.count { $0 >= 900 }
    #expect(order.count == 1_000 && (430...570).contains(rare))
    #expect(Set(order).count > 400 && order != sampler.order(epoch: 1))
    #expect(order == GlobalBatchSampler(balancing: labels, globalBatch: 7, seed: 3).order(epoch: 0))
  }

  @Test("what does not fit the data is an error with the setting and the remedy")
  func refused() throws {
    func message(_ overrides: [String]) -> String {
      do {
        _ = try TrainingTask(configuration(overrides), SingleProcess())
        return "none"
      } catch {
        return "\(error)"
      }
    }
    #expect(
      message(["training.classWeights=[1,2,3]"]).contains(
        "'training.classWeights' has 3 weights, but there are 2 classes"))
    #expect(message(["training.classWeights=[0,0]"]).contains("are all 0"))
    #expect(
      message(["training.classWeights=[1,2]", "training.classBalance=loss"]).contains(
        "set one of them"))
    #expect(
      message(["training.loss=binaryCrossEntropyWithLogits", "training.labelSmoothing=0.1"])
        .contains("needs the loss crossEntropy"))
  }

  @Test("a class without a sample in a part of the data is a warning")
  func missingClass() throws {
    let task = try TrainingTask(
      configuration(["data.validation=5", "data.split=last"]), SingleProcess())
    let summary = TaskSummary(task)
    #expect(summary.warnings == ["no validation sample has the class a"])
    #expect(summary.targets == "2 classes: a (90), b (5)" && summary.inputs == "1 feature")
  }

  @Test("predictions of values come in their own unit, also after a checkpoint")
  func regression() throws {
    let rows = (0..<200).map { "\($0),\(50_000 + 300 * $0)\n" }
    try directory.write(Array(rows.joined().utf8), to: "prices.csv")
    try directory.write(Array("10\n150\n".utf8), to: "new.csv")
    let configuration = try TrainingConfiguration(
      overrides: [
        "data.kind=csv", "data.path=\(directory.path("prices.csv"))", "model.hidden=[16]",
        "training.epochs=60", "training.globalBatch=20",
      ])
    let trainer = try Trainer(configuration, SingleProcess())
    let run = try Run(configuration, trainer, directory: directory.path("run"), resume: .never)
    _ = try trainer.train(store: run.store)
    let checkpoint = try Run.findCheckpoint(at: directory.path("run"))
    let predictor = try Predictor(checkpoint)
    let predictions = try predictor.predictions(for: directory.path("new.csv"))
    for (prediction, expected) in zip(predictions, [53_000, 95_000] as [Float]) {
      guard case .values(let values) = prediction else {
        Issue.record("values are expected")
        continue
      }
      #expect(abs(values[0] - expected) < 2_000)
    }
    let task = try TrainingTask(
      checkpoint.configuration(), SingleProcess(), loadsInitialWeights: false,
      preparation: checkpoint.signature().preparation)
    try loadWeights(of: task.model, from: checkpoint.weights())
    let metrics = try task.evaluate(batchSize: 20, SingleProcess())
    #expect(metrics.loss < 0.01 && metrics.sampleCount == 20)
  }
}
