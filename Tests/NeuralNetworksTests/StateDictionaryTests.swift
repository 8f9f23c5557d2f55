import NeuralNetworks
import TensorCore
import Testing

@Suite struct StateDictionaryTests {
  private func model(_ seed: UInt64) -> Sequential {
    withRandomSource(seed: seed) { Sequential(Linear(3, 4), ReLU(), Linear(4, 2)) }
  }

  private func state(_ model: some Module) -> [String: Tensor] {
    Dictionary(uniqueKeysWithValues: model.stateDictionary().map { ($0.name, $0.value) })
  }

  @Test("a state dictionary has all values under their names, without gradients and without copies")
  func contents() {
    let model = model(1)
    let state = model.stateDictionary()
    #expect(state.map(\.name) == ["0.weight", "0.bias", "2.weight", "2.bias"])
    for ((_, value), parameter) in zip(state, model.parameters) {
      #expect(value.shape == parameter.shape)
      #expect(!value.requiresGrad)
      #expect(value.bytes == parameter.bytes)
    }
  }

  @Test("loading copies the values")
  func load() throws {
    let (source, target) = (model(1), model(2))
    let x = Tensor([[0.5, -1, 2]] as [[Float]])
    let before = target.parameters.map { $0.bytes }
    #expect(source(x).doubles() != target(x).doubles())
    try target.load(stateDictionary: state(source))
    #expect(source(x).doubles() == target(x).doubles())
    // The parameters are the ones they were, in memory of their own.
    #expect(target.parameters.map { $0.bytes } == before)
    source.parameters[0].assign(.zeros([4, 3]))
    #expect(source(x).doubles() != target(x).doubles())
  }

  @Test("loading takes tensors of any layout")
  func loadTransposed() throws {
    let layer = Linear(2, 2, bias: false)
    try layer.load(stateDictionary: [
      "weight": Tensor([[1, 2], [3, 4]] as [[Float]]).transposed()
    ])
    #expect(layer.weight.doubles() == [1, 3, 2, 4])
  }

  @Test("loading is seen by a backward that needs the old values")
  func version() async {
    await #expect(processExitsWith: .failure) {
      let layer = Linear(2, 2)
      let x = Tensor.ones([1, 2])
      x.requiresGrad = true
      let y = layer(x).sum()
      try layer.load(stateDictionary: ["weight": .ones([2, 2]), "bias": .zeros([2])])
      y.backward()
    }
  }

  private func failure(
    _ change: (inout [String: Tensor]) -> Void
  ) throws -> StateDictionaryError {
    let model = model(1)
    let before = model.parameters.map { $0.doubles() }
    var state = state(self.model(2))
    change(&state)
    let error = try #require(throws: StateDictionaryError.self) {
      try model.load(stateDictionary: state)
    }
    #expect(model.parameters.map { $0.doubles() } == before, "something was changed")
    return error
  }

  @Test("a missing name is an error")
  func missing() throws {
    let error = try failure {
      $0["2.bias"] = nil
      $0["0.bias"] = nil
    }
    #expect(error.missing == ["0.bias", "2.bias"])
    #expect(error.unexpected.isEmpty)
    #expect(error.mismatched.isEmpty)
    #expect(
      error.description == "the weights do not fit the model (missing: 0.bias, 2.bias)")
  }

  @Test("a name that the model lacks is an error")
  func unexpected() throws {
    let error = try failure {
      $0["3.weight"] = .ones([1])
      $0["1.weight"] = .ones([1])
    }
    #expect(error.unexpected == ["1.weight", "3.weight"])
    #expect(error.missing.isEmpty)
    #expect(
      error.description == "the weights do not fit the model (not in the model: 1.weight, 3.weight)"
    )
  }

  @Test("another shape or type is an error, also where it would broadcast")
  func mismatched() throws {
    let error = try failure {
      $0["0.weight"] = .ones([3, 4])
      $0["0.bias"] = .ones([1])
      $0["2.bias"] = .ones([2], .float64)
    }
    #expect(
      error.mismatched == [
        "0.weight is float32 [3, 4], the model's float32 [4, 3]",
        "0.bias is float32 [1], the model's float32 [4]",
        "2.bias is float64 [2], the model's float32 [2]",
      ])
    #expect(error.missing.isEmpty && error.unexpected.isEmpty)
    #expect(error.description.contains("different: 0.weight is float32 [3, 4]"))
  }

  @Test("all differences are told at once")
  func together() throws {
    let error = try failure {
      $0["2.bias"] = nil
      $0["other"] = .ones([1])
      $0["0.bias"] = .ones([5])
    }
    #expect(error.missing == ["2.bias"])
    #expect(error.unexpected == ["other"])
    #expect(error.mismatched.count == 1)
    for part in ["2.bias", "other", "0.bias"] { #expect(error.description.contains(part)) }
  }
}
