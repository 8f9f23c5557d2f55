import Foundation
import NeuralNetworks
import TensorCore
import TestSupport
import Testing

/// Mean and variance of numbers.
private func moments(_ values: [Double]) -> (mean: Double, variance: Double) {
  let count = Double(values.count)
  let mean = values.reduce(0, +) / count
  return (mean, values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count)
}

@Suite struct InitializersTests {
  @Test(
    "weights and biases are uniform within PyTorch's bounds",
    arguments: [(784, 200), (100, 400), (4, 5000), (1, 3000)])
  func defaultInitialization(_ inputs: Int, _ outputs: Int) throws {
    let goldens = try Goldens("initialization", in: .module)
    let layer = withRandomSource(seed: 7) { Linear(inputs, outputs) }
    for (name, parameter) in layer.namedParameters() {
      func golden(_ part: String) throws -> Double {
        try goldens["\(inputs)x\(outputs)/\(name).\(part)"].number
      }
      let values = parameter.doubles()
      let count = Double(values.count)
      let bound = try golden("bound")
      // Within the bounds, and reaching them: that none of n is in the outer 20 / n has a chance of e^-20.
      #expect(values.allSatisfy { abs($0) <= Double(Float(bound)) })
      #expect(values.max()! > bound * (1 - 40 / count))
      #expect(values.min()! < -bound * (1 - 40 / count))
      // Five standard deviations of the mean and of the variance of n uniform numbers.
      let (mean, variance) = moments(values)
      let expected = try golden("expected_variance")
      #expect(abs(mean) < 5 * (expected / count).squareRoot())
      #expect(abs(variance - expected) < 5 * expected * (0.8 / count).squareRoot())
      // PyTorch's own draw passes the same test.
      #expect(abs(try golden("mean")) < 5 * (expected / count).squareRoot())
      #expect(abs(try golden("variance") - expected) < 5 * expected * (0.8 / count).squareRoot())
    }
  }

  @Test("the normal initializer has its mean and deviation")
  func normal() {
    let values = withRandomSource(seed: 3) { Initializer.normal([100, 200], std: 0.5) }
    #expect(values.shape == [100, 200])
    let (mean, variance) = moments(values.doubles())
    #expect(abs(mean) < 5 * 0.5 / 20000.0.squareRoot())
    #expect(abs(variance - 0.25) < 5 * 0.25 * (2.0 / 20000).squareRoot())
    #expect(values.doubles().contains { abs($0) > 1.5 })
  }

  private func weights(_ model: some Module) -> [[Double]] { model.parameters.map { $0.doubles() } }

  @Test("the same seed gives the same weights, another one others")
  func seeds() {
    func model(_ seed: UInt64) -> Sequential {
      withRandomSource(seed: seed) { Sequential(Linear(5, 4), ReLU(), Linear(4, 4)) }
    }
    #expect(weights(model(1)) == weights(model(1)))
    for (a, b) in zip(weights(model(1)), weights(model(2))) { #expect(a != b) }
  }

  @Test("no two layers of a model start alike, and no two models without a seed")
  func differentLayers() {
    let alike = withRandomSource(seed: 1) { [Linear(4, 4), Linear(4, 4)] }
    #expect(weights(alike[0]) != weights(alike[1]))
    #expect(alike[0].weight.doubles().prefix(4) != alike[0].bias!.doubles()[...])
    #expect(weights(Linear(4, 4)) != weights(Linear(4, 4)))
  }

  @Test("the innermost source counts, and the outer one continues where it was")
  func nested() {
    func bias() -> [Double] { Initializer.fanIn([3], 3).doubles() }
    let plain = withRandomSource(seed: 1) { [bias(), bias()] }
    let nested = withRandomSource(seed: 1) { [bias(), withRandomSource(seed: 2, bias), bias()] }
    #expect(nested[0] == plain[0])
    #expect(nested[2] == plain[1])
    #expect(nested[1] == withRandomSource(seed: 2, bias))
  }

  @Test("layers made at the same time all differ")
  func concurrent() async {
    let biases = await withTaskGroup(of: [Double].self) { group in
      for _ in 0..<500 { group.addTask { Initializer.fanIn([64], 2).doubles() } }
      return await group.reduce(into: Set<[Double]>()) { $0.insert($1) }
    }
    #expect(biases.count == 500)
  }
}
