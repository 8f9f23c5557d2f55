import Foundation
import NeuralNetworks
import Optimizers
import TensorCore
import TestSupport
import Testing

@Suite struct SGDTests {
  private static let cases = [
    "plain", "weight_decay", "momentum", "momentum_weight_decay", "dampening",
    "dampening_weight_decay", "nesterov", "nesterov_weight_decay", "falling_rate",
    "missing_gradients", "missing_gradients_plain",
  ]

  @Test("ten steps are PyTorch's", arguments: cases)
  func trajectory(_ name: String) throws {
    let goldens = try Goldens("sgd", in: .module)
    func setting(_ key: String) throws -> Double { try goldens["\(name)/\(key)"].number }
    let layer = Linear(
      weight: try goldens["initial/weight"].tensor(), bias: try goldens["initial/bias"].tensor())
    let arena = ParameterArena(layer)
    let optimizer = SGD(
      arena,
      SGD.Options(
        momentum: try setting("momentum"), dampening: try setting("dampening"),
        weightDecay: try setting("weight_decay"), nesterov: try setting("nesterov") == 1))
    let rates = try goldens["\(name)/learning_rates"].values
    let hasBiasGradient = try goldens["\(name)/has_bias_gradient"].values
    for (step, rate) in rates.enumerated() {
      arena.zeroGrad()
      for (key, parameter) in layer.namedParameters()
      where key != "bias" || hasBiasGradient[step] == 1 {
        parameter.backward(gradient: try goldens["gradients/\(key)"].selected(step).tensor())
      }
      optimizer.step(learningRate: rate)
      for (key, parameter) in layer.namedParameters() {
        let mismatch = try goldens["\(name)/\(key)"].selected(step).mismatch(
          parameter, tolerance: 1e-6, relativeTo: .largest)
        #expect(mismatch == nil, "\(key) after step \(step)")
      }
    }
    guard try setting("momentum") != 0 else {
      #expect(optimizer.velocity == nil)
      return
    }
    for entry in arena.entries {
      let velocity = try #require(optimizer.velocity)[entry.range].array()
      let mismatch = try goldens["\(name)/\(entry.name).velocity"].mismatch(
        velocity, tolerance: 1e-6, relativeTo: .largest)
      #expect(mismatch == nil, "velocity of \(entry.name)")
    }
  }

  @Test("every golden is compared")
  func complete() throws {
    let cases = try Goldens("sgd", in: .module).cases.subtracting(["initial", "gradients"])
    #expect(cases == Set(SGDTests.cases))
  }

  @Test("a parameter without a gradient is left alone, and so is its velocity")
  func missingGradient() {
    let model = Sequential(Linear(2, 3), Linear(3, 3), Linear(3, 2))
    let arena = ParameterArena(model)
    let optimizer = SGD(arena, SGD.Options(momentum: 0.9, weightDecay: 0.1))
    func step(_ skipped: Int?) {
      arena.zeroGrad()
      for (index, entry) in arena.entries.enumerated() where index != skipped {
        entry.parameter.backward(gradient: .ones(entry.parameter.shape))
      }
      optimizer.step(learningRate: 0.1)
    }
    step(2)
    #expect(optimizer.hasVelocity == [true, true, false, true, true, true])
    step(nil)
    for skipped in arena.entries.indices {
      let values = arena.entries.map { $0.parameter.doubles() }
      let velocity = arena.entries.map { optimizer.velocity![$0.range].array() }
      step(skipped)
      for (index, entry) in arena.entries.enumerated() {
        let isSame = entry.parameter.doubles() == values[index]
        let isSameVelocity = optimizer.velocity![entry.range].array() == velocity[index]
        #expect(isSame == (index == skipped))
        #expect(isSameVelocity == (index == skipped))
      }
    }
  }

  @Test("a step without any gradient changes nothing")
  func noGradients() {
    let layer = Linear(2, 3)
    let arena = ParameterArena(layer)
    let before = Array(arena.values)
    SGD(arena, SGD.Options(momentum: 0.9, weightDecay: 1)).step(learningRate: 1)
    #expect(Array(arena.values) == before)
  }

  @Test("a shared parameter is updated once, by all its gradients")
  func sharedParameter() {
    let layer = Linear(weight: Tensor([[2]] as [[Float]]))
    let model = Sequential(layer, layer)
    let arena = ParameterArena(model)
    #expect(arena.entries.map(\.name) == ["0.weight"])
    model(Tensor([[3]] as [[Float]])).sum().backward()
    SGD(arena).step(learningRate: 0.125)
    // d(w w x) / dw = 2 w x = 12
    #expect(layer.weight.doubles() == [0.5])
  }

  @Test("gradients that were assigned, or that a backward with createGraph left, are used")
  func gradientsFromElsewhere() {
    let layer = Linear(weight: Tensor([[2]] as [[Float]]), bias: Tensor([1] as [Float]))
    let arena = ParameterArena(layer)
    let optimizer = SGD(arena)
    layer.weight.grad = Tensor([[4]] as [[Float]])
    #expect(arena.gradientNorm() == 4)
    optimizer.step(learningRate: 0.25)
    #expect(layer.weight.doubles() == [1])
    #expect(layer.bias?.doubles() == [1])
    arena.zeroGrad()
    layer(Tensor([[8]] as [[Float]])).sum().backward(createGraph: true)
    optimizer.step(learningRate: 0.25)
    #expect(layer.weight.doubles() == [-1])
    #expect(layer.bias?.doubles() == [0.75])
  }

  @Test("a step is noticed by a backward that needs the old values")
  func version() async {
    await #expect(processExitsWith: .failure) {
      let layer = Linear(2, 1)
      let x = Tensor.ones([1, 2])
      x.requiresGrad = true
      let y = layer(x).sum()
      SGD(ParameterArena(layer)).step(learningRate: 0.1)
      y.backward()
    }
  }

  @Test("training continues from a restored velocity")
  func restore() {
    let values = Tensor([[1, -2]] as [[Float]])
    func run(_ steps: Range<Int>, _ layer: Linear, _ optimizer: SGD) {
      for step in steps {
        optimizer.arena.zeroGrad()
        layer.weight.backward(gradient: .full([1, 2], Double(step)))
        optimizer.step(learningRate: 0.1)
      }
    }
    let options = SGD.Options(momentum: 0.9, dampening: 0.5)
    let straight = Linear(weight: values.copy())
    run(1..<5, straight, SGD(ParameterArena(straight), options))
    let first = Linear(weight: values.copy())
    let before = SGD(ParameterArena(first), options)
    run(1..<3, first, before)
    let second = Linear(weight: first.weight.copy().detached())
    let after = SGD(ParameterArena(second), options)
    after.velocity!.copy(from: before.velocity!)
    after.restore(stateCounters: before.stateCounters)
    run(3..<5, second, after)
    #expect(second.weight.doubles() == straight.weight.doubles())
  }

  @Test("Nesterov momentum without momentum or with dampening is refused")
  func invalidNesterov() async {
    await #expect(processExitsWith: .failure) { _ = SGD.Options(nesterov: true) }
    await #expect(processExitsWith: .failure) {
      _ = SGD.Options(momentum: 0.9, dampening: 0.1, nesterov: true)
    }
  }
}
