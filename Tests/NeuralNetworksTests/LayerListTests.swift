import NeuralNetworks
import Settings
import TensorCore
import Testing

@Suite struct LayerListTests {
  private func make(
    _ layers: [String], _ shape: [Int], outputs: Int = 10, tokens: Int? = nil
  ) throws -> any Layer {
    let kind = try #require(ModelKind.all.named("layers"))
    let options = try kind.settings.replacing { $0 == "layers" ? .texts(layers) : nil }
    let model = try kind.make(options, inputShape: shape, outputs: outputs, tokens: tokens, seed: 1)
    let buffers = model.namedBuffers().reduce(0) { $0 + $1.buffer.count }
    #expect(
      try kind.elementCount(options, inputShape: shape, outputs: outputs, tokens: tokens)
        == model.parameterCount + buffers)
    return model
  }

  @Test("a list is the model that its layers make, with the same names and initial weights")
  func sameAsSwift() throws {
    let list = try make(
      [
        "conv 6 3 padding same", "batchNorm", "relu", "pool 2", "dropout 0.2", "flatten",
        "linear 16", "gelu",
      ],
      [1, 8, 8])
    let swift = withRandomSource(seed: 1) {
      Sequential(
        Conv2d(1, 6, kernel: 3, padding: 1), BatchNorm2d(6), ReLU(), MaxPool2d(2), Dropout(0.2),
        Flatten(), Linear(96, 16), GELU(), Linear(16, 10))
    }
    #expect(list.stateDictionary().map(\.name) == swift.stateDictionary().map(\.name))
    let x = Tensor.ones([2, 1, 8, 8])
    #expect(
      withEvaluation { list(x).doubles() } == withEvaluation { swift(x).doubles() })
  }

  @Test(
    "every layer infers its input",
    arguments: [
      (["conv 8 3 stride 2 padding 1", "silu", "globalPool"], [3, 9, 9]),
      (["conv 8 3", "avgPool 2", "layerNorm", "tanh"], [1, 8, 8]),
      (["conv 4 1 groups 2", "maxPool 3 stride 2 padding 1", "leakyRelu"], [2, 8, 8]),
      (["linear 8", "batchNorm", "elu", "linear 10"], [5]),
      (["flatten", "linear 8", "softplus", "sigmoid", "linear outputs"], [2, 3]),
      (["reshape 1 4 6", "conv 2 3"], [24]),
      (
        [
          "conv 4 3 padding same",
          "residual [conv 4 3 padding same, batchNorm, relu, residual [relu]]", "relu",
        ], [3, 6, 6]
      ),
      (["relu"], [4, 5, 6]),
      (["lstm 6 layers 2", "globalPool", "mish"], [4, 5]),
      (["rmsNorm", "gru 6", "prelu"], [4, 5]),
      (["relu6", "flatten", "linear 4", "selu", "hardswish"], [4, 5]),
    ])
  func shapes(_ layers: [String], _ shape: [Int]) throws {
    let model = try make(layers, shape)
    let y = withEvaluation { withoutGrad { model(.ones(TensorShape([2] + shape))) } }
    #expect(y.shape == [2, 10])
  }

  @Test("tokens are embedded")
  func tokens() throws {
    let x = Tensor.zeros([2, 5], .int32)
    let positions = try make(["embedding 8", "linear 4", "relu"], [5], outputs: 7, tokens: 7)
    #expect(withEvaluation { positions(x) }.shape == [2, 5, 7])
    let states = try make(["embedding 8", "lstm 6"], [5], outputs: 7, tokens: 7)
    #expect(withEvaluation { states(x) }.shape == [2, 5, 7])
    #expect(states.namedParameters()[1].name == "1.weight_ih_l0")
    let whole = try make(["embedding 8", "layerNorm", "globalPool"], [5], outputs: 3, tokens: 7)
    #expect(withEvaluation { whole(x) }.shape == [2, 3])
  }

  @Test(
    "an error names the item, its number, the shape that arrives and the remedy",
    arguments: [
      (["flatten", "linear"], [1, 8, 8], "item 2 'linear': 0 numbers; write 'linear N"),
      (
        ["conv 8 3", "lineer 3"], [1, 8, 8],
        "item 2 'lineer 3': unknown layer 'lineer'; did you mean 'linear'?"
      ),
      (
        ["conv 8 3", "linear 3"], [1, 8, 8],
        "item 2 'linear 3': [8, 6, 6] arrives here: put 'flatten'"
      ),
      (["conv 8 9"], [1, 8, 8], "item 1 'conv 8 9': a window of 9 does not fit into [1, 8, 8]"),
      (["conv 8 3"], [28, 28], "and [28, 28] arrives here: put 'reshape 1 28 28' before it"),
      (["conv 8"], [1, 8, 8], "write 'conv CHANNELS KERNEL"),
      (["conv 8 3 strides 2"], [1, 8, 8], "'strides' cannot stand here"),
      (["conv 0 3"], [1, 8, 8], "'0' is no integer from 1"),
      (["conv 99999999999999999999 3"], [1, 8, 8], "is no integer"),
      (["conv 8 4 padding same"], [1, 8, 8], "odd kernel"),
      (["conv 8 3 padding -1"], [1, 8, 8], "padding is '-1'"),
      (["conv 9 3 groups 2"], [2, 8, 8], "2 groups must divide"),
      (["pool 2 padding 2"], [2, 8, 8], "more than half"),
      (["dropout 1"], [2], "at least 0 and below 1"),
      (["reshape 2 2"], [5], "[5] arrives here, which is 5 numbers"),
      (["embedding 8"], [5], "is for tokens"),
      (["residual [linear 4]"], [5], "[5] arrives here, [4] leaves"),
      (["residual"], [5], "write 'residual ["),
      (["residual [lin 4]"], [5], "item 1.1 'lin 4'"),
      (["relu 3"], [5], "1 numbers; write 'relu'"),
      (["flatten", "linear 12"], [5], "ends with '12' outputs, and the data needs 10"),
      ([""], [5], "unknown layer ''"),
      ([], [5], "has 0 items"),
      (["conv 1048576 1", "conv 1048576 1 padding 1048576"], [1, 8, 8], "more than"),
      (["batchNorm"], [4, 5], "use 'layerNorm'"),
      (["lstm"], [4, 5], "write 'lstm UNITS layers N'"),
      (["gru 4"], [3, 4, 5], "needs sequences [length, features], and [3, 4, 5] arrives here"),
      (["lstm 4 layers 1001"], [4, 5], "at most 1000"),
    ])
  func errors(_ layers: [String], _ shape: [Int], _ message: String) {
    let error = #expect(throws: SettingError.self) { try make(layers, shape) }
    #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
  }

  @Test("the summary lists layers with what they give")
  func summary() throws {
    let model = try make(["conv 4 3", "relu", "flatten"], [1, 8, 8])
    let summary = model.layerSummary(of: .ones([1, 1, 8, 8]))
    #expect(summary.map(\.type) == ["Conv2d", "ReLU", "Flatten", "Linear"])
    #expect(summary.map(\.outputShape) == [[4, 6, 6], [4, 6, 6], [144], [10]])
    #expect(summary.map(\.parameterCount) == [40, 0, 0, 1450])
  }
}
