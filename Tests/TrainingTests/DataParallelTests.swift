import Collectives
import NeuralNetworks
import Optimizers
import TensorCore
import Testing
import Training

/// A model with its data, small enough to train many times.
private struct Case: Sendable, CustomTestStringConvertible {
  let testDescription: String
  let makeModel: @Sendable () -> any Layer
  let loss: @Sendable (any Layer, Range<Int>) -> Tensor

  /// Sample `i` of a batch is the same wherever it is computed.
  private static func inputs(_ samples: Range<Int>, _ shape: TensorShape) -> Tensor {
    let size = shape.elementCount
    var values: [Float] = []
    for sample in samples {
      for i in 0..<size { values.append(Float((sample * 37 + i * 11) % 29) / 14 - 1) }
    }
    return .of(values, shape: TensorShape([samples.count] + shape.array))
  }

  private static func labels(_ samples: Range<Int>, _ count: Int = 1) -> Tensor {
    .of(
      samples.flatMap { sample in (0..<count).map { Int32((sample * 7 + $0) % 3) } },
      shape: [samples.count * count])
  }

  static let mlp = Case(testDescription: "mlp") {
    Sequential(Linear(5, 70), Tanh(), Linear(70, 300), Tanh(), Linear(300, 3))
  } loss: { model, samples in
    crossEntropy(model(inputs(samples, [5])), labels(samples))
  }

  static let cnn = Case(testDescription: "cnn with batch norm and dropout") {
    Sequential(
      Conv2d(1, 4, kernel: 3), BatchNorm2d(4), ReLU(), MaxPool2d(2), Flatten(), Dropout(0.3),
      Linear(36, 3))
  } loss: { model, samples in
    crossEntropy(model(inputs(samples, [1, 8, 8])), labels(samples))
  }

  static let gpt = Case(testDescription: "gpt") {
    GPT(
      GPT.Options(vocabulary: 5, context: 6, layers: 2, heads: 2, width: 16, dropout: 0.1))
  } loss: { model, samples in
    let tokens = Tensor.of(
      samples.flatMap { sample in (0..<6).map { Int32((sample * 3 + $0) % 5) } },
      shape: [samples.count, 6])
    return crossEntropy(model(tokens).reshaped(to: [-1, 5]), labels(samples, 6))
  }

  static let all = [mlp, cnn, gpt]
}

/// How ranks are spread over machines.
private struct Ranks: Sendable, CustomTestStringConvertible {
  var count: Int
  var perNode: Int
  var testDescription: String { "\(count) ranks, \(perNode) on a machine" }
}

/// Trains for some steps and returns, from each rank, the weights, and the buffers behind them.
private func train(
  _ example: Case, on ranks: Ranks, steps: Int = 4, batch: Int = 11,
  _ change: @Sendable (inout DataParallel.Options) -> Void = { _ in },
  optimizer: @escaping @Sendable (ParameterArena) -> any Optimizer = {
    SGD($0, SGD.Options(momentum: 0.9))
  }
) throws -> [[Float]] {
  var options = DataParallel.Options()
  options.bucketBytes = 1 << 16
  options.auditEverySteps = 2
  options.seed = 5
  change(&options)
  return try withRanks(ranks.count, ranksPerNode: ranks.perNode) { [options] communicator in
    // Ranks that start differently train what rank zero has.
    let model = withRandomSource(seed: UInt64(communicator.rank), example.makeModel)
    let parallel = try DataParallel(model, communicator, options: options, makeOptimizer: optimizer)
    for step in 0..<steps {
      let result = try parallel.step(
        samples: step * batch..<(step + 1) * batch, epoch: 0, learningRate: 0.05
      ) { example.loss(model, $0) }
      try #require(result.sampleCount == Double(batch))
    }
    return model.stateDictionary().flatMap { $0.value.doubles().map { Float($0) } }
  }
}

private let one = Ranks(count: 1, perNode: 1)

/// The largest difference of two lists of numbers.
private func difference(_ a: [Float], _ b: [Float]) -> Float {
  a.count == b.count ? zip(a, b).map { abs($0 - $1) }.max() ?? 0 : .infinity
}

@Suite struct DataParallelTests {
  @Test(
    "any number of ranks trains what one process trains, to rounding",
    arguments: [
      Ranks(count: 2, perNode: 2), Ranks(count: 3, perNode: 3), Ranks(count: 4, perNode: 2),
      Ranks(count: 3, perNode: 1), Ranks(count: 5, perNode: 2),
    ], [Overlap.sync, .poll, .thread])
  fileprivate func equivalence(_ ranks: Ranks, overlap: Overlap) throws {
    for example in [Case.mlp, .gpt] {
      let expected = try train(example, on: one)[0]
      let found = try train(example, on: ranks) { $0.overlap = overlap }
      #expect(found.allSatisfy { $0 == found[0] })
      #expect(difference(found[0], expected) < 2e-6, "\(example.testDescription)")
    }
  }

  @Test("shards give the same bits on any number of ranks", arguments: Case.all)
  fileprivate func shards(_ example: Case) throws {
    for batch in [16, 11, 3] {
      let expected = try train(example, on: one, batch: batch) { $0.shards = 4 }[0]
      for overlap in [Overlap.sync, .poll, .thread] {
        for (count, perNode) in [(2, 2), (4, 4), (2, 1), (4, 2), (4, 1)] {
          let ranks = Ranks(count: count, perNode: perNode)
          let found = try train(example, on: ranks, batch: batch) {
            $0.shards = 4
            $0.overlap = overlap
          }
          #expect(
            found.allSatisfy { $0 == expected },
            "batch \(batch), \(ranks.testDescription), \(overlap)")
        }
      }
    }
  }

  @Test("shards give the same bits with clipping, micro-batches, AdamW and any number of threads")
  func shardsWithEverything() throws {
    let threads = Threads.count
    defer { Threads.count = threads }
    func run(_ ranks: Ranks) throws -> [[Float]] {
      try train(.mlp, on: ranks, batch: 37) {
        $0.shards = 4
        $0.microBatches = 3
        $0.gradientClipNorm = 0.1
      } optimizer: {
        AdamW($0)
      }
    }
    Threads.count = 1
    let expected = try run(one)[0]
    #expect(try run(Ranks(count: 4, perNode: 2)).allSatisfy { $0 == expected })
    Threads.count = 2
    #expect(try run(one)[0] == expected)
    #expect(try run(Ranks(count: 2, perNode: 2)).allSatisfy { $0 == expected })
  }

  @Test("what shards give depends on their number, and is near to what no shards give")
  func numberOfShards() throws {
    let plain = try train(.mlp, on: one)[0]
    let four = try train(.mlp, on: one) { $0.shards = 4 }[0]
    let eight = try train(.mlp, on: one) { $0.shards = 8 }[0]
    #expect(four != eight && four != plain)
    #expect(difference(four, plain) < 2e-6 && difference(eight, plain) < 2e-6)
  }

  @Test("clipping is by the norm of the mean gradient over all ranks")
  func clipping() throws {
    let expected = try train(.mlp, on: one) { $0.gradientClipNorm = 0.01 }[0]
    #expect(difference(expected, try train(.mlp, on: one)[0]) > 1e-3)
    for perNode in [1, 3] {
      let found = try train(.mlp, on: Ranks(count: 3, perNode: perNode)) {
        $0.gradientClipNorm = 0.01
      }
      #expect(found.allSatisfy { difference($0, expected) < 1e-6 })
    }
  }

  @Test("a parameter may be used on some ranks, on none, or several times")
  func unevenUse() throws {
    struct Parts: Module {
      let sometimes = Parameter(.full([3], 2))
      let never = Parameter(.full([3], 3))
      let often = Parameter(.full([3], 4))
    }
    /// The weights after a step over four samples, of which sample 0 alone uses `sometimes`.
    func train(_ ranks: Ranks, overlap: Overlap) throws -> [Double] {
      let weights = try withRanks(ranks.count, ranksPerNode: ranks.perNode) {
        communicator -> [Double] in
        let model = Parts()
        var options = DataParallel.Options()
        options.overlap = overlap
        let parallel = try DataParallel(model, communicator, options: options) {
          SGD($0, SGD.Options(weightDecay: 0.5))
        }
        let result = try parallel.step(samples: 0..<4, learningRate: 1) { samples in
          var sum = (model.often * model.often).sum() * Double(samples.count)
          if samples.contains(0) { sum = sum + model.sometimes.sum() }
          return sum / Double(samples.count)
        }
        #expect(abs(result.loss - (48 + 6.0 / 4)) < 1e-6)
        #expect(model.never.grad == nil)
        parallel.gatherGradients()
        #expect(model.sometimes.grad!.doubles() == [0.25, 0.25, 0.25])
        return [model.sometimes, model.never, model.often].map { $0.doubles()[0] }
      }
      return weights[0]
    }
    // w - (gradient + w / 2), and no decay without a gradient.
    let expected: [Double] = [0.75, 3, -6]
    for overlap in [Overlap.sync, .poll, .thread] {
      for ranks in [one, Ranks(count: 2, perNode: 2), Ranks(count: 4, perNode: 2)] {
        #expect(try train(ranks, overlap: overlap) == expected)
      }
    }
  }

  @Test("statistics over the samples of all ranks are those of one process, without samples too")
  func synchronizedBatchNorm() throws {
    for batch in [2, 12] {
      let expected = try train(.cnn, on: one, batch: batch)[0]
      for ranks in [Ranks(count: 3, perNode: 3), Ranks(count: 4, perNode: 2)] {
        let found = try train(.cnn, on: ranks, batch: batch) { $0.synchronizesBatchNorm = true }
        #expect(found.allSatisfy { $0 == found[0] })
        #expect(difference(found[0], expected) < 2e-5, "batch \(batch), \(ranks)")
      }
    }
    let apart = try train(.cnn, on: Ranks(count: 3, perNode: 3), batch: 12)[0]
    #expect(difference(apart, try train(.cnn, on: one, batch: 12)[0]) > 1e-4)
  }

  @Test("a rank whose weights differ is found, with the parameter")
  func audit() {
    let error = #expect(throws: ReplicasDiverged.self) {
      try withRanks(4, ranksPerNode: 1) { communicator in
        let model = withRandomSource(seed: 1) { Linear(4, 3) }
        let parallel = try DataParallel(model, communicator) { SGD($0) }
        for step in 0..<200 {
          if step == 50, communicator.rank == 2 {
            withoutGrad { _ = model.bias!.add_(Tensor(Float(1e-7))) }
          }
          _ = try parallel.step(samples: 0..<8, learningRate: 0) { samples in
            model(.ones([samples.count, 4])).mean()
          }
        }
      }
    }
    #expect(error?.rank == 2)
    #expect(error?.step == 100)
    #expect(error?.parameter == "bias")
    #expect(error?.exitStatus == .replicasDiverged)
  }

  @Test("parameters change in one place for all ranks of a machine")
  func changes() throws {
    let weights = try withRanks(4, ranksPerNode: 2) { communicator in
      let model = withRandomSource(seed: 1) { Linear(1, 1) }
      let parallel = try DataParallel(model, communicator) { SGD($0) }
      let before = model.weight.doubles()[0]
      communicator.barrier()
      parallel.changeParameters { _ = model.weight.mul_(Tensor(Float(2))) }
      return model.weight.doubles()[0] / before
    }
    #expect(weights == [2, 2, 2, 2])
  }

  @Test("a loss that is not finite on one rank stops all, and leaves the weights alone")
  func nonFinite() throws {
    for perNode in [1, 3] {
      let weights = try withRanks(3, ranksPerNode: perNode) { communicator in
        let model = withRandomSource(seed: 1) { Linear(1, 1) }
        let parallel = try DataParallel(model, communicator) { SGD($0) }
        let before = model.weight.doubles()
        #expect(throws: NonFiniteStep.self) {
          _ = try parallel.step(samples: 0..<3, learningRate: 1) { samples in
            model(.full([1, 1], samples.contains(1) ? .infinity : 1)).mean()
          }
        }
        let unchanged = model.weight.doubles() == before
        // The ranks are still in step.
        let result = try parallel.step(samples: 0..<3, learningRate: 1) { _ in
          model(.ones([1, 1])).mean()
        }
        return unchanged && result.loss.isFinite && model.weight.doubles() != before
      }
      #expect(weights == [true, true, true])
    }
  }

  @Test("ranks that take different steps find out in that step")
  func differentSteps() throws {
    let found = try withRanks(3) { communicator in
      let model = withRandomSource(seed: 1) { Linear(1, 1) }
      let parallel = try DataParallel(model, communicator) { SGD($0) }
      func step(_ samples: Range<Int>, _ rate: Double) throws {
        _ = try parallel.step(samples: samples, learningRate: rate) { samples in
          model(.ones([samples.count, 1])).mean()
        }
      }
      try step(0..<3, 0.1)
      #expect(throws: StepsDiffer.self) { try step(0..<3, communicator.rank == 1 ? 0.2 : 0.1) }
      #expect(throws: StepsDiffer.self) {
        try step(communicator.rank == 2 ? 3..<6 : 0..<3, 0.1)
      }
      try step(3..<6, 0.1)
      return true
    }
    #expect(found.count == 3)
  }

  @Test(
    "options that do not fit the ranks are explained",
    arguments: [
      (3, 3, 4, "3 ranks"), (2, 2, 6, "not a power of two"), (4, 4, 2, "start 1, 2"),
      (4, 3, 4, "the same power of two of ranks"),
    ])
  func options(_ count: Int, _ perNode: Int, _ shards: Int, _ message: String) {
    let error = #expect(throws: CollectiveFailure.self) {
      _ = try train(.mlp, on: Ranks(count: count, perNode: perNode)) { $0.shards = shards }
    }
    #expect(error?.description.contains(message) == true, "\(error?.description ?? "none")")
    #expect(error?.exitCode == ExitStatus.configuration.rawValue)
  }

  @Test("ranks with other models do not begin")
  func disagreement() {
    let error = #expect(throws: RankDisagreement.self) {
      try withRanks(2) { communicator in
        _ = try DataParallel(Linear(1, communicator.rank + 1), communicator) { SGD($0) }
      }
    }
    #expect(error?.description.contains("model") == true)
  }
}
