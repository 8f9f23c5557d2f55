import Base
import Collectives
import DataParallel
import NeuralNetworks
import Optimizers
import TensorCore
import Testing

/// An optimizer to train with.
struct Method: Sendable, CustomTestStringConvertible {
  let testDescription: String
  let make: @Sendable (ParameterArena) -> any Optimizer

  private init(
    _ name: String, _ make: @escaping @Sendable (ParameterArena) -> any Optimizer
  ) {
    (testDescription, self.make) = (name, make)
  }

  static let layerwise = [
    Method("LARS") { LARS($0, .init(trustCoefficient: 0.1, weightDecay: 0.01)) },
    Method("LAMB") { LAMB($0, .init(weightDecay: 0.1)) },
  ]
  static let all =
    layerwise + [
      Method("Adam") { Adam($0, .init(weightDecay: 0.01, amsgrad: true)) },
      Method("RMSprop") { RMSprop($0, .init(momentum: 0.9, centered: true)) },
      Method("Adagrad") { Adagrad($0, .init(initialAccumulator: 0.1)) },
      Method("Lion") { Lion($0, .init(weightDecay: 0.1)) },
    ]
}

@Suite struct OptimizersOnRanksTests {
  private static let ranks = [(2, 2), (4, 4), (2, 1), (4, 2), (4, 1)].map {
    Ranks(count: $0.0, perNode: $0.1)
  }

  @Test(
    "every optimizer has the same bits on any number of ranks, with fixed slices",
    arguments: Method.all)
  fileprivate func bits(_ method: Method) throws {
    for clip in [nil, 0.05] {
      let expected = try train(.mlp, on: .one) {
        $0.fixedSlices = 4
        $0.gradientClipNorm = clip
      } optimizer: {
        method.make($0)
      }[0]
      for ranks in OptimizersOnRanksTests.ranks {
        let found = try train(.mlp, on: ranks) {
          $0.fixedSlices = 4
          $0.gradientClipNorm = clip
        } optimizer: {
          method.make($0)
        }
        #expect(found.allSatisfy { $0 == expected }, "\(ranks.testDescription), clip \(clip ?? 0)")
      }
    }
  }

  @Test(
    "layers that several ranks share have the norms of one process, on any number of ranks",
    arguments: Method.layerwise)
  fileprivate func norms(_ method: Method) throws {
    // A step of an optimizer alone, without ranks.
    let model = withRandomSource(seed: 0, Case.mlp.makeModel)
    let arena = ParameterArena(model)
    let optimizer = method.make(arena)
    for step in 0..<4 {
      arena.zeroGrad()
      Case.mlp.loss(model, step * 11..<(step + 1) * 11).backward()
      optimizer.step(learningRate: 0.05)
    }
    let expected = model.parameters.flatMap { $0.doubles().map { Float($0) } }
    #expect(try train(.mlp, on: .one, optimizer: method.make)[0] == expected)
    for ranks in OptimizersOnRanksTests.ranks + [
      Ranks(count: 3, perNode: 3), Ranks(count: 3, perNode: 2),
    ] {
      let found = try train(.mlp, on: ranks, optimizer: method.make)
      #expect(found.allSatisfy { $0 == found[0] })
      // Adam's first steps are signs, which rounding may turn.
      #expect(difference(found[0], expected) < 1e-3, "\(ranks.testDescription)")
    }
  }

  /// A float64 perceptron, and the loss of samples.
  private static func float64Model() -> Sequential {
    func linear(_ inputs: Int, _ outputs: Int, _ first: Double) -> Linear {
      let numbers = (Tensor.arange(inputs * outputs, .float64) + first).sin() / 4
      return Linear(
        weight: numbers.reshaped(to: [outputs, inputs]), bias: .zeros([outputs], .float64))
    }
    return Sequential(linear(5, 400, 0), Tanh(), linear(400, 60, 7), Tanh(), linear(60, 3, 1))
  }

  private static func loss(_ model: Sequential, _ samples: Range<Int>) -> Tensor {
    var inputs: [Double] = []
    for sample in samples {
      for i in 0..<5 { inputs.append(Double((sample * 37 + i * 11) % 29) / 14 - 1) }
    }
    let labels = samples.map { Int32($0 * 7 % 3) }
    return crossEntropy(model(.of(inputs, shape: [samples.count, 5])), Tensor(labels))
  }

  @Test("a float64 model trains on ranks what one process trains, to the rounding of float64")
  func float64() throws {
    for make: @Sendable (ParameterArena) -> any Optimizer in [
      { SGD($0, .init(momentum: 0.9)) }, { LAMB($0) },
    ] {
      let model = OptimizersOnRanksTests.float64Model()
      let arena = ParameterArena(model)
      let optimizer = make(arena)
      for step in 0..<5 {
        arena.zeroGrad()
        OptimizersOnRanksTests.loss(model, step * 11..<(step + 1) * 11).backward()
        optimizer.step(learningRate: 0.05)
      }
      let expected = model.parameters.flatMap { $0.doubles() }
      for ranks in [.one] + OptimizersOnRanksTests.ranks + [Ranks(count: 3, perNode: 2)] {
        let found = try withRanks(ranks.count, ranksPerNode: ranks.perNode) { communicator in
          let model = OptimizersOnRanksTests.float64Model()
          var options = DataParallel.Options()
          options.auditEverySteps = 2
          options.microBatches = 2
          options.emaDecay = 0.9
          let parallel = try DataParallel(model, communicator, options: options) { make($0) }
          for step in 0..<5 {
            let result = try parallel.step(
              samples: step * 11..<(step + 1) * 11, learningRate: 0.05,
              wantsNorm: step == 3
            ) { OptimizersOnRanksTests.loss(model, $0) }
            try #require(step != 3 || result.gradientNorm! > 0)
          }
          try parallel.audit(includesOptimizer: true)
          parallel.gatherGradients()
          try #require(model.parameters.allSatisfy { $0.grad!.dataType == .float64 })
          return model.parameters.flatMap { $0.doubles() }
        }
        for weights in found {
          #expect(weights == found[0])
          let error: Double = zip(weights, expected).map { abs($0 - $1) }.max()!
          #expect(error < 1e-12, "\(ranks.testDescription): \(error)")
        }
      }
    }
  }
}
