import NeuralNetworks
import Optimizers
import Settings
import TensorCore
import Testing

@Suite struct ParameterGroupTests {
  private static let methods: [@Sendable (ParameterArena) -> any Optimizer] = [
    { SGD($0, .init(momentum: 0.9, weightDecay: 0.1)) }, { AdamW($0, .init(weightDecay: 0.1)) },
    { Adam($0, .init(weightDecay: 0.1)) }, { RMSprop($0, .init(weightDecay: 0.1)) },
    { Adagrad($0, .init(weightDecay: 0.1)) }, { Lion($0, .init(weightDecay: 0.1)) },
    { LARS($0, .init(weightDecay: 0.1)) }, { LAMB($0, .init(weightDecay: 0.1)) },
  ]

  private func model() -> Sequential {
    withRandomSource(seed: 1) { Sequential(Linear(3, 40), Linear(40, 2)) }
  }

  /// The parameters after three steps with gradients that are their sines.
  private func trained(
    rate: Double = 0.01, _ make: (ParameterArena) -> any Optimizer,
    _ prepare: (ParameterArena) throws -> Void = { _ in }
  ) throws -> [[Double]] {
    let model = model()
    let arena = ParameterArena(model)
    try prepare(arena)
    let optimizer = make(arena)
    for _ in 0..<3 {
      for parameter in model.parameters { parameter.grad = parameter.detached().sin() }
      optimizer.step(learningRate: rate)
    }
    return model.parameters.map { $0.doubles() }
  }

  @Test("a group has its own weight decay and rate, as two optimizers would", arguments: methods)
  func groups(_ make: @escaping @Sendable (ParameterArena) -> any Optimizer) throws {
    let plain = try trained(make)
    let faster = try trained(rate: 0.04, make)
    let spared = try trained(make) { $0.setGroups([ParameterGroup("*", weightDecay: 0)]) }
    let mixed = try trained(make) {
      $0.setGroups([
        ParameterGroup("0.bias", "1.bias", weightDecay: 0), ParameterGroup("1", learningRate: 4),
      ])
    }
    #expect(mixed[0] == plain[0] && mixed[1] == spared[1])
    #expect(mixed[2] == faster[2] && mixed[3] == spared[3])
    #expect(spared != plain && faster != plain)
  }

  @Test("factors by text do the same, and override what the optimizer spares")
  func texts() throws {
    let bias = { @Sendable (arena: ParameterArena) -> any Optimizer in
      AdamW(arena, .init(weightDecay: 0.5)) { $0.parameter.shape.count > 1 }
    }
    let all = try trained { AdamW($0, .init(weightDecay: 0.5)) }
    let usual = try trained(bias)
    #expect(all != usual)
    #expect(try trained(bias) { $0.setWeightDecays(try WeightDecayFactors(["* 1"])) } == all)
    let none = try trained { AdamW($0, .init(weightDecay: 0)) }
    #expect(try trained(bias) { $0.setWeightDecays(try WeightDecayFactors(["* 0"])) } == none)
    #expect(try trained(bias) { $0.setWeightDecays(try WeightDecayFactors([])) } == usual)
  }

  @Test("texts that are no factors, and patterns that fit nothing, are errors")
  func errors() async throws {
    for text in ["", "head", "head -1", "head x", "head 1 2", "head nan", "head inf"] {
      let error = #expect(throws: SettingError.self) { try WeightDecayFactors([text]) }
      #expect(error?.setting == "weightDecays")
    }
    #expect(try WeightDecayFactors(["*.bias: 0"]).factor(of: "head.bias") == 0)
    #expect(try WeightDecayFactors(["*.bias: 0"]).factor(of: "head.weight") == nil)
    let error = #expect(throws: SettingError.self) {
      try WeightDecayFactors(["haed 2"]).check(["body.weight", "head.weight"])
    }
    #expect(error?.description.contains("'weightDecays' has 'haed'") == true)
    await #expect(processExitsWith: .failure) {
      ParameterArena(Linear(1, 1)).setGroups([ParameterGroup("heat", learningRate: 2)])
    }
    await #expect(processExitsWith: .failure) { _ = ParameterGroup("a", weightDecay: -1) }
  }
}
