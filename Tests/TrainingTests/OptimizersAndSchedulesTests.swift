import Base
import Checkpointing
import Collectives
import Configuration
import DataParallel
import Foundation
import NeuralNetworks
import Optimizers
import Settings
import TensorCore
import TestSupport
import Testing
import Training

/// Every optimizer and schedule by name: a run resumes as if it had not been stopped.
@Suite struct OptimizersAndSchedulesTests {
  private static func configuration(
    _ changes: [String: SettingValue]
  ) -> TrainingConfiguration {
    var configuration = TrainingConfiguration()
    configuration["model.hidden"] = [24, 16]
    configuration["model.dropout"] = 0.2
    configuration["training.epochs"] = 2
    configuration["training.globalBatch"] = 200  // eight steps an epoch, the last one short
    for (key, value) in changes { configuration[key] = value }
    return configuration
  }

  private struct Course: Sendable {
    var losses: [Double] = []
    var rates: [Double] = []
    var weights: [Float] = []
    var stepCounts: [Int] = []
  }

  private func train(
    _ configuration: TrainingConfiguration, _ communicator: any Communicator,
    store: CheckpointStore? = nil, maximumSteps: Int? = nil
  ) throws -> Course {
    var course = Course()
    let trainer = try Trainer(configuration, communicator)
    let checkpoint = try communicator.isRoot ? store?.newestUsable()?.checkpoint : nil
    if communicator.broadcast(checkpoint != nil) { try trainer.restore(from: checkpoint) }
    _ = try trainer.train(
      store: store, maximumSteps: maximumSteps,
      onEvent: { event in
        guard case .step(let report) = event else { return }
        course.losses.append(report.loss)
        course.rates.append(report.learningRate)
      })
    course.weights = trainer.model.stateDictionary().flatMap { $0.value.array(of: Float.self) }
    course.stepCounts = trainer.parallel.optimizer.stateCounters
    return course
  }

  /// Trains at once, and in two parts; returns the course at once.
  private func compareResumed(
    _ configuration: TrainingConfiguration, ranks: Int, stop: Int
  ) throws -> Course {
    let straight = try withRanks(ranks) { try train(configuration, $0) }[0]
    try withTemporaryDirectory { directory in
      let store = CheckpointStore(directory: directory, keep: 1)
      try store.prepare()
      let first = try withRanks(ranks) {
        try train(configuration, $0, store: store, maximumSteps: stop)
      }[0]
      let second = try withRanks(ranks) { try train(configuration, $0, store: store) }[0]
      #expect(first.losses + second.losses == straight.losses)
      #expect(first.rates + second.rates == straight.rates)
      #expect(second.weights == straight.weights)
      #expect(second.stepCounts == straight.stepCounts)
    }
    return straight
  }

  @Test(
    "a run of every optimizer by name learns, and has the same bits when it is resumed",
    arguments: OptimizerKind.all.names, [1, 2])
  func resume(_ name: String, _ ranks: Int) throws {
    let rates = [
      "sgd": 0.5, "adamw": 0.02, "adam": 0.02, "rmsprop": 0.003, "adagrad": 0.03, "lion": 0.005,
      "lars": 0.5, "lamb": 0.1,
    ]
    var changes: [String: SettingValue] = [
      "optimizer.kind": .text(name), "optimizer.learningRate": .number(try #require(rates[name])),
      "optimizer.weightDecay": 0.01,
    ]
    if name == "adam" { changes["optimizer.amsgrad"] = true }
    if name == "lars" { changes["optimizer.trustCoefficient"] = 0.05 }
    if name == "rmsprop" {
      changes["optimizer.centered"] = true
      changes["optimizer.momentum"] = 0.5
    }
    let course = try compareResumed(
      OptimizersAndSchedulesTests.configuration(changes), ranks: ranks, stop: 5)
    #expect(course.losses.count == 16)
    let first: Double = course.losses.prefix(4).reduce(0, +)
    let last: Double = course.losses.suffix(4).reduce(0, +)
    #expect(last < 0.9 * first)
  }

  @Test(
    "a run of every schedule by name has the same rates when it is resumed",
    arguments: ScheduleKind.all.names)
  func schedules(_ name: String) throws {
    let options: [String: [String: SettingValue]] = [
      "step": ["stepSize": 3], "multistep": ["milestones": [4, 9]], "exponential": ["gamma": 0.9],
      "cosine-restarts": ["period": 4, "periodFactor": 2],
      "cyclic": ["period": 6, "cycle": "triangular2"], "onecycle": ["anneal": "linear"],
      "plateau": ["patience": 0, "factor": 0.5, "threshold": 0.9],
    ]
    var changes: [String: SettingValue] = [
      "schedule.kind": .text(name), "schedule.warmupSteps": 2,
    ]
    if name == "plateau" { changes["training.evaluateEverySteps"] = 3 }
    for (key, value) in options[name] ?? [:] { changes["schedule.\(key)"] = value }
    let course = try compareResumed(
      OptimizersAndSchedulesTests.configuration(changes), ranks: 2, stop: 7)
    #expect(Array(course.rates[..<2]) == [0.025, 0.05])
    if name == "plateau" {
      // The first evaluation is the best; those after it are no improvement by nine tenths.
      #expect([5, 6, 9].map { course.rates[$0] } == [0.05, 0.025, 0.0125])
    }
  }

  @Test("the schedule plateau needs evaluations")
  func plateauWithoutEvaluations() {
    let configuration = OptimizersAndSchedulesTests.configuration([
      "schedule.kind": "plateau", "training.evaluateEveryEpochs": .null,
    ])
    let error = #expect(throws: (any Error).self) {
      _ = try Trainer(configuration, SingleProcess())
    }
    #expect("\(error as Any)".contains("needs evaluations"))
  }

  @Test("weight decays by name reach the optimizer, and names that fit nothing are explained")
  func weightDecays() throws {
    func weights(_ decays: [String]) throws -> [Float] {
      let configuration = OptimizersAndSchedulesTests.configuration([
        "optimizer.weightDecay": 0.1, "optimizer.weightDecays": .texts(decays),
      ])
      return try train(configuration, SingleProcess(), maximumSteps: 3).weights
    }
    let plain = try weights([])
    #expect(try weights(["*.weight 0", "* 1"]) != plain)
    #expect(try weights(["* 1"]) == plain)
    let error = #expect(throws: (any Error).self) { try weights(["haed 0"]) }
    #expect("\(error as Any)".contains("optimizer.weightDecays"))
  }
}
