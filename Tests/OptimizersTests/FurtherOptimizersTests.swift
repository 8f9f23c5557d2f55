import NeuralNetworks
import Optimizers
import TensorCore
import TestSupport
import Testing

/// Adam, RMSprop, Adagrad, Lion, LARS and LAMB against reference trajectories of 50 steps.
@Suite struct FurtherOptimizersTests {
  struct Method: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let learningRate: Double
    let make: @Sendable (ParameterArena) -> any Optimizer

    init(
      _ name: String, _ learningRate: Double,
      _ make: @escaping @Sendable (ParameterArena) -> any Optimizer
    ) {
      (testDescription, self.learningRate, self.make) = (name, learningRate, make)
    }
  }

  private static func isMatrix(_ entry: ParameterArena.Entry) -> Bool {
    entry.parameter.shape.count > 1
  }

  static let methods = [
    Method("adam", 0.01) { Adam($0) },
    Method("adam_decay", 0.02) {
      Adam($0, .init(beta1: 0.8, beta2: 0.95, epsilon: 1e-3, weightDecay: 0.1))
    },
    Method("adam_amsgrad", 0.02) { Adam($0, .init(beta1: 0.5, beta2: 0.7, amsgrad: true)) },
    Method("adam_missing", 0.02) { Adam($0, .init(weightDecay: 0.1)) },
    Method("rmsprop", 0.01) { RMSprop($0) },
    Method("rmsprop_momentum", 0.01) { RMSprop($0, .init(momentum: 0.9, weightDecay: 0.1)) },
    Method("rmsprop_centered", 0.01) {
      RMSprop($0, .init(alpha: 0.9, epsilon: 1e-2, centered: true))
    },
    Method("rmsprop_all", 0.01) {
      RMSprop($0, .init(alpha: 0.9, epsilon: 1e-2, momentum: 0.5, centered: true))
    },
    Method("adagrad", 0.1) { Adagrad($0) },
    Method("adagrad_all", 0.1) {
      Adagrad(
        $0, .init(rateDecay: 0.1, initialAccumulator: 0.5, epsilon: 1e-3, weightDecay: 0.1))
    },
    Method("adagrad_missing", 0.1) { Adagrad($0, .init(rateDecay: 0.1)) },
    Method("lion", 1.0 / 64) { Lion($0) },
    Method("lion_decay", 1.0 / 64) { Lion($0, .init(beta1: 0.75, beta2: 0.9, weightDecay: 0.5)) },
    Method("lars", 0.5) { LARS($0, .init(trustCoefficient: 0.02)) },
    Method("lars_decay", 0.5) {
      LARS(
        $0, .init(momentum: 0.5, trustCoefficient: 0.02, weightDecay: 0.1), adapts: isMatrix)
    },
    Method("lamb", 0.02) { LAMB($0) },
    Method("lamb_decay", 0.02) {
      LAMB($0, .init(beta1: 0.8, beta2: 0.95, weightDecay: 0.3), adapts: isMatrix)
    },
    Method("lamb_missing", 0.02) { LAMB($0) },
  ]

  /// Steps along the gradients of the goldens, in a type, and compares after each.
  private func compare(_ method: Method, _ type: DataType, tolerance: Double) throws {
    let goldens = try Goldens("optimizers", in: .module)
    let name = method.testDescription
    let layer = Linear(
      weight: try goldens["initial/weight"].tensor(type),
      bias: try goldens["initial/bias"].tensor(type))
    let arena = ParameterArena(layer)
    #expect(arena.dataType == type)
    let optimizer = method.make(arena)
    let hasBias = try goldens["has_bias_gradient/steps"].values
    try #require(hasBias.count == 50)
    for step in hasBias.indices {
      arena.zeroGrad()
      for (key, parameter) in layer.namedParameters()
      where key != "bias" || !name.hasSuffix("missing") || hasBias[step] == 1 {
        parameter.backward(gradient: try goldens["gradients/\(key)"].selected(step).tensor(type))
      }
      optimizer.step(learningRate: method.learningRate)
      for (key, parameter) in layer.namedParameters() where step % 5 == 4 {
        let mismatch = try goldens["\(name)/\(key)"].selected(step / 5).mismatch(
          parameter, tolerance: tolerance, relativeTo: .largest)
        #expect(mismatch == nil, "\(key) after step \(step)")
      }
    }
    for entry in arena.entries {
      for (state, values) in optimizer.stateBuffers {
        let found = values[entry.range].array()
        let golden = "\(name)/\(entry.name).\(state)"
        #expect(
          try goldens[golden].mismatch(found, tolerance: tolerance, relativeTo: .largest) == nil,
          "\(golden)")
      }
    }
  }

  @Test("50 steps in float64 are the reference's", arguments: methods)
  func float64(_ method: Method) throws { try compare(method, .float64, tolerance: 1e-12) }

  @Test("50 steps in float32 are the reference's, to rounding", arguments: methods)
  func float32(_ method: Method) throws { try compare(method, .float32, tolerance: 1e-5) }

  @Test("every golden is compared, and every state is PyTorch's by name")
  func complete() throws {
    let goldens = try Goldens("optimizers", in: .module)
    #expect(
      goldens.cases.subtracting(["initial", "gradients", "has_bias_gradient"])
        == Set(FurtherOptimizersTests.methods.map(\.testDescription)))
    let layer = Linear(2, 3)
    for method in FurtherOptimizersTests.methods {
      let states = method.make(ParameterArena(layer)).stateBuffers.map(\.name)
      let name = method.testDescription
      let expected = goldens.names.filter { $0.hasPrefix("\(name)/bias.") }
        .map { String($0.dropFirst("\(name)/bias.".count)) }
      #expect(Set(states) == Set(expected))
    }
  }

  @Test("a zero norm leaves the step of a layer as it is")
  func zeroNorm() {
    for make: (ParameterArena) -> any Optimizer in [
      { LARS($0, .init(momentum: 0)) }, { LAMB($0, .init(weightDecay: 0)) },
    ] {
      let layer = Linear(weight: .zeros([3, 2]))
      let arena = ParameterArena(layer)
      let optimizer = make(arena)
      layer.weight.grad = .ones([3, 2])
      optimizer.step(learningRate: 0.5)
      #expect(layer.weight.doubles().allSatisfy { abs($0 + 0.5) < 1e-5 })
    }
  }

  @Test("LARS moves a layer by a fraction of its weights, however large the gradient is")
  func layerwise() {
    for scale in [1e-3, 1, 1e3] {
      let layer = withRandomSource(seed: 1) { Linear(300, 200) }
      let arena = ParameterArena(layer)
      let optimizer = LARS(arena, .init(momentum: 0, trustCoefficient: 0.01))
      let before = layer.weight.copy().detached()
      layer.weight.grad = before.sin() * scale
      layer.bias!.grad = .full([200], scale)
      optimizer.step(learningRate: 0.1)
      func norm(_ x: Tensor) -> Double { x.squared().sum().item().squareRoot() }
      let step: Tensor = withoutGrad { layer.weight - before }
      let moved: Double = norm(step) / norm(before)
      #expect(abs(moved - 0.001) < 1e-6)
    }
  }

  @Test("options that make no sense are refused")
  func invalid() async {
    await #expect(processExitsWith: .failure) { _ = Adam.Options(beta2: 1) }
    await #expect(processExitsWith: .failure) { _ = RMSprop.Options(alpha: -0.1) }
    await #expect(processExitsWith: .failure) { _ = Adagrad.Options(epsilon: 0) }
    await #expect(processExitsWith: .failure) { _ = Lion.Options(beta1: 1) }
    await #expect(processExitsWith: .failure) { _ = LARS.Options(weightDecay: -1) }
    await #expect(processExitsWith: .failure) { _ = LAMB.Options(epsilon: 0) }
  }
}
