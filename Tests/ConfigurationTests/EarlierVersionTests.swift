import Settings
import Base
import Checkpointing
import Collectives
import Configuration
import DataLoading
import Foundation
import TestSupport
import Testing
import Training

/// A run that version 0.1 stopped, and what it then computed: stored under `Goldens/version-0.1`.
struct EarlierRun: Sendable, CustomTestStringConvertible {
  let name: String
  /// The file of its data.
  let data: String?
  /// The options of the command.
  let overrides: [String]
  let step: Int
  /// The test loss of the checkpoint.
  let loss: Double
  /// The test loss at the end of the resumed run.
  let finalLoss: Double

  var testDescription: String { name }

  static let all = [
    EarlierRun(
      name: "digits", data: nil,
      overrides: [
        "model.hidden=[4]", "training.epochs=2", "optimizer.nesterov=true",
        "training.globalBatch=200",
      ], step: 10, loss: 2.3151862634589744, finalLoss: 2.246796069371003),
    EarlierRun(
      name: "text", data: "squares.txt",
      overrides: [
        "model.kind=gpt", "data.kind=text", "model.blocks=1", "model.heads=2", "model.width=8",
        "data.blockSize=16", "training.globalBatch=8", "optimizer.kind=adamw", "training.steps=12",
        "training.evaluateEverySteps=6",
      ], step: 8, loss: 2.3991073767344155, finalLoss: 2.0771570205688477),
    EarlierRun(
      name: "csv", data: "samples.csv",
      overrides: [
        "data.kind=csv", "data.testCount=8", "data.normalize=none", "model.hidden=[3]",
        "training.epochs=4",
        "training.globalBatch=8", "distributed.fixedSlices=2",
      ], step: 9, loss: 0.7106503844261169, finalLoss: 0.6783502101898193),
  ]

  /// Calls `body` with a copy of the run's directory and the option for its data.
  func withCopy(_ body: (_ directory: String, _ dataPath: [String]) throws -> Void) throws {
    let goldens = try #require(Bundle.module.url(forResource: "Goldens", withExtension: nil))
      .appending(path: "version-0.1")
    try withTemporaryDirectory { directory in
      let copy = directory + "/" + name
      try FileManager.default.copyItem(
        atPath: goldens.appending(path: name).path, toPath: copy)
      try body(copy, data.map { ["data.path=\(goldens.appending(path: $0).path)"] } ?? [])
    }
  }
}

@Suite("Runs of version 0.1") struct EarlierVersionTests {
  private func isClose(_ loss: Double?, _ expected: Double) -> Bool {
    loss.map { abs($0 - expected) < 1e-5 * expected } ?? false
  }

  @Test("their config.yaml and config.json are the configurations of their commands")
  func configurations() throws {
    for run in EarlierRun.all {
      try run.withCopy { directory, dataPath in
        let expected = try TrainingConfiguration(overrides: run.overrides + dataPath)
        var warnings: [String] = []
        let file = try TrainingConfiguration(
          path: directory + "/config.yaml", overrides: dataPath, onWarning: { warnings.append($0) })
        #expect(file.differences(from: expected).map(\.key.path) == [])
        #expect(warnings.isEmpty)
        let checkpoint = try Run.findCheckpoint(at: directory)
        #expect(try checkpoint.configuration().applying(dataPath) == expected)
      }
    }
  }

  @Test("their data options can be replaced by those of another kind")
  func otherData() throws {
    let run = EarlierRun.all[0]
    try run.withCopy { directory, _ in
      let configuration = try TrainingConfiguration(
        path: directory + "/config.yaml", overrides: ["data.kind=csv", "data.path=a.csv"])
      #expect(configuration["data.validation"] == .null)
      // A file that a person has written lists no key in vain.
      #expect(throws: ConfigurationError.self) {
        _ = try read("data:\n  kind: digits\n  blockSize: 64\n")
      }
    }
  }

  @Test("they evaluate as they did", arguments: EarlierRun.all)
  func evaluation(_ run: EarlierRun) throws {
    try run.withCopy { directory, dataPath in
      let checkpoint = try Run.findCheckpoint(at: directory)
      #expect(checkpoint.step == run.step)
      let configuration = try checkpoint.configuration().applying(dataPath)
      let task = try TrainingTask(configuration, SingleProcess(), loadsInitialWeights: false)
      try loadWeights(of: task.model, from: checkpoint.weights())
      let metrics = try task.evaluate(
        batchSize: configuration.group(Trainer.Options.self).globalBatch, SingleProcess())
      #expect(isClose(metrics.loss, run.loss))
    }
  }

  @Test(
    "they resume, from the command or from config.yaml, to the end that they had",
    arguments: EarlierRun.all, [true, false])
  func resume(_ run: EarlierRun, usesFile: Bool) throws {
    try run.withCopy { directory, dataPath in
      let configuration = try TrainingConfiguration(
        path: usesFile ? directory + "/config.yaml" : nil,
        overrides: (usesFile ? [] : run.overrides) + dataPath)
      let trainer = try Trainer(configuration, SingleProcess())
      let resumed = try Run(configuration, trainer, directory: directory, resume: .automatic)
      #expect(resumed.checkpoint?.step == run.step)
      try trainer.restore(from: resumed.checkpoint)
      let recorder = try RunRecorder(
        resumed, continuingAfter: trainer.step, everySteps: 1, environment: JSONObject())
      _ = try trainer.train(store: resumed.store, onEvent: { try recorder.record($0) })
      try resumed.close(.done)
      let records = try MetricsLog.records(at: directory + "/metrics.jsonl")
      #expect(isClose(records.last { $0.kind == .evaluation }?["loss"], run.finalLoss))
      #expect(records.filter { $0.kind == .step }.map(\.step) == Array(1...trainer.totalSteps))
      // What it has written since is as new runs write it.
      let file = try String(contentsOfFile: directory + "/config.yaml", encoding: .utf8)
      #expect(file.contains("fixedSlices: ") && !file.contains("shards"))
    }
  }

  @Test("they do not resume with another configuration")
  func refused() throws {
    try EarlierRun.all[0].withCopy { directory, _ in
      let other = try TrainingConfiguration(
        path: directory + "/config.yaml", overrides: ["training.seed=2", "training.epochs=3"])
      let error = #expect(throws: ConfigurationError.self) {
        try Run(
          other, Trainer(other, SingleProcess()), directory: directory, resume: .automatic)
      }
      #expect(error?.description.contains("training.seed: 1 in the checkpoint, 2 now") == true)
      #expect(error?.description.contains("epochs") == false)
    }
  }
}
