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

/// What one rank's run came to.
private struct Course: Sendable, Equatable {
  var losses: [Double] = []
  /// The steps after which there was a report of an epoch, and those of them with an evaluation.
  var reports: [Int] = []
  var evaluations: [Int] = []
  var skipped: [Int] = []
  var weights: [[UInt32]] = []
  var warnings: [String] = []
  var outcome = Trainer.Outcome.finished
  var step = 0
}

private func configuration(
  _ change: (inout TrainingConfiguration) -> Void = { _ in }
) -> TrainingConfiguration {
  var configuration = TrainingConfiguration()
  configuration["model.hidden"] = [24, 16]
  configuration["model.dropout"] = 0.2
  configuration["training.globalBatch"] = 200
  configuration["training.steps"] = 22
  configuration["optimizer.kind"] = "adamw"
  configuration["distributed.localSteps"] = 4
  change(&configuration)
  return configuration
}

/// Trains on one rank, from a checkpoint in `store` if it has one.
private func train(
  _ configuration: TrainingConfiguration, _ communicator: any Communicator,
  store: CheckpointStore? = nil, maximumSteps: Int? = nil,
  isStopRequested: @escaping (Int) -> Bool = { _ in false },
  isSaveRequested: @escaping (Int) -> Bool = { _ in false }
) throws -> Course {
  let trainer = try Trainer(configuration, communicator)
  let checkpoint = try communicator.isRoot ? store?.newestUsable()?.checkpoint : nil
  if communicator.broadcast(checkpoint != nil) { try trainer.restore(from: checkpoint) }
  var course = Course()
  course.warnings = trainer.resumeWarnings
  course.outcome = try trainer.train(
    store: store, maximumSteps: maximumSteps, isStopRequested: { isStopRequested(trainer.step) },
    isSaveRequested: { isSaveRequested(trainer.step) },
    onEvent: { event in
      switch event {
      case .step(let report): course.losses.append(report.loss)
      case .epoch(let report):
        course.reports.append(report.step)
        if report.validation != nil { course.evaluations.append(report.step) }
      case .skipped(let step, _): course.skipped.append(step)
      default: break
      }
    })
  course.step = trainer.step
  course.weights = trainer.model.stateDictionary().map {
    $0.value.array(of: Float.self).map(\.bitPattern)
  }
  return course
}

@Suite("Local steps in a training") struct LocalStepsTests {
  @Test("a run that is stopped and resumed has the bits of one that is not", arguments: [1, 2])
  func resume(ranksPerNode: Int) throws {
    let ranks = 2 * ranksPerNode
    let straight = try withRanks(ranks, ranksPerNode: ranksPerNode) {
      try train(configuration(), $0)
    }
    #expect(straight.allSatisfy { $0.weights == straight[0].weights && $0.step == 22 })
    // A limit between outer steps ends the run at the next one.
    for (limit, stop) in [(4, 4), (5, 8), (12, 12), (18, 20), (21, 22)] {
      try withTemporaryDirectory { directory in
        let store = CheckpointStore(directory: directory, keep: 2)
        try store.prepare()
        let first = try withRanks(ranks, ranksPerNode: ranksPerNode) {
          try train(configuration(), $0, store: store, maximumSteps: limit)
        }
        #expect(first[0].step == stop)
        let second = try withRanks(ranks, ranksPerNode: ranksPerNode) {
          try train(configuration(), $0, store: store)
        }
        #expect(first[0].losses + second[0].losses == straight[0].losses)
        for result in second { #expect(result.weights == straight[0].weights, "\(limit)") }
        #expect(second[0].warnings == [])
      }
    }
  }

  @Test("a run that resumes on other nodes begins with the average of their states, and says so")
  func otherNodes() throws {
    let straight = try withRanks(2, ranksPerNode: 1) { try train(configuration(), $0) }
    for nodes in [1, 3] {
      try withTemporaryDirectory { directory in
        let store = CheckpointStore(directory: directory, keep: 2)
        try store.prepare()
        _ = try withRanks(2, ranksPerNode: 1) {
          try train(configuration(), $0, store: store, maximumSteps: 8)
        }
        let rest = try withRanks(nodes, ranksPerNode: 1) {
          try train(configuration(), $0, store: store)
        }
        #expect(rest[0].warnings.count == 1 && rest[0].warnings[0].contains("2 nodes"))
        #expect(rest.allSatisfy { $0.weights == rest[0].weights && $0.step == 22 })
        #expect(rest[0].losses.count == 14)
        // About as good.
        #expect(abs(rest[0].losses.last! / straight[0].losses.last! - 1) < 0.3)
      }
    }
  }

  @Test("a request to stop or to save waits for the next outer step")
  func requests() throws {
    try withTemporaryDirectory { directory in
      let store = CheckpointStore(directory: directory, keep: 0)
      try store.prepare()
      let courses = try withRanks(3, ranksPerNode: 1) { communicator in
        let rank = communicator.rank
        return try train(
          configuration { $0["checkpoint.everySteps"] = 1000 }, communicator, store: store,
          isStopRequested: { rank == 1 && $0 == 9 }, isSaveRequested: { rank == 2 && $0 == 4 })
      }
      for course in courses { #expect(course.outcome == .stopped && course.step == 12) }
      #expect(try store.steps() == [8, 12])
    }
  }

  @Test("evaluations and checkpoints are those of the outer steps that follow")
  func evaluations() throws {
    try withTemporaryDirectory { directory in
      let store = CheckpointStore(directory: directory, keep: 0)
      try store.prepare()
      let courses = try withRanks(2, ranksPerNode: 1) {
        try train(
          configuration {
            $0["training.evaluateEverySteps"] = 5
            $0["checkpoint.everySteps"] = 7
          }, $0, store: store)
      }
      #expect(
        courses[0].reports == [8, 12, 16, 20, 22] && courses[0].evaluations == courses[0].reports)
      #expect(try store.steps() == [8, 16, 22])
    }
    // Epochs of 8 steps, every second of which is evaluated.
    let courses = try withRanks(2, ranksPerNode: 1) {
      try train(
        configuration {
          $0["distributed.localSteps"] = 6
          $0["training.evaluateEveryEpochs"] = 2
        }, $0)
    }
    #expect(courses[0].reports == [12, 18, 22] && courses[0].evaluations == [18, 22])
  }

  @Test("a step that is left out may be the one of an outer step")
  func leftOut() throws {
    try withTemporaryDirectory { directory in
      let rows = (0..<40).map { "\($0 % 7),\($0 % 5),\($0 == 5 ? "1e30" : "\($0 % 3).5")\n" }
      let path = directory + "/data.csv"
      try Data(rows.joined().utf8).write(to: URL(fileURLWithPath: path))
      let store = CheckpointStore(directory: directory + "/checkpoints", keep: 0)
      try store.prepare()
      let courses = try withRanks(2, ranksPerNode: 1) {
        try train(
          configuration {
            $0["data.kind"] = "csv"
            $0["data.path"] = .text(path)
            $0["data.validation"] = 0
            $0["data.target"] = "values"
            $0["data.standardizeTargets"] = false
            $0["training.globalBatch"] = 8
            $0["training.onNonFinite"] = "skip"
            $0["training.steps"] = 30
            $0["distributed.localSteps"] = 2
            $0["checkpoint.everySteps"] = 2
          }, $0, store: store)
      }
      try #require(courses[0].skipped.contains { $0 % 2 == 0 })
      #expect(courses[0].skipped.count == 6 && courses[0].step == 30)
      #expect(courses[1].weights == courses[0].weights)
      #expect(try store.steps() == Array(stride(from: 2, through: 30, by: 2)))
    }
  }
}
