import Base
import Checkpointing
import Collectives
import Configuration
import DataLoading
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
private struct Result: Sendable, Equatable {
  var losses: [Double] = []
  var epochLosses: [Double] = []
  var testAccuracy = 0.0
  var weights: [[UInt32]] = []
  var outcome = Trainer.Outcome.finished
  var step = 0
}

/// A small run that uses what can go wrong: dropout, momentum, uneven slices.
private func smallRun(_ change: (inout TrainingConfiguration) -> Void = { _ in })
  -> TrainingConfiguration
{
  var configuration = TrainingConfiguration()
  configuration["model.hidden"] = [24, 16]
  configuration["model.activation"] = "tanh"
  configuration["model.dropout"] = 0.2
  configuration["training.epochs"] = 2
  configuration["training.globalBatch"] = 50
  configuration["optimizer.weightDecay"] = 1e-4
  configuration["distributed.bucketMegabytes"] = 0.005
  change(&configuration)
  return configuration
}

/// Trains on one rank, from a checkpoint in `store` if it has one.
private func train(
  _ configuration: TrainingConfiguration, _ communicator: any Communicator,
  store: CheckpointStore? = nil, maximumSteps: Int? = nil,
  isStopRequested: @escaping (Int) -> Bool = { _ in false }
) throws -> Result {
  let trainer = try Trainer(configuration, communicator)
  let checkpoint = try communicator.isRoot ? store?.newestUsable()?.checkpoint : nil
  if communicator.broadcast(checkpoint != nil) { try trainer.restore(from: checkpoint) }
  var result = Result()
  result.outcome = try trainer.train(
    store: store, maximumSteps: maximumSteps, isStopRequested: { isStopRequested(trainer.step) },
    onEvent: { event in
      switch event {
      case .step(let report): result.losses.append(report.loss)
      case .epoch(let report):
        result.epochLosses.append(report.metrics.loss)
        result.testAccuracy = report.validation?.accuracy ?? 0
      default: break
      }
    })
  result.step = trainer.step
  result.weights = trainer.model.stateDictionary().map {
    $0.value.array(of: Float.self).map(\.bitPattern)
  }
  return result
}

private func largestDifference(_ a: [Double], _ b: [Double]) -> Double {
  zip(a, b).map { ($0 - $1).magnitude / $0.magnitude }.max() ?? .infinity
}

@Suite("Trainer")
struct TrainerTests {
  @Test("k ranks with a k-th of each batch are one rank with the whole", arguments: [2, 3, 4])
  func rankCounts(_ ranks: Int) throws {
    let configuration = smallRun()
    let one = try train(configuration, SingleProcess())
    let results = try withRanks(ranks) { try train(configuration, $0) }
    #expect(one.losses.count == 58)
    #expect(results[0].losses.count == one.losses.count)
    #expect(largestDifference(one.losses, results[0].losses) < 1e-5)
    #expect(largestDifference(one.epochLosses, results[0].epochLosses) < 1e-5)
    #expect(results[0].testAccuracy == one.testAccuracy)
    for result in results { #expect(result.weights == results[0].weights) }
  }

  @Test("ranks without samples take part")
  func emptySlices() throws {
    let configuration = smallRun {
      $0["training.globalBatch"] = 2
      $0["training.epochs"] = 1
    }
    let one = try train(configuration, SingleProcess(), maximumSteps: 40)
    let results = try withRanks(3) { try train(configuration, $0, maximumSteps: 40) }
    #expect(largestDifference(one.losses, results[0].losses) < 1e-5)
    for result in results { #expect(result.weights == results[0].weights) }
  }

  @Test("accumulating over micro-batches is the same step", arguments: [2, 7])
  func microBatches(_ parts: Int) throws {
    let whole = try train(smallRun(), SingleProcess())
    let inParts = try train(
      smallRun { $0["training.microBatches"] = .integer(parts) }, SingleProcess())
    #expect(largestDifference(whole.losses, inParts.losses) < 1e-5)
  }

  @Test(
    "a run stopped after any step resumes to the same bits", arguments: [1, 2],
    ["sgd", "adamw"])
  func resumeAtEveryStep(_ ranks: Int, _ kind: String) throws {
    let configuration = smallRun {
      $0["training.globalBatch"] = 400  // four steps an epoch, the last one short
      $0["training.epochs"] = 3
      $0["optimizer.kind"] = .text(kind)
      $0["optimizer.dampening"] = 0.1
    }
    let straight = try withRanks(ranks) { try train(configuration, $0) }
    #expect(straight[0].step == 12)
    for stop in 1..<12 {
      try withTemporaryDirectory { directory in
        let store = CheckpointStore(directory: directory, keep: 2)
        try store.prepare()
        let first = try withRanks(ranks) {
          try train(configuration, $0, store: store, maximumSteps: stop)
        }
        #expect(first[0].outcome == .reachedMaximumSteps && first[0].step == stop)
        let second = try withRanks(ranks) { try train(configuration, $0, store: store) }
        #expect(second[0].outcome == .finished)
        #expect(first[0].losses + second[0].losses == straight[0].losses)
        #expect(first[0].epochLosses + second[0].epochLosses == straight[0].epochLosses)
        for (rank, result) in second.enumerated() {
          #expect(result.weights == straight[rank].weights, "stopped after step \(stop)")
        }
      }
    }
  }

  @Test("running statistics are the same on all ranks and in a resumed run", arguments: [1, 2])
  func batchNormalization(_ ranks: Int) throws {
    let configuration = smallRun {
      $0["model.kind"] = "resnet18"
      $0["training.globalBatch"] = 4
    }
    let straight = try withRanks(ranks) { try train(configuration, $0, maximumSteps: 3) }
    #expect(straight[0].weights == straight[ranks - 1].weights)
    try withTemporaryDirectory { directory in
      let store = CheckpointStore(directory: directory, keep: 1)
      try store.prepare()
      _ = try withRanks(ranks) { try train(configuration, $0, store: store, maximumSteps: 2) }
      let rest = try withRanks(ranks) {
        try train(configuration, $0, store: store, maximumSteps: 3)
      }
      #expect(rest[0].weights == straight[0].weights)
    }
  }

  @Test("a run resumes with another number of ranks")
  func resumeElsewhere() throws {
    let configuration = smallRun { $0["training.globalBatch"] = 100 }
    let straight = try train(configuration, SingleProcess())
    try withTemporaryDirectory { directory in
      let store = CheckpointStore(directory: directory, keep: 0)
      try store.prepare()
      _ = try withRanks(3) { try train(configuration, $0, store: store, maximumSteps: 7) }
      let rest = try withRanks(2) { try train(configuration, $0, store: store) }
      #expect(largestDifference(Array(straight.losses.dropFirst(7)), rest[0].losses) < 1e-5)
    }
  }

  @Test("a request to stop on one rank stops all after the same step, with a checkpoint")
  func stopRequest() throws {
    try withTemporaryDirectory { directory in
      let store = CheckpointStore(directory: directory, keep: 0)
      try store.prepare()
      let results = try withRanks(3) { communicator in
        let rank = communicator.rank
        return try train(
          smallRun(), communicator, store: store, isStopRequested: { rank == 1 && $0 >= 4 })
      }
      for result in results { #expect(result.outcome == .stopped && result.step == 5) }
      #expect(try store.steps() == [5])
    }
  }

  @Test("weights that differ between nodes, or changed in memory, are never saved")
  func auditBeforeCheckpoint() throws {
    try withTemporaryDirectory { directory in
      let store = CheckpointStore(directory: directory, keep: 0)
      try store.prepare()
      let error = #expect(throws: ReplicasDiverged.self) {
        _ = try withRanks(2, ranksPerNode: 1) { communicator in
          let trainer = try Trainer(
            smallRun {
              $0["checkpoint.everySteps"] = 3
              // Not between checkpoints.
              $0["distributed.auditEverySteps"] = .null
            }, communicator)
          _ = try trainer.train(
            store: store, maximumSteps: 20,
            isStopRequested: {
              if trainer.step == 7, communicator.rank == 0 {
                trainer.parallel.arena.values[0] += 1
              }
              return false
            })
        }
      }
      #expect(error?.exitStatus == .replicasDiverged)
      #expect(error?.step == 9)
      #expect(try store.steps() == [3, 6])
    }
  }

  @Test("an evaluation that is stopped is repeated when the run resumes", arguments: [1, 2])
  func stoppedEvaluation(_ ranks: Int) throws {
    let whole = try withRanks(ranks) { try train(smallRun(), $0) }
    try withTemporaryDirectory { directory in
      let store = CheckpointStore(directory: directory, keep: 0)
      try store.prepare()
      // 29 steps are an epoch; the request comes during the evaluation after it.
      let stopped = try withRanks(ranks) { communicator in
        try train(smallRun(), communicator, store: store) {
          $0 == 29 && communicator.rank == ranks - 1
        }
      }
      for result in stopped {
        #expect(result.outcome == .stopped && result.step == 29)
        #expect(result.epochLosses.isEmpty)
      }
      let resumed = try withRanks(ranks) { try train(smallRun(), $0, store: store) }
      #expect(resumed[0].epochLosses == whole[0].epochLosses)
      #expect(resumed[0].weights == whole[0].weights)
      #expect(resumed[0].outcome == .finished)
    }
  }

  @Test("a loss that is not finite ends the run on all ranks and leaves checkpoints alone")
  func nonFiniteLoss() throws {
    try withTemporaryDirectory { directory in
      let store = CheckpointStore(directory: directory, keep: 0)
      try store.prepare()
      _ = try train(smallRun(), SingleProcess(), store: store, maximumSteps: 3)
      let before = try Data(contentsOf: URL(filePath: store.path(step: 3) + "/model.safetensors"))
      let error = #expect(throws: NonFiniteLoss.self) {
        _ = try withRanks(2) {
          try train(smallRun { $0["optimizer.learningRate"] = 1e20 }, $0, store: store)
        }
      }
      #expect(error?.exitStatus == .nonFiniteLoss)
      #expect(error.map { "\($0)".contains("optimizer.learningRate") } == true)
      #expect(error.map { "\($0)".contains("first seen on rank ") } == true)
      #expect(try store.steps() == [3])
      #expect(
        try Data(contentsOf: URL(filePath: store.path(step: 3) + "/model.safetensors")) == before)
    }
  }

  @Test("ranks that were given different configurations say so")
  func disagreement() throws {
    let error = #expect(throws: RankDisagreement.self) {
      _ = try withRanks(3) { communicator in
        try train(
          smallRun { $0["training.seed"] = communicator.rank == 1 ? 2 : 1 }, communicator)
      }
    }
    #expect(error.map { "\($0)".contains("training.seed") && "\($0)".contains("rank 1") } == true)
  }

  @Test("data that one rank cannot open ends all ranks with that rank's message")
  func missingData() throws {
    let error = #expect(throws: CollectiveFailure.self) {
      _ = try withRanks(2) { communicator in
        var configuration = smallRun()
        if communicator.rank == 1 {
          configuration["data.kind"] = "idx"
          configuration["data.path"] = "/nowhere"
        }
        return try train(configuration, communicator)
      }
    }
    #expect(error?.rank == 1)
    #expect(error?.exitStatus == .inputMissing)
    #expect(error?.message.contains("/nowhere") == true)
  }

  @Test("gradient clipping and schedules reach the update")
  func clipping() throws {
    let plain = try train(smallRun(), SingleProcess(), maximumSteps: 10)
    let clipped = try train(
      smallRun { $0["training.gradientClipNorm"] = 0.01 }, SingleProcess(), maximumSteps: 10)
    #expect(plain.losses[0] == clipped.losses[0])
    #expect(plain.losses[9] < clipped.losses[9])
  }

  @Test("regression and binary classification train")
  func otherObjectives() throws {
    try withTemporaryDirectory { directory in
      let rows = (0..<120).map { index -> String in
        let x = Double(index % 12) / 12 - 0.5
        let y = Double(index / 12) / 10 - 0.5
        return "\(x),\(y),\(x * y > 0 ? 1 : 0)"
      }
      let path = directory + "/data.csv"
      try (rows.joined(separator: "\n") + "\n").write(
        toFile: path, atomically: true, encoding: .utf8)
      var configuration = smallRun {
        $0["data.kind"] = "csv"
        $0["data.path"] = .text(path)
        $0["data.validation"] = 20
        $0["training.epochs"] = 60
        $0["training.globalBatch"] = 10
        $0["model.dropout"] = 0
      }
      configuration["training.loss"] = "binaryCrossEntropyWithLogits"
      let binary = try train(configuration, SingleProcess())
      #expect(binary.losses.last! < 0.2)
      configuration["training.loss"] = "auto"
      configuration["data.target"] = "values"
      let regression = try train(configuration, SingleProcess())
      #expect(regression.losses.last! < 0.1)
    }
  }

  @Test("training begins with the weights of a file, on all ranks")
  func initialWeights() throws {
    let directory = try TemporaryDirectory()
    let path = directory.path + "/weights.safetensors"
    var configuration = TrainingConfiguration()
    configuration["training.seed"] = 2
    let other = try Trainer(configuration, SingleProcess())
    var data = Data()
    try SafetensorsWriter(weightTensors(of: other.model)).write { data.append(contentsOf: $0) }
    try data.write(to: URL(filePath: path))
    configuration["training.seed"] = 1
    let drawn = try Trainer(configuration, SingleProcess())
    configuration["model.weights"] = .text(path)
    let weights = other.model.parameters.map { $0.array(of: Float.self) }
    #expect(drawn.model.parameters.map { $0.array(of: Float.self) } != weights)
    let loaded = try withRanks(3, ranksPerNode: 2) { [configuration] communicator in
      try Trainer(configuration, communicator).model.parameters.map { $0.array(of: Float.self) }
    }
    #expect(loaded == [weights, weights, weights])
    configuration["model.hidden"] = [5]
    #expect(throws: CollectiveFailure.self) {
      try Trainer(configuration, SingleProcess())
    }
  }
}
