import Base
import Collectives
import DataLoading
import DataParallel
import NeuralNetworks
import Optimizers
import TensorCore
import Testing

/// Nodes that make steps of their own, and outer steps that bring them together.
@Suite("Local steps")
struct LocalStepsTests {
  private static let ranks = [(1, 1), (2, 2), (2, 1), (3, 1), (4, 2), (3, 2), (5, 2)].map {
    Ranks(count: $0.0, perNode: $0.1)
  }

  /// What training by hand comes to: a model for each node, and outer steps in float64.
  private func trainByHand(
    _ ranks: Ranks, steps: Int, batch: Int, every interval: Int, learningRate: Double,
    momentum: Double, clip: Double?, _ makeOptimizer: (ParameterArena) -> any Optimizer
  ) -> [Double] {
    let models = (0..<(ranks.count + ranks.perNode - 1) / ranks.perNode).map { _ in
      withRandomSource(seed: 0, Case.mlp.makeModel)
    }
    let arenas = models.map { ParameterArena($0) }
    let optimizers = arenas.map(makeOptimizer)
    var start = arenas[0].valueBuffer.array()
    var velocity = start.map { _ in 0.0 }
    var samples = models.map { _ in 0 }
    for step in 0..<steps {
      for node in models.indices {
        let slices = node * ranks.perNode..<min((node + 1) * ranks.perNode, ranks.count)
        let own = BatchPartition(slices: slices, of: ranks.count)
          .slice(of: step * batch..<(step + 1) * batch)
        arenas[node].zeroGrad()
        Case.mlp.loss(models[node], own).backward()
        if let clip { arenas[node].clipGradients(toNorm: clip) }
        optimizers[node].step(learningRate: 0.05)
        samples[node] += own.count
      }
      guard (step + 1) % interval == 0 || step == steps - 1 else { continue }
      let total = Double(samples.reduce(0, +))
      for i in start.indices {
        let difference = models.indices.reduce(0.0) { sum, node in
          sum + Double(samples[node]) / total * (start[i] - arenas[node].valueBuffer[i])
        }
        velocity[i] = momentum * velocity[i] + difference
        start[i] -= learningRate * (difference + momentum * velocity[i])
        for arena in arenas { arena.valueBuffer[i] = start[i] }
      }
      start = arenas[0].valueBuffer.array()
      samples = samples.map { _ in 0 }
    }
    return models[0].parameters.flatMap { $0.doubles() }
  }

  @Test("are those of a model on each node with outer steps", arguments: [nil, 0.05])
  func definition(clip: Double?) throws {
    for (name, make): (String, @Sendable (ParameterArena) -> any Optimizer) in [
      ("SGD", { SGD($0, SGD.Options(momentum: 0.9)) }), ("LAMB", { LAMB($0) }),
    ] {
      for ranks in LocalStepsTests.ranks {
        let expected = trainByHand(
          ranks, steps: 7, batch: 13, every: 3, learningRate: 0.7, momentum: 0.9, clip: clip, make)
        let found = try withRanks(ranks.count, ranksPerNode: ranks.perNode) { communicator in
          let model = withRandomSource(seed: UInt64(communicator.rank), Case.mlp.makeModel)
          var options = DataParallel.Options()
          options.localSteps = 3
          options.gradientClipNorm = clip
          options.auditEverySteps = 2
          let parallel = try DataParallel(
            model, communicator, options: options, makeOptimizer: make)
          for step in 0..<7 {
            let result = try parallel.step(
              samples: step * 13..<(step + 1) * 13, learningRate: 0.05, wantsNorm: step == 4
            ) { Case.mlp.loss(model, $0) }
            try #require(result.sampleCount == 13)
            try #require(parallel.isSynchronized == (step % 3 == 2))
          }
          parallel.synchronize()
          try parallel.audit(includesOptimizer: true)
          return model.parameters.flatMap { $0.doubles().map { Float($0) } }
        }
        #expect(found.allSatisfy { $0 == found[0] })
        #expect(
          difference(found[0], expected.map { Float($0) }) < 1e-4,
          "\(name), \(ranks.testDescription)")
      }
    }
  }

  @Test("one at a time, whose weights are averaged, are steps made together, to rounding")
  func averageOfOneStep() throws {
    for example in [Case.mlp, .gpt] {
      let expected = try train(example, on: .one, batch: 12)[0]
      for ranks in LocalStepsTests.ranks {
        let found = try train(example, on: ranks, batch: 12) {
          $0.localSteps = 1
          $0.outerLearningRate = 1
          $0.outerMomentum = 0
        }
        #expect(found.allSatisfy { $0 == found[0] })
        #expect(difference(found[0], expected) < 1e-5, "\(ranks.testDescription)")
      }
    }
  }

  @Test("give nodes weights of their own until the outer step")
  func replicas() throws {
    let weights = try withRanks(4, ranksPerNode: 2) { communicator in
      let model = withRandomSource(seed: 1, Case.cnn.makeModel)
      var options = DataParallel.Options()
      options.localSteps = 4
      let parallel = try DataParallel(model, communicator, options: options) { AdamW($0) }
      return try (0..<8).map { step in
        _ = try parallel.step(samples: step * 16..<(step + 1) * 16, learningRate: 0.01) {
          Case.cnn.loss(model, $0)
        }
        communicator.barrier()
        defer { communicator.barrier() }
        return model.parameters.flatMap { $0.doubles() }
      }
    }
    for step in 0..<8 {
      #expect(weights[0][step] == weights[1][step] && weights[2][step] == weights[3][step])
      #expect((weights[0][step] == weights[2][step]) == (step % 4 == 3), "step \(step)")
    }
  }

  @Test("send gradients between nodes only in outer steps")
  func volume() throws {
    let sent = try withRanks(2, ranksPerNode: 1) { base in
      let communicator = CountingCommunicator(base)
      let model = Linear(64, 1024, bias: false)
      var options = DataParallel.Options()
      options.localSteps = 5
      let parallel = try DataParallel(model, communicator, options: options) { SGD($0) }
      let before = communicator.sentBytes
      for step in 0..<10 {
        _ = try parallel.step(samples: step * 8..<(step + 1) * 8, learningRate: 0.1) {
          model(.ones([$0.count, 64])).mean()
        }
      }
      return communicator.sentBytes - before
    }
    #expect(sent == [2, 2].map { $0 * 64 * 1024 * 4 })
  }

  @Test("parameters may be changed between outer steps and the next")
  func changedParameters() throws {
    let weights = try withRanks(2, ranksPerNode: 1) { communicator in
      let model = withRandomSource(seed: 1) { Linear(1, 1, bias: false) }
      var options = DataParallel.Options()
      options.localSteps = 2
      options.outerLearningRate = 1
      options.outerMomentum = 0
      let parallel = try DataParallel(model, communicator, options: options) { SGD($0) }
      parallel.changeParameters { model.weight.assign(.full([1, 1], 3)) }
      for step in 0..<2 {
        // The derivative is 1.
        _ = try parallel.step(samples: step * 2..<(step + 1) * 2, learningRate: 0.25) {
          model(.ones([$0.count, 1])).mean()
        }
      }
      return model.weight.item()
    }
    #expect(weights == [2.5, 2.5])
  }

  @Test(
    "options that need the same weights on all nodes at every step are refused",
    arguments: ["fixedSlices", "synchronizedBatchNorm", "emaDecay"])
  func options(_ name: String) {
    let error = #expect(throws: CollectiveFailure.self) {
      _ = try train(.mlp, on: Ranks(count: 2, perNode: 1)) {
        $0.localSteps = 2
        switch name {
        case "fixedSlices": $0.fixedSlices = 2
        case "synchronizedBatchNorm": $0.synchronizedBatchNorm = true
        default: $0.emaDecay = 0.9
        }
      }
    }
    #expect(error?.description.contains("'\(name)'") == true, "\(error?.description ?? "none")")
    #expect(error?.exitStatus == .configuration)
  }
}
