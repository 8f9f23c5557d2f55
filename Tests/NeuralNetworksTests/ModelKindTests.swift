import NeuralNetworks
import Settings
import TensorCore
import Testing

@Suite struct ModelKindTests {
  /// A shape that each kind of inputs takes.
  private func shape(_ inputs: ModelKind.Inputs) -> [Int] {
    switch inputs {
    case .numbers, .any: [2, 3]
    case .squareImages(let smallest, _): [1, smallest, smallest]
    case .tokens: [5]
    }
  }

  /// Outputs that a kind has for such a shape: three, or as many for each pixel.
  private func outputs(_ kind: ModelKind) -> Int {
    kind.name == "unet" ? 3 * shape(kind.inputs).suffix(2).reduce(1, *) : 3
  }

  @Test("every named model is made for its inputs and gives its outputs")
  func all() throws {
    #expect(
      ModelKind.all.names == [
        "mlp", "perceptron", "lenet", "cnn", "vgg11", "vgg13", "vgg16", "vgg19", "resnet18",
        "resnet34", "resnet50", "mobilenetV2", "unet", "vit", "gpt", "llama", "lstm",
        "layers",
      ])
    for kind in ModelKind.all {
      let shape = shape(kind.inputs)
      let outputs = outputs(kind)
      let model = try kind.make(kind.settings, inputShape: shape, outputs: outputs, seed: 1)
      let x =
        kind.inputs == .tokens
        ? Tensor.zeros([1, 5], .int32) : .ones(TensorShape([1] + shape))
      let y = withEvaluation { withoutGrad { model(x) } }
      let expected: TensorShape =
        kind.inputs == .tokens ? [1, 5, 3] : kind.name == "unet" ? [1, 3, 2, 2] : [1, 3]
      #expect(y.shape == expected, "\(kind.name)")
    }
  }

  @Test("the elements of a model are counted without making it")
  func elementCounts() throws {
    for kind in ModelKind.all {
      let shape = shape(kind.inputs)
      let outputs = outputs(kind)
      let model = try kind.make(kind.settings, inputShape: shape, outputs: outputs, seed: 1)
      let buffers = model.namedBuffers().reduce(0) { $0 + $1.buffer.count }
      let before = MemoryStatistics.current.bytesReserved
      let count = try kind.elementCount(
        kind.settings, inputShape: shape, outputs: outputs)
      #expect(count == model.parameterCount + buffers, "\(kind.name)")
      #expect(MemoryStatistics.current.bytesReserved - before < 1 << 20, "\(kind.name)")
    }
  }

  @Test("huge shapes and options neither trap nor allocate")
  func hugeShapes() throws {
    let mlp = try #require(ModelKind.all.named("mlp"))
    let wide = try mlp.settings.replacing { $0 == "hidden" ? [1_048_576, 1_048_576] : nil }
    #expect(
      try mlp.elementCount(wide, inputShape: [64], outputs: 10)
        == 65 << 20 + (1 << 40 + 1 << 20) + 10 * (1 << 20 + 1))
    let most = 1 << 40
    let shapes: [[Int]] = [
      [most], [1, 1 << 20, 1 << 20], [1 << 20, 1 << 10, 1 << 10], [1 << 38, 2, 2],
      [1, 1 << 5, 1 << 5], [1 << 41], [Int.max, Int.max], [Int.max, 2], [-1, -4], [0], [],
      [1 << 62, 4, 1], [0, 1 << 62, 4],
    ]
    for kind in ModelKind.all {
      for shape in shapes {
        for outputs in [Int.min, -1, 0, 1, most, most + 1, .max] {
          do {
            let count = try kind.elementCount(kind.settings, inputShape: shape, outputs: outputs)
            #expect(1...most ~= outputs && shape.allSatisfy { 1...most ~= $0 })
            #expect(count ?? 1 > 0)
          } catch {
            #expect((error as? SettingError)?.setting == "kind", "\(kind.name) \(shape)")
          }
        }
      }
    }
    let perceptron = try #require(ModelKind.all.named("perceptron"))
    #expect(try perceptron.elementCount(NoSettings(), inputShape: [most], outputs: most) == nil)
    let gpt = try #require(ModelKind.all.named("gpt"))
    let largest = try gpt.settings.replacing { ["blocks": 1024, "width": 1_048_576][$0] }
    #expect(try gpt.elementCount(largest, inputShape: [1 << 20], outputs: 100_000)! > 1 << 50)
  }

  @Test("options reach the model")
  func options() throws {
    func names(_ kind: ModelKind, _ values: [String: SettingValue]) throws -> [String] {
      try kind.make(
        kind.settings.replacing { values[$0] }, inputShape: shape(kind.inputs), outputs: 3, seed: 1
      ).namedParameters().map { "\($0.name) \($0.parameter.shape)" }
    }
    let mlp = try #require(ModelKind.all.named("mlp"))
    #expect(
      try names(mlp, ["hidden": [5]]) == [
        "1.weight [5, 6]", "1.bias [5]", "3.weight [3, 5]", "3.bias [3]",
      ])
    // Dropout is a layer of its own.
    #expect(try names(mlp, ["hidden": [5], "dropout": 0.5])[2] == "4.weight [3, 5]")
    let gpt = try #require(ModelKind.all.named("gpt"))
    let parameters = try names(gpt, ["blocks": 2, "width": 8, "heads": 2])
    #expect(parameters.contains("h.1.ln_1.weight [8]"))
    #expect(!parameters.contains { $0.hasPrefix("h.2.") })
  }

  @Test("the seed decides the initial weights")
  func seed() throws {
    func weights(_ seed: UInt64) throws -> [Float] {
      try ModelKind.all.named("perceptron")!.make(
        NoSettings(), inputShape: [4], outputs: 2, seed: seed
      )
      .parameters[0].array()
    }
    #expect(try weights(1) == weights(1))
    #expect(try weights(1) != weights(2))
  }

  @Test(
    "samples that a model does not take are refused, naming the model and the shape",
    arguments: [
      ("cnn", [64]), ("cnn", [1, 4, 4]), ("lenet", [1, 28, 20]), ("vgg16", [3, 48, 48]),
      ("resnet18", [1, 2]),
    ])
  func refused(name: String, shape: [Int]) throws {
    let kind = try #require(ModelKind.all.named(name))
    let error = #expect(throws: SettingError.self) {
      try kind.make(kind.settings, inputShape: shape, outputs: 2, seed: 1)
    }
    #expect(error?.setting == "kind")
    #expect(error?.problem.hasPrefix("is \(name), which takes square images") == true)
    #expect(error?.problem.hasSuffix("the data has \(shape)") == true)
  }

  @Test("sizes that do not fit together are refused, naming the setting")
  func sizes() throws {
    func problem(_ name: String, _ values: [String: SettingValue], _ shape: [Int], _ outputs: Int)
      -> String?
    {
      let kind = ModelKind.all.named(name)!
      do {
        let options = try kind.settings.replacing { values[$0] }
        _ = try kind.make(options, inputShape: shape, outputs: outputs, seed: 1)
        return nil
      } catch { return (error as? SettingError)?.setting }
    }
    #expect(problem("llama", ["keyValueHeads": 3], [5], 3) == "keyValueHeads")
    #expect(problem("llama", ["width": 12], [5], 3) == "width")
    #expect(problem("vit", ["patch": 5], [1, 8, 8], 3) == "patch")
    #expect(problem("unet", [:], [1, 8, 8], 3) == "kind")
    #expect(problem("unet", ["depth": 3], [1, 12, 12], 144) == "depth")
    #expect(problem("unet", ["depth": 2], [1, 12, 12], 144) == nil)
  }

  @Test("a width that heads cannot share is refused")
  func heads() throws {
    let gpt = try #require(ModelKind.all.named("gpt"))
    let options = try gpt.settings.replacing { $0 == "heads" ? 3 : nil }
    let error = #expect(throws: SettingError.self) { try options.validate() }
    #expect(error?.setting == "width")
  }
}
