import NeuralNetworks
import Optimizers
import TensorCore
import TestSupport
import Testing

@Suite struct AdamWTests {
  private static let cases = [
    "default", "large_rate", "decay", "no_decay", "betas", "epsilon", "missing_gradients",
  ]

  @Test("ten steps are PyTorch's", arguments: cases)
  func trajectory(_ name: String) throws {
    let goldens = try Goldens("adamw", in: .module)
    func setting(_ key: String) throws -> Double { try goldens["\(name)/\(key)"].number }
    let layer = Linear(
      weight: try goldens["initial/weight"].tensor(), bias: try goldens["initial/bias"].tensor())
    let arena = ParameterArena(layer)
    let betas = try goldens["\(name)/betas"].values
    let optimizer = AdamW(
      arena,
      AdamW.Options(
        beta1: betas[0], beta2: betas[1], epsilon: try setting("epsilon"),
        weightDecay: try setting("weight_decay")))
    let hasBiasGradient = try goldens["\(name)/has_bias_gradient"].values
    for step in hasBiasGradient.indices {
      arena.zeroGrad()
      for (key, parameter) in layer.namedParameters()
      where key != "bias" || hasBiasGradient[step] == 1 {
        parameter.backward(gradient: try goldens["gradients/\(key)"].selected(step).tensor())
      }
      optimizer.step(learningRate: try setting("learning_rate"))
      for (key, parameter) in layer.namedParameters() {
        let mismatch = try goldens["\(name)/\(key)"].selected(step).mismatch(
          parameter, tolerance: 1e-6, relativeTo: .largest)
        #expect(mismatch == nil, "\(key) after step \(step)")
      }
    }
    for entry in arena.entries {
      for (suffix, moments) in [("m", optimizer.firstMoment), ("v", optimizer.secondMoment)] {
        let mismatch = try goldens["\(name)/\(entry.name).\(suffix)"].mismatch(
          moments[entry.range].array(), tolerance: 1e-6, relativeTo: .largest)
        #expect(mismatch == nil, "\(suffix) of \(entry.name)")
      }
    }
    let biasSteps = Int(hasBiasGradient.reduce(0, +))
    #expect(optimizer.stepCounts == [biasSteps, hasBiasGradient.count])
  }

  @Test("every golden is compared")
  func complete() throws {
    let cases = try Goldens("adamw", in: .module).cases.subtracting(["initial", "gradients"])
    #expect(cases == Set(AdamWTests.cases))
  }

  @Test("the defaults are PyTorch's")
  func defaults() {
    #expect(
      AdamW.Options()
        == AdamW.Options(beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01))
  }

  @Test("only the parameters that are named decay")
  func decays() {
    let layer = Linear(weight: Tensor([[2]] as [[Float]]), bias: Tensor([3] as [Float]))
    let arena = ParameterArena(layer)
    let optimizer = AdamW(arena, AdamW.Options(weightDecay: 0.5)) { $0.parameter.shape.count > 1 }
    layer.weight.grad = .zeros([1, 1])
    layer.bias?.grad = .zeros([1])
    optimizer.step(learningRate: 0.5)
    #expect(layer.weight.doubles() == [1.5])
    #expect(layer.bias?.doubles() == [3])
    #expect(arena.values.allSatisfy { $0.isFinite })
  }

  @Test("training continues from restored moments")
  func restore() {
    func run(_ steps: Range<Int>, _ layer: Linear, _ optimizer: AdamW) {
      for step in steps {
        optimizer.arena.zeroGrad()
        layer.weight.backward(gradient: .full([1, 2], Double(step)))
        optimizer.step(learningRate: 0.1)
      }
    }
    let values = Tensor([[1, -2]] as [[Float]])
    let straight = Linear(weight: values.copy())
    run(1..<5, straight, AdamW(ParameterArena(straight)))
    let first = Linear(weight: values.copy())
    let before = AdamW(ParameterArena(first))
    run(1..<3, first, before)
    let second = Linear(weight: first.weight.copy().detached())
    let after = AdamW(ParameterArena(second))
    after.firstMoment.copy(from: before.firstMoment)
    after.secondMoment.copy(from: before.secondMoment)
    after.restore(stateCounters: before.stateCounters)
    run(3..<5, second, after)
    #expect(second.weight.doubles() == straight.weight.doubles())
  }

  @Test("options that make no sense are refused")
  func invalid() async {
    await #expect(processExitsWith: .failure) { _ = AdamW.Options(beta1: 1) }
    await #expect(processExitsWith: .failure) { _ = AdamW.Options(epsilon: 0) }
    await #expect(processExitsWith: .failure) { _ = AdamW.Options(weightDecay: -1) }
  }
}
