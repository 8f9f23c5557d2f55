import Base
import Checkpointing
import Collectives
import Configuration
import Foundation
import NeuralNetworks
import Optimizers
import DataParallel
import Settings
import TensorCore
import TestSupport
import Testing
import Training

/// What a training reported on rank zero, and where it ended.
private struct Course: Sendable, Equatable {
  /// The reports of steps: their number, the steps left out so far, and the returns so far.
  var steps: [[Int]] = []
  /// The returns: the checkpoint's step, the first and the last step left out.
  var returns: [[Int]] = []
  var warnings: [String] = []
  var weights: [[UInt32]] = []
  var outcome = Trainer.Outcome.finished
}

/// A training that is ended by its own report, as by a kill.
private struct Killed: Error {}

/// Trains on one rank, from the newest checkpoint in `store` if it has one.
private func train(
  _ configuration: TrainingConfiguration, _ communicator: any Communicator,
  _ store: CheckpointStore?, maximumSteps: Int? = nil,
  onEvent: (Trainer, TrainingEvent) throws -> Void = { _, _ in },
  beforeStep: (Trainer) -> Void = { _ in }
) throws -> Course {
  let trainer = try Trainer(configuration, communicator)
  let checkpoint = try communicator.isRoot ? store?.newestUsable()?.checkpoint : nil
  if communicator.broadcast(checkpoint != nil) { try trainer.restore(from: checkpoint) }
  var course = Course()
  course.outcome = try trainer.train(
    store: store, maximumSteps: maximumSteps,
    isStopRequested: {
      beforeStep(trainer)
      return false
    },
    onEvent: { event in
      switch event {
      case .step(let report):
        course.steps.append([report.step, report.skippedSteps, report.rollbacks])
      case .rolledBack(let step, let leftOut, _):
        course.returns.append([step, leftOut.lowerBound, leftOut.upperBound])
      case .checkpointWarning(_, let reason): course.warnings.append(reason)
      default: break
      }
      try onEvent(trainer, event)
    })
  course.weights = trainer.model.stateDictionary().map {
    $0.value.array(of: Float.self).map(\.bitPattern)
  }
  return course
}

@Suite("Return to a checkpoint") struct RollbackTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  /// Twenty steps of eight samples, of which one in each epoch has an infinite loss; a checkpoint
  /// after every third.
  private func configuration(
    _ change: (inout TrainingConfiguration) -> Void = { _ in }
  ) throws -> TrainingConfiguration {
    let rows = (0..<40).map { "\($0 % 7),\($0 % 5),\($0 == 5 ? "1e30" : "\($0 % 3).5")\n" }
    try directory.write(Array(rows.joined().utf8), to: "data.csv")
    var configuration = TrainingConfiguration()
    configuration["data.kind"] = "csv"
    configuration["data.path"] = .text(directory.path("data.csv"))
    configuration["data.validation"] = 0
    configuration["data.target"] = "values"
    configuration["data.standardizeTargets"] = false
    configuration["model.hidden"] = [8]
    configuration["model.dropout"] = 0.1
    configuration["optimizer.kind"] = "adamw"
    configuration["optimizer.learningRate"] = 0.001
    configuration["training.globalBatch"] = 8
    configuration["training.epochs"] = 4
    configuration["training.onNonFinite"] = "rollback"
    configuration["checkpoint.everySteps"] = 3
    change(&configuration)
    return configuration
  }

  /// The same without a bad sample, and without the search for weights that change in memory.
  private func goodConfiguration() throws -> TrainingConfiguration {
    let configuration = try configuration { $0["distributed.auditEverySteps"] = .null }
    let rows = try directory.read("data.csv").replacingOccurrences(of: "1e30", with: "1.5")
    try directory.write(Array(rows.utf8), to: "data.csv")
    return configuration
  }

  private func store(_ name: String, _ fileSystem: FileSystem = FileSystem()) throws
    -> CheckpointStore
  {
    let store = CheckpointStore(directory: directory.path(name), keep: 0, fileSystem: fileSystem)
    try store.prepare()
    return store
  }

  /// The steps that fail, once in each epoch.
  private func failingSteps() throws -> [Int] {
    var steps: [Int] = []
    let configuration = try configuration { $0["training.onNonFinite"] = "skip" }
    _ = try train(configuration, SingleProcess(), nil) { _, event in
      if case .skipped(let step, _) = event { steps.append(step) }
    }
    #expect(steps.count == 4)
    return steps
  }

  @Test(
    "a bad batch is left out after a return to the checkpoint before it",
    arguments: [(1, 1), (2, 2), (2, 1)])
  func badBatch(_ ranks: Int, _ perNode: Int) throws {
    let failing = try failingSteps()
    let configuration = try configuration()
    let store = try store("checkpoints")
    let courses = try withRanks(ranks, ranksPerNode: perNode) {
      try train(configuration, $0, store)
    }
    let course = courses[0]
    #expect(course.outcome == .finished)
    // There is a checkpoint from the start.
    #expect(course.returns == failing.map { [($0 - 1) / 3 * 3, $0, $0] })
    #expect(try store.steps() == [0, 3, 6, 9, 12, 15, 18, 20])
    // The steps up to each failing one come twice.
    var expected: [[Int]] = []
    for (index, step) in failing.enumerated() {
      let start = index == 0 ? 0 : failing[index - 1]
      expected += (start + 1..<step).map { [$0, index, index] }
      expected += ((step - 1) / 3 * 3 + 1..<step).map { [$0, index, index + 1] }
      expected.append([step, index + 1, index + 1])
    }
    expected += (failing[3]..<20).map { [$0 + 1, 4, 4] }
    #expect(course.steps == expected)
    #expect(courses.allSatisfy { $0.weights == course.weights })
    // Without the batches the weights are those of a run that never made their updates.
    let skipping = try self.configuration { $0["training.onNonFinite"] = "skip" }
    let skipped = try withRanks(ranks, ranksPerNode: perNode) { try train(skipping, $0, nil) }
    #expect(course.weights == skipped[0].weights)
  }

  @Test("a run that is stopped after any step resumes to the same bits", arguments: [1, 2])
  func resume(_ ranks: Int) throws {
    let configuration = try configuration()
    let whole = try store("whole")
    let straight = try withRanks(ranks) { try train(configuration, $0, whole) }
    for stop in 1..<20 {
      let store = try store("stopped\(stop)")
      let first = try withRanks(ranks) {
        try train(configuration, $0, store, maximumSteps: stop)
      }
      #expect(first[0].outcome == .reachedMaximumSteps)
      let second = try withRanks(ranks) { try train(configuration, $0, store) }
      #expect(second[0].weights == straight[0].weights, "stopped after step \(stop)")
      #expect(second[0].steps.last == straight[0].steps.last)
      #expect(try state(store, 20) == state(whole, 20), "stopped after step \(stop)")
    }
  }

  @Test("a run that is killed resumes to the same bits, whatever it reported last")
  func kill() throws {
    let configuration = try configuration()
    let whole = try store("whole")
    var events = 0
    let straight = try train(configuration, SingleProcess(), whole) { _, _ in events += 1 }
    for last in stride(from: 1, through: events, by: 3) {
      let store = try store("killed\(last)")
      var event = 0
      #expect(throws: (any Error).self) {
        try train(configuration, SingleProcess(), store) { _, _ in
          event += 1
          if event >= last { throw Killed() }
        }
      }
      let rest = try train(configuration, SingleProcess(), store)
      #expect(rest.weights == straight.weights, "killed at event \(last)")
      #expect(try state(store, 20) == state(whole, 20), "killed at event \(last)")
    }
  }

  private func state(_ store: CheckpointStore, _ step: Int) throws -> String {
    try String(contentsOfFile: store.path(step: step) + "/state.json", encoding: .utf8)
  }

  @Test(
    "where the next step fails too, all steps since the checkpoint are left out",
    arguments: [1, 2])
  func divergence(_ ranks: Int) throws {
    let configuration = try goodConfiguration()
    // Twice the weights before step 8 are bad.
    let store = try store("checkpoints")
    let courses = try withRanks(ranks) { communicator in
      var count = 0
      return try train(
        configuration, communicator, store, maximumSteps: 14,
        beforeStep: { trainer in
          guard trainer.step == 7, count < 2 else { return }
          count += 1
          trainer.parallel.changeParameters {
            for index in 0..<trainer.parallel.arena.values.count {
              trainer.parallel.arena.values[index] = 1e25
            }
          }
        })
    }
    #expect(courses[0].returns == [[6, 8, 8], [6, 7, 9]])
    #expect(
      courses[0].steps.map { [$0[0], $0[1]] } == (1...7).map { [$0, 0] } + [[7, 0], [8, 1]]
        + [[7, 1], [8, 2], [9, 3]] + (10...14).map { [$0, 3] })
    #expect(courses.allSatisfy { $0.weights == courses[0].weights })
  }

  @Test("for weights that are not finite, the step whose update wrote them is left out")
  func weights() throws {
    let configuration = try goodConfiguration()
    var isChanged = false
    func spoil(_ trainer: Trainer) {
      isChanged = true
      trainer.parallel.changeParameters { trainer.parallel.arena.values[0] = .nan }
    }
    // Found in the next step.
    let found = try train(
      configuration, SingleProcess(), store("step"),
      beforeStep: { if $0.step == 5, !isChanged { spoil($0) } })
    #expect(found.returns == [[3, 5, 5]])
    // Found before they are saved.
    isChanged = false
    let saved = try train(configuration, SingleProcess(), store("checkpoint")) { trainer, event in
      if case .step(let report) = event, report.step == 6, !isChanged { spoil(trainer) }
    }
    #expect(saved.returns == [[3, 6, 6]])
    for course in [found, saved] {
      #expect(course.outcome == .finished)
      #expect(course.weights.joined().allSatisfy { Float(bitPattern: $0).isFinite })
    }
  }

  @Test("a run that makes no progress ends with the error, after ten returns")
  func limit() throws {
    let configuration = try configuration {
      $0["optimizer.kind"] = "sgd"
      $0["optimizer.learningRate"] = 1e20
      $0["checkpoint.everySteps"] = 20
    }
    var returns = 0
    let error = #expect(throws: NonFiniteLoss.self) {
      _ = try train(configuration, SingleProcess(), store("checkpoints")) { _, event in
        if case .rolledBack = event { returns += 1 }
      }
    }
    #expect(returns == 10)
    #expect(error?.rollbacks == 10)
    #expect(error?.exitStatus == .nonFiniteLoss)
    #expect(
      error?.description.hasSuffix("The run returned to a checkpoint 10 times before") == true)
  }

  @Test("without a store there is nothing to return to", arguments: [1, 2])
  func noStore(_ ranks: Int) throws {
    let configuration = try configuration()
    let error = #expect(throws: NonFiniteLoss.self) {
      _ = try withRanks(ranks) { try train(configuration, $0, nil) }
    }
    #expect(error?.rollbacks == 0)
  }

  @Test("a damaged newest checkpoint is set aside, and the one before it is used")
  func damaged() throws {
    let failing = try failingSteps()[2]
    let newest = (failing - 1) / 3 * 3
    let configuration = try configuration { $0["checkpoint.background"] = false }
    let store = try store("checkpoints")
    var isDamaged = false
    let course = try train(configuration, SingleProcess(), store) { _, event in
      guard case .checkpoint(let step, let path, _, _) = event, step == newest, !isDamaged
      else { return }
      isDamaged = true
      truncate(path + "/model.safetensors", 10)
    }
    #expect(course.returns[2] == [newest - 3, failing, failing])
    #expect(course.warnings.count == 1)
    #expect(course.warnings.first?.contains("step \(newest) is damaged and was moved") == true)
    #expect(FileManager.default.fileExists(atPath: store.rejectedDirectory + "/step-0000\(newest)"))
    #expect(try store.steps() == [0, 3, 6, 9, 12, 15, 18, 20])
    #expect(
      try course.weights == train(configuration, SingleProcess(), self.store("other")).weights)
  }

  @Test("a return waits for the checkpoint that is being written")
  func background() throws {
    let failing = try failingSteps()[1]
    let newest = (failing - 1) / 3 * 3
    #expect(newest > 3)
    let slow = FileSystem { action, path in
      if action == .create, path.contains("step-00000\(newest).tmp") { usleep(300_000) }
    }
    let course = try train(configuration(), SingleProcess(), store("checkpoints", slow))
    #expect(course.returns[1] == [newest, failing, failing])
  }

  @Test("a checkpoint can be resumed from where all steps before it were left out")
  func onlySkipped() throws {
    let configuration = try configuration {
      $0["training.onNonFinite"] = "skip"
      $0["training.globalBatch"] = 40
    }
    let store = try store("checkpoints")
    _ = try train(configuration, SingleProcess(), store, maximumSteps: 2)
    let rest = try train(configuration, SingleProcess(), store)
    #expect(rest.steps == [[3, 3, 0], [4, 4, 0]])
  }
}
