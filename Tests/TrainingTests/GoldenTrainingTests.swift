import Foundation
import NeuralNetworks
import Optimizers
import TensorCore
import TestSupport
import Testing

@Suite("Training compared with PyTorch") struct GoldenTrainingTests {
  @Test("twenty steps have PyTorch's losses and end at its parameters")
  func training() throws {
    let goldens = try Goldens("training", in: .module)
    let model = Sequential(Linear(6, 8), ReLU(), Linear(8, 8), Tanh(), Linear(8, 4))
    var state: [String: Tensor] = [:]
    for (name, _) in model.namedParameters() {
      state[name] = try goldens["initial/\(name)"].tensor()
    }
    try model.load(stateDictionary: state)
    let arena = ParameterArena(model)
    let optimizer = SGD(arena, SGD.Options(momentum: try goldens["momentum"].number))
    let inputs = try goldens["inputs"].tensor()
    let labels = try goldens["labels"].tensor(.int32)
    let learningRate = try goldens["learning_rate"].number
    let losses = (0..<20).map { _ in
      arena.zeroGrad()
      let loss = crossEntropy(model(inputs), labels)
      loss.backward()
      optimizer.step(learningRate: learningRate)
      return loss.item()
    }
    #expect(try goldens["losses"].mismatch(losses, tolerance: 1e-5) == nil)
    for (name, parameter) in model.namedParameters() {
      let mismatch = try goldens["final/\(name)"].mismatch(
        parameter, tolerance: 1e-5, relativeTo: .largest)
      #expect(mismatch == nil, "\(name)")
    }
  }
}
