import NeuralNetworks
import Optimizers
import Settings
import TensorCore
import Testing

@Suite struct LearningRateFactorsTests {
  /// The parameters of a model after some steps with gradients that are its values.
  private func trained(
    _ factors: [String], rates: [Double], _ make: (ParameterArena) -> any Optimizer
  ) throws -> [[Double]] {
    let model = withRandomSource(seed: 1) { Sequential(Linear(3, 40), Linear(40, 2)) }
    let arena = ParameterArena(model)
    arena.setLearningRates(try LearningRateFactors(factors))
    let optimizer = make(arena)
    for rate in rates {
      for parameter in model.parameters { parameter.grad = parameter.detached().copy() }
      optimizer.step(learningRate: rate)
    }
    return model.parameters.map { $0.doubles() }
  }

  @Test("a parameter's rate is the step's times the factor of the first pattern that fits")
  func factors() throws {
    let rates = [0.01, 0.02]
    for make: (ParameterArena) -> any Optimizer in [
      { SGD($0, SGD.Options(momentum: 0.9)) }, { AdamW($0) },
    ] {
      let plain = try trained([], rates: rates, make)
      let faster = try trained([], rates: rates.map { $0 * 4 }, make)
      let mixed = try trained(["1.bias 1", "1 4"], rates: rates, make)
      #expect(mixed[0...1] == plain[0...1])
      #expect(mixed[2] == faster[2])
      #expect(mixed[3] == plain[3])
      #expect(try trained(["* 4"], rates: rates, make) == faster)
    }
  }

  @Test("texts that are no factors, and patterns that fit nothing, are errors")
  func errors() throws {
    for text in ["", "head", "head 0", "head -1", "head x", "head 1 2", "head nan", "head inf"] {
      #expect(throws: SettingError.self) { try LearningRateFactors([text]) }
    }
    #expect(try LearningRateFactors(["head.*: 10"]).factor(of: "head.weight") == 10)
    let error = #expect(throws: SettingError.self) {
      try LearningRateFactors(["haed 2"]).check(["body.weight", "head.weight"])
    }
    #expect(error?.description.contains("'learningRates' has 'haed'") == true)
  }
}
