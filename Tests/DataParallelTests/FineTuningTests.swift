import Base
import Collectives
import DataParallel
import NeuralNetworks
import Optimizers
import TensorCore
import Testing

/// Frozen parameters and the moving average of the weights, on one rank and on several.
@Suite struct FineTuningTests {
  /// The weights, and the averages where there are some, of a rank after some steps.
  private struct Trained: Sendable, Equatable {
    var weights: [Float]
    var averages: [Float]
    var arenaCount: Int
  }

  private func train(
    _ example: Case, on ranks: Ranks, steps: Int = 4, freezing patterns: [String] = [],
    _ change: @Sendable (inout DataParallel.Options) -> Void = { _ in }
  ) throws -> [Trained] {
    var options = DataParallel.Options()
    options.bucketMegabytes = 1.0 / 16
    options.auditEverySteps = 2
    change(&options)
    return try withRanks(ranks.count, ranksPerNode: ranks.perNode) { [options] communicator in
      let model = withRandomSource(seed: UInt64(communicator.rank), example.makeModel)
      try model.freeze(patterns)
      let parallel = try DataParallel(model, communicator, options: options) {
        SGD($0, SGD.Options(momentum: 0.9))
      }
      for step in 0..<steps {
        _ = try parallel.step(samples: step * 12..<(step + 1) * 12, learningRate: 0.05) {
          example.loss(model, $0)
        }
      }
      func state() -> [Float] {
        model.stateDictionary().flatMap { $0.value.doubles().map { Float($0) } }
      }
      let averages = parallel.withAverages { state() }
      try parallel.audit(includesOptimizer: true)
      return Trained(weights: state(), averages: averages, arenaCount: parallel.arena.count)
    }
  }

  private static let layouts = [(2, 2), (3, 3), (2, 1), (4, 2)].map {
    Ranks(count: $0.0, perNode: $0.1)
  }

  @Test("frozen parameters keep rank zero's values, and are no part of what is reduced")
  func frozen() throws {
    let initial = try train(.cnn, on: .one, steps: 0)[0]
    let one = try train(.cnn, on: .one, freezing: ["0", "1"])[0]
    let all = try train(.cnn, on: .one)[0]
    // Convolution 4 x 9 + 4, normalization 4 + 4, statistics 4 + 4.
    #expect(Array(one.weights.prefix(56)) == Array(initial.weights.prefix(56)))
    #expect(one.weights.suffix(111) != initial.weights.suffix(111))
    #expect(one.arenaCount < all.arenaCount)
    for ranks in FineTuningTests.layouts {
      for found in try train(.cnn, on: ranks, freezing: ["0", "1"]) {
        #expect(Array(found.weights.prefix(56)) == Array(initial.weights.prefix(56)))
        #expect(difference(found.weights, one.weights) < roundingBound, "\(ranks.testDescription)")
      }
    }
  }

  @Test("the moving average is that of the weights after each step")
  func average() throws {
    let decay = 0.3
    var expected = try train(.cnn, on: .one, steps: 0)[0].weights
    for steps in 1...5 {
      let weights = try train(.cnn, on: .one, steps: steps)[0].weights
      let d = Float(min(decay, Double(steps) / Double(9 + steps)))
      expected = zip(expected, weights).map { d * $0 + (1 - d) * $1 }
    }
    let found = try train(.cnn, on: .one, steps: 5) { $0.emaDecay = decay }[0]
    #expect(difference(found.averages, expected) < roundingBound)
    #expect(found.weights == (try train(.cnn, on: .one, steps: 5)[0].weights))
    #expect(found.averages != found.weights)
  }

  @Test("the moving average is the same on all ranks, and that of one rank to rounding")
  func averageOnRanks() throws {
    let one = try train(.mlp, on: .one, steps: 5) { $0.emaDecay = 0.3 }[0]
    for ranks in FineTuningTests.layouts {
      let others = try train(.mlp, on: ranks, steps: 5) { $0.emaDecay = 0.3 }
      for other in others {
        #expect(other.averages == others[0].averages)
        #expect(
          difference(other.averages, one.averages) < 2 * roundingBound, "\(ranks.testDescription)")
      }
    }
    // Each rank has batch statistics of its own; the running ones, and their averages, are common.
    let averages = try train(.cnn, on: Ranks(count: 3, perNode: 3)) { $0.emaDecay = 0.9 }
    #expect(averages.allSatisfy { $0 == averages[0] })
  }

  @Test(
    "with fixed slices, averages and frozen parameters have the same bits on any number of ranks")
  func fixedSlices() throws {
    func run(_ ranks: Ranks) throws -> [Trained] {
      try train(.cnn, on: ranks, freezing: ["0.weight"]) {
        $0.fixedSlices = 4
        $0.emaDecay = 0.9
      }
    }
    let expected = try run(.one)[0]
    for ranks in [Ranks(count: 2, perNode: 2), Ranks(count: 4, perNode: 2)] {
      for found in try run(ranks) { #expect(found == expected, "\(ranks.testDescription)") }
    }
  }

  @Test("a frozen parameter that differs between nodes is found")
  func audit() throws {
    #expect(throws: ReplicasDiverged.self) {
      _ = try withRanks(2, ranksPerNode: 1) { communicator in
        let model = withRandomSource(seed: 1, Case.mlp.makeModel)
        try model.freeze(["0.weight"])
        let parallel = try DataParallel(model, communicator) { SGD($0) }
        if communicator.rank == 1 { withoutGrad { model.parameters[0].assign(.zeros([70, 5])) } }
        try parallel.audit()
      }
    }
  }
}
