import Checkpointing
import Collectives
import Configuration
import DataLoading
import Foundation
import Settings
import NeuralNetworks
import TensorCore
import TestSupport
import Testing
import Training

/// Says what comes next from one character alone: a row of logits for each.
private struct Bigram: Layer {
  let weight: Parameter

  init(_ vocabularySize: Int) { weight = Parameter(.zeros([vocabularySize, vocabularySize])) }

  func callAsFunction(_ x: Tensor) -> Tensor {
    x.oneHot(weight.shape[0], .float32).matmul(weight)
  }
}

/// What rank zero reported, and the weights of one rank.
private struct Result: Sendable, Equatable {
  var losses: [Double] = []
  var lines: [Line] = []
  var weights: [UInt32] = []
  var description = ""

  struct Line: Sendable, Equatable {
    var step: Int
    var epoch: Int
    var loss: Double
    var samples: Double
    var test: Double?
    var testSamples: Double?
  }
}

private func train(
  _ configuration: TrainingConfiguration, _ communicator: any Communicator,
  store: CheckpointStore? = nil, maximumSteps: Int? = nil
) throws -> Result {
  let task = try TrainingTask(configuration, communicator) { Bigram($0.outputs) }
  let trainer = try Trainer(configuration, task, communicator)
  let checkpoint = try communicator.isRoot ? store?.newestUsable()?.checkpoint : nil
  if communicator.broadcast(checkpoint != nil) { try trainer.restore(from: checkpoint) }
  var result = Result()
  _ = try trainer.train(
    store: store, maximumSteps: maximumSteps,
    onEvent: { event in
      switch event {
      case .step(let report): result.losses.append(report.loss)
      case .epoch(let report):
        result.lines.append(
          .init(
            step: report.step, epoch: report.epoch, loss: report.metrics.loss,
            samples: report.metrics.sampleCount, test: report.validation?.loss,
            testSamples: report.validation?.sampleCount))
      case .started(let run):
        result.description =
          "\(run.trainingSamples) \(run.validationSamples) \(run.epochs) \(run.stepsPerEpoch) \(run.totalSteps) \(run.countsTokens)"
      default: break
      }
    })
  result.weights = trainer.model.stateDictionary()[0].value.array(of: Float.self).map(\.bitPattern)
  return result
}

/// Trains on a text of a thousand characters in which each follows from the one before.
private func withText<R>(
  _ text: String = String(repeating: "abcdefghij", count: 100),
  _ body: (TrainingConfiguration) throws -> R
) throws -> R {
  try withTemporaryDirectory { directory in
    try text.write(toFile: directory + "/input.txt", atomically: true, encoding: .utf8)
    var configuration = TrainingConfiguration()
    configuration["data.kind"] = "text"
    configuration["data.path"] = .text(directory + "/input.txt")
    configuration["data.blockSize"] = 8
    configuration["training.globalBatch"] = 6
    configuration["training.steps"] = 25
    configuration["training.evaluateEverySteps"] = 10
    configuration["optimizer.learningRate"] = 5
    return try body(configuration)
  }
}

@Suite("Training on text")
struct TextTrainingTests {
  @Test("the steps, lines and evaluations are those of the configuration, counted in tokens")
  func lines() throws {
    try withText { configuration in
      let result = try train(configuration, SingleProcess())
      #expect(result.losses.count == 25)
      #expect(abs(result.losses[0] - log(10)) < 1e-6)  // per token, without knowing anything
      // 900 tokens make 112 blocks and 19 batches of 6; the other 100 make 12 blocks.
      #expect(result.description == "900 100 2 19 25 true")
      #expect(result.lines.map(\.step) == [10, 20, 25])
      #expect(result.lines.map(\.epoch) == [1, 2, 2])
      #expect(result.lines.map(\.samples) == [480, 480, 240])
      #expect(result.lines.map(\.testSamples) == [96, 96, 96])
      let mean = result.losses[10..<20].reduce(0, +) / 10
      #expect(abs(result.lines[1].loss - mean) < 1e-9)
      #expect(result.lines[2].test! < 0.05)
    }
  }

  @Test("k ranks are one rank, also in their evaluations", arguments: [2, 3, 4])
  func rankCounts(_ ranks: Int) throws {
    try withText { configuration in
      let one = try train(configuration, SingleProcess())
      let results = try withRanks(ranks) { try train(configuration, $0) }
      #expect(results[0].losses.count == 25)
      for (loss, other) in zip(one.losses, results[0].losses) {
        #expect(abs(loss - other) <= 1e-5 * loss)
      }
      for (line, other) in zip(one.lines, results[0].lines) {
        #expect(abs(line.test! - other.test!) <= 1e-5 * line.test!)
        #expect(line.testSamples == other.testSamples && line.samples == other.samples)
      }
      for result in results { #expect(result.weights == results[0].weights) }
    }
  }

  @Test("a run stopped after any step resumes to the same bits")
  func resumes() throws {
    try withText { configuration in
      let straight = try train(configuration, SingleProcess())
      for stop in [1, 9, 10, 11, 18, 19, 20, 24] {
        try withTemporaryDirectory { directory in
          let store = CheckpointStore(directory: directory, keep: 1)
          try store.prepare()
          let first = try train(configuration, SingleProcess(), store: store, maximumSteps: stop)
          let second = try train(configuration, SingleProcess(), store: store)
          #expect(first.losses + second.losses == straight.losses)
          #expect(first.lines + second.lines == straight.lines)
          #expect(second.weights == straight.weights)
        }
      }
    }
  }

  @Test("all evaluations but the last may be limited to batches spread evenly")
  func evaluationBatches() throws {
    try withText { configuration in
      var configuration = configuration
      configuration["training.evaluationBatches"] = 1
      let result = try train(configuration, SingleProcess())
      #expect(result.lines.map(\.testSamples) == [48, 48, 96])
    }
  }

  @Test("without a number of steps the run has whole epochs, and a line for each")
  func epochs() throws {
    try withText { configuration in
      var configuration = configuration
      configuration["training.steps"] = .null
      configuration["training.evaluateEverySteps"] = .null
      configuration["training.epochs"] = 2
      let result = try train(configuration, SingleProcess())
      #expect(result.lines.map(\.step) == [19, 38])
      #expect(result.lines.map(\.testSamples) == [96, 96])
    }
  }

  @Test("a number of steps may end a run on samples in the middle of an epoch")
  func stepsOnSamples() throws {
    var configuration = TrainingConfiguration()
    configuration["training.steps"] = 30  // of 23 an epoch
    let trainer = try Trainer(configuration, SingleProcess())
    var lines: [(step: Int, isTested: Bool)] = []
    let outcome = try trainer.train(
      store: nil,
      onEvent: { event in
        if case .epoch(let report) = event { lines.append((report.step, report.validation != nil)) }
      })
    #expect(outcome == .finished && trainer.totalSteps == 30)
    #expect(lines.map(\.step) == [23, 30] && lines.allSatisfy(\.isTested))
  }

  @Test("a checkpoint knows the characters of its text")
  func characters() throws {
    try withText("naïve\r\n" + String(repeating: "text 🙂 ", count: 100)) { configuration in
      try withTemporaryDirectory { directory in
        let store = CheckpointStore(directory: directory, keep: 1)
        try store.prepare()
        _ = try train(configuration, SingleProcess(), store: store, maximumSteps: 1)
        let codec = CharacterCodec(characters: "\n\r aentvxï🙂".unicodeScalars)
        #expect(
          try store.newestUsable()?.checkpoint.signature().preparation.tokenizer
            == .characters(codec))
      }
    }
    try withTemporaryDirectory { directory in
      let store = CheckpointStore(directory: directory, keep: 1)
      try store.prepare()
      let trainer = try Trainer(TrainingConfiguration(), SingleProcess())
      _ = try trainer.train(store: store, maximumSteps: 1)
      #expect(try store.newestUsable()?.checkpoint.signature().preparation.tokenizer == nil)
    }
  }

  @Test(
    "losses that are not for text are refused",
    arguments: [
      "meanSquaredError", "binaryCrossEntropyWithLogits",
    ])
  func losses(_ loss: String) throws {
    try withText { configuration in
      var configuration = configuration
      configuration["training.loss"] = .text(loss)
      let error = #expect(throws: CollectiveFailure.self) {
        _ = try train(configuration, SingleProcess())
      }
      #expect(error?.message.contains("the data is text: use crossEntropy") == true)
    }
  }

  private static let shakespeare = URL(filePath: #filePath)
    .appending(path: "../../../../shared/data/tinyshakespeare/input.txt").standardized.path

  @Test(
    "pairs of characters explain Shakespeare to 2.5 nats a character",
    .enabled(
      if: FileManager.default.fileExists(atPath: shakespeare), "the data is not beside the package")
  )
  func bigramsOfShakespeare() throws {
    var configuration = TrainingConfiguration()
    configuration["data.kind"] = "text"
    configuration["data.path"] = .text(Self.shakespeare)
    configuration["training.globalBatch"] = 12
    configuration["training.steps"] = 1_500
    configuration["training.evaluateEverySteps"] = 1_500
    configuration["optimizer.learningRate"] = 2
    let result = try train(configuration, SingleProcess())
    // The entropy of the pairs in the whole text is 2.45.
    let loss = try #require(result.lines.last?.test)
    #expect(loss > 2.4 && loss < 2.55)
    #expect(result.lines.last?.testSamples == 111_488)
  }
}
