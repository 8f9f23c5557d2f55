import NeuralNetworks
import Optimizers
import TensorCore
import TestSupport
import Testing

@Suite struct Float64TrainingTests {
  @Test("a float64 model trains as PyTorch's", arguments: ["sgd", "adamw"])
  func training(_ name: String) throws {
    let goldens = try Goldens("float64_training", in: .module)
    func initial(_ key: String) throws -> Tensor { try goldens["initial/\(key)"].tensor(.float64) }
    let model = Sequential(
      Linear(weight: try initial("0.weight"), bias: try initial("0.bias")), Tanh(),
      Linear(weight: try initial("2.weight"), bias: try initial("2.bias")))
    let arena = ParameterArena(model)
    let optimizer: any Optimizer =
      name == "sgd" ? SGD(arena, .init(momentum: 0.9, weightDecay: 1e-3)) : AdamW(arena)
    let x = try goldens["data/x"].tensor(.float64)
    let labels = try goldens["data/labels"].tensor(.int32)
    var losses: [Double] = []
    for _ in 0..<20 {
      arena.zeroGrad()
      let loss = crossEntropy(model(x), labels)
      loss.backward()
      optimizer.step(learningRate: name == "sgd" ? 0.1 : 0.01)
      losses.append(loss.item())
    }
    #expect(try goldens["\(name)/losses"].mismatch(losses, tolerance: 1e-12) == nil)
    for (key, parameter) in model.namedParameters() {
      let mismatch = try goldens["\(name)/\(key)"].mismatch(
        parameter, tolerance: 1e-12, relativeTo: .largest)
      #expect(mismatch == nil, "\(key)")
    }
  }
}
