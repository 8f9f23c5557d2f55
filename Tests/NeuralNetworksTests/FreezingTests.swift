import NeuralNetworks
import Settings
import TensorCore
import Testing

@Suite struct FreezingTests {
  @Test(
    "patterns fit names as those of a shell, and modules as a whole",
    arguments: [
      ("features.*", "features.0.weight", true), ("features", "features.0.weight", true),
      ("feature", "features.0.weight", false), ("*.bias", "features.0.bias", true),
      ("*.bias", "features.0.weight", false), ("?.weight", "0.weight", true),
      ("?.weight", "10.weight", false), ("*", "a.b", true), ("", "a", false),
      ("layer[12]", "layer1.weight", false),
      ("*a*a*a*a*a*a*a*a*b", String(repeating: "a", count: 99), false),
    ])
  func patterns(_ pattern: String, _ name: String, _ fits: Bool) {
    #expect(NamePattern(pattern).fits(name) == fits)
  }

  private struct Network: Layer {
    let features = Sequential(Conv2d(1, 2, kernel: 3), BatchNorm2d(2), ReLU())
    let head = Linear(2 * 16, 3)

    func callAsFunction(_ x: Tensor) -> Tensor { head(features(x).flattened(from: 1)) }
  }

  @Test("frozen parameters get no gradient, and frozen statistics stay and are used")
  func freeze() throws {
    let model = Network()
    let x = Tensor.ones([4, 1, 6, 6])
    withTraining { _ = model(x) }
    let before = model.namedBuffers().map { $0.buffer.doubles() }
    try model.freeze(["features.*"])
    #expect(model.trainedParameters().map(\.name) == ["head.weight", "head.bias"])
    let y = withTraining { model(x) }
    y.sum().backward()
    #expect(model.features.parameters.allSatisfy { $0.grad == nil })
    #expect(model.head.parameters.allSatisfy { $0.grad != nil })
    #expect(model.namedBuffers().map { $0.buffer.doubles() } == before)
    #expect(y.doubles() == withEvaluation { withoutGrad { model(x) } }.doubles())
  }

  @Test(
    "a batch normalization with one trained parameter keeps to the batch, and frozen ones pass gradients on"
  )
  func partly() throws {
    let model = Sequential(Linear(3, 4), BatchNorm1d(4), Linear(4, 2))
    try model.freeze(["1.bias"])
    let x = Tensor.of([1, 2, 3, 4, 5, 7] as [Float], shape: [2, 3])
    withTraining { _ = model(x) }
    #expect(model.namedBuffers()[0].buffer.doubles() != [0, 0, 0, 0])
    let frozen = Sequential(Linear(3, 4), BatchNorm1d(4), Linear(4, 2))
    try frozen.freeze(["1"])
    withTraining { frozen(x).sum().backward() }
    #expect(frozen.namedBuffers()[0].buffer.doubles() == [0, 0, 0, 0])
    #expect(frozen.parameters[0].grad?.doubles().contains { $0 != 0 } == true)
  }

  @Test("a pattern that fits nothing names the nearest, and something must be left to train")
  func errors() {
    let error = #expect(throws: SettingError.self) { try Network().freeze(["featurs.*"]) }
    #expect(error?.description.contains("'freeze' has 'featurs.*'") == true)
    #expect(error?.description.contains("near: features") == true)
    let all = #expect(throws: SettingError.self) { try Network().freeze(["*"]) }
    #expect(all?.description.contains("nothing is left to train") == true)
  }
}
