import Foundation
import NeuralNetworks
import TensorCore
import TestSupport
import Testing

/// A model that `Goldens/make_goldens_models.py` has run in PyTorch.
private struct GoldenModel: Sendable, CustomTestStringConvertible {
  let name: String
  let inputs: TensorShape
  /// How large errors of a gradient may be, measured by its norm.
  let tolerance: Double
  let file: String
  let makeModel: @Sendable () -> any Layer

  /// A model, the shape of its inputs, and a tolerance that fits it.
  ///
  /// Rounding to float32 moves gradients by 1e-6 of their norm, or 1e-5 behind batch normalization.
  /// In a deep network it also decides for some of a million units whether ReLU lets them pass:
  /// PyTorch's own gradients in float32 and float64 differ by up to 0.08 then. Those of a wrong
  /// network differ by about 1.
  init(
    _ name: String, _ inputs: TensorShape, tolerance: Double = 1e-5, file: String = "models",
    makeModel: @escaping @Sendable () -> any Layer
  ) {
    self.name = name
    self.inputs = inputs
    self.tolerance = tolerance
    self.file = file
    self.makeModel = makeModel
  }

  static let all =
    [
      GoldenModel("lenet", [2, 1, 28, 28]) {
        ConvolutionalNetworks.leNet(channels: 1, size: 28, classes: 5)
      },
      GoldenModel("cnn", [2, 1, 28, 28]) {
        ConvolutionalNetworks.cnn(channels: 1, size: 28, classes: 5)
      },
      GoldenModel("gpt", [2, 6]) {
        GPT(GPT.Options(vocabulary: 11, context: 8, layers: 2, heads: 2, width: 8))
      },
    ]
    + [11, 13, 16, 19].map { depth in
      GoldenModel("vgg\(depth)", [2, 3, 32, 32]) {
        VGG(depth: depth, size: 32, classes: 5, hidden: 16, dropout: 0)
      }
    }
    + [(18, 0.01), (34, 0.1), (50, 0.1)].flatMap { depth, tolerance in
      [
        GoldenModel("resnet\(depth)-cifar", [2, 3, 32, 32], tolerance: tolerance) {
          ResNet(depth: depth, stem: .cifar, classes: 5)
        },
        GoldenModel("resnet\(depth)", [4, 3, 64, 64], tolerance: tolerance) {
          ResNet(depth: depth, stem: .imageNet, classes: 5)
        },
      ]
    }

  /// Models of torchvision and Hugging Face, from `make_goldens_pretrained.py`.
  static let pretrained = [
    GoldenModel("llama", [2, 6], file: "pretrained") {
      Llama(
        Llama.Options(
          vocabulary: 11, context: 16, layers: 2, heads: 4, keyValueHeads: 2, width: 16, hidden: 24)
      )
    },
    GoldenModel("llama-tied", [2, 6], file: "pretrained") {
      Llama(
        Llama.Options(
          vocabulary: 11, context: 16, layers: 2, heads: 4, keyValueHeads: 1, width: 16, hidden: 24,
          ropeBase: 100,
          ropeScaling: RotaryEmbedding.Llama3Scaling(factor: 4, originalContext: 8),
          tiedHead: true))
    },
    GoldenModel("vit", [2, 3, 8, 8], file: "pretrained") {
      VisionTransformer(
        VisionTransformer.Options(
          size: 8, patch: 4, classes: 5, layers: 2, heads: 2, width: 8, hidden: 16))
    },
    GoldenModel("mobilenetV2", [4, 3, 64, 64], tolerance: 0.01, file: "pretrained") {
      MobileNetV2(widthFactor: 0.35, classes: 5, dropout: 0)
    },
    GoldenModel("unet", [2, 3, 32, 32], tolerance: 0.01, file: "pretrained") {
      UNet(outputs: 2, features: 4)
    },
  ]

  var testDescription: String { name }
}

@Suite("Models")
struct ModelsTests {
  @Test("parameter counts are those of PyTorch's models")
  func parameterCounts() {
    #expect(
      ConvolutionalNetworks.leNet(channels: 1, size: 28, classes: 10).parameterCount == 61_706)
    #expect(
      ConvolutionalNetworks.cnn(channels: 1, size: 28, classes: 10).parameterCount == 1_199_882)
    #expect(ResNet(depth: 18, stem: .imageNet).parameterCount == 11_689_512)
    #expect(ResNet(depth: 34, stem: .imageNet).parameterCount == 21_797_672)
    #expect(ResNet(depth: 50, stem: .imageNet).parameterCount == 25_557_032)
    #expect(ResNet(depth: 18, stem: .cifar, classes: 10).parameterCount == 11_173_962)
    #expect(VGG(depth: 16).parameterCount == 138_357_544)
    #expect(GPT(GPT.Options()).parameterCount == 124_439_808)
    #expect(VisionTransformer().parameterCount == 86_567_656)
    #expect(MobileNetV2().parameterCount == 3_504_872)
    #expect(UNet(outputs: 2).parameterCount == 31_037_698)
    #expect(VGG(depth: 11, size: 32, classes: 10, hidden: 512).parameterCount == 9_750_922)
    #expect(VGG(depth: 16, size: 32, classes: 10, hidden: 512).parameterCount == 15_245_130)
    let small = GPT.Options(vocabulary: 65, context: 64, layers: 4, heads: 4, width: 128)
    #expect(GPT(small).parameterCount == 809_856)
  }

  @Test("names are those of torchvision and Hugging Face")
  func names() {
    let resnet = Set(ResNet(depth: 18, stem: .cifar, classes: 10).stateDictionary().map(\.name))
    for name in [
      "conv1.weight", "bn1.running_mean", "layer1.0.conv2.weight", "layer2.0.downsample.0.weight",
      "layer4.1.bn2.running_var", "fc.bias",
    ] { #expect(resnet.contains(name), "\(name)") }
    let vgg = Set(VGG(depth: 11, size: 32, classes: 10, hidden: 64).stateDictionary().map(\.name))
    #expect(vgg.isSuperset(of: ["features.0.weight", "features.18.bias", "classifier.6.weight"]))
    let gpt = GPT(GPT.Options(vocabulary: 7, context: 5, layers: 2, heads: 2, width: 8))
    let names = Set(gpt.stateDictionary().map(\.name))
    #expect(
      names.isSuperset(of: [
        "wte.weight", "wpe.weight", "h.1.ln_2.bias", "h.0.attn.c_attn.weight",
        "h.1.mlp.c_proj.bias", "ln_f.weight",
      ]))
    #expect(
      gpt.stateDictionaryKey(forForeignKey: "transformer.h.0.attn.c_attn.bias")
        == "h.0.attn.c_attn.bias")
    #expect(gpt.stateDictionaryKey(forForeignKey: "h.0.attn.bias") == nil)
  }

  @Test(
    "outputs and gradients are PyTorch's", arguments: GoldenModel.all + GoldenModel.pretrained)
  fileprivate func goldens(_ golden: GoldenModel) throws {
    let goldens = try Goldens(golden.file, in: .module)
    let model = golden.makeModel()
    var generator = GoldenGenerator()
    for (name, parameter) in model.namedParameters() { generator.fill(parameter, named: name) }
    if model is MobileNetV2 { moveFromBends(model) }
    let inputs =
      model is any CachingLanguageModel
      ? generator.integers(golden.inputs, below: 11) : generator.uniform(golden.inputs)
    let output = model(inputs)
    #expect(
      try goldens["\(golden.name)/output"]
        .mismatch(output, tolerance: 1e-5, relativeTo: .largest) == nil)
    output.backward(gradient: generator.uniform(output.shape))

    let rows = try goldens["\(golden.name)/gradients"]
    let parameters = model.namedParameters()
    try #require(rows.shape == [parameters.count, 2])
    // What batch normalization makes zero in exact numbers is a remainder of cancellation here.
    let smallest = golden.tolerance * 0.01 * rows.values.max()!
    var wrong: [String] = []
    for (index, (name, parameter)) in parameters.enumerated() {
      var (squares, sum) = (0.0, 0.0)
      for (place, number) in try #require(parameter.grad, "\(name)").doubles().enumerated() {
        squares += number * number
        sum += number * (Double(place % 101) / 50 - 1)
      }
      let mismatch = rows.selected(index).mismatch(
        [squares.squareRoot(), sum], tolerance: golden.tolerance, relativeTo: .largest,
        smallest: smallest)
      if let mismatch { wrong.append("\(name): \(mismatch)") }
    }
    #expect(wrong.isEmpty)
  }

  /// Moves what normalizations give to ReLU6 away from 0 and 6, where rounding would decide, as
  /// `make_goldens_pretrained.py` does.
  private func moveFromBends(_ model: any Module) {
    for (name, parameter) in model.namedParameters()
    where name.hasPrefix("features.") && parameter.shape.count == 1 {
      withoutGrad {
        if name.hasSuffix(".1.weight") {
          parameter.mul_(.full(parameter.shape, 0.5))
        } else if name.hasSuffix(".1.bias") {
          let places: [Float] = [3, 9, 3, -3]
          parameter.add_(.of((0..<parameter.count).map { places[$0 % 4] }, shape: parameter.shape))
        }
      }
    }
  }

  @Test("every golden is compared")
  func complete() throws {
    #expect(try Goldens("models", in: .module).cases == Set(GoldenModel.all.map(\.name)))
    #expect(
      try Goldens("pretrained", in: .module).cases == Set(GoldenModel.pretrained.map(\.name)))
  }

  @Test(
    "names are exactly those of torchvision and Hugging Face", arguments: GoldenModel.pretrained)
  fileprivate func pretrainedNames(_ golden: GoldenModel) throws {
    let url = Bundle.module.url(
      forResource: "pretrained_names", withExtension: "json", subdirectory: "Goldens")
    let all = try JSONDecoder().decode(
      [String: [String]].self, from: Data(contentsOf: #require(url)))
    let model = golden.makeModel()
    let theirs = try #require(all[golden.name]).compactMap(model.stateDictionaryKey(forForeignKey:))
    #expect(model.stateDictionary().map(\.name) == theirs)
  }

  @Test("outputs have a number for each class, and gradients reach every parameter")
  func passes() {
    func check(_ model: some Layer, _ x: Tensor, _ shape: TensorShape) {
      let y = withRandomSource(seed: 1) { model(x) }
      #expect(y.shape == shape)
      y.squared().sum().backward()
      for (name, parameter) in model.namedParameters() {
        #expect(parameter.grad != nil, "\(name)")
      }
    }
    var random = RandomSource(seed: 1)
    let image = Tensor.normal([2, 3, 32, 32], using: &random)
    check(ResNet(depth: 18, stem: .cifar, classes: 5), image, [2, 5])
    check(ResNet(depth: 50, stem: .imageNet, classes: 5), image, [2, 5])
    check(VGG(depth: 11, size: 32, classes: 5, hidden: 16), image, [2, 5])
    check(ConvolutionalNetworks.leNet(channels: 3, size: 32, classes: 5), image, [2, 5])
    check(
      ConvolutionalNetworks.cnn(channels: 3, size: 32, classes: 5, dropout: 0.5), image, [2, 5])
    let tokens = Tensor([[1, 2, 3], [4, 5, 6]] as [[Int32]])
    let options = GPT.Options(vocabulary: 7, context: 3, layers: 2, heads: 2, width: 8)
    check(GPT(options), tokens, [2, 3, 7])
    check(
      Llama(Llama.Options(vocabulary: 7, context: 3, layers: 2, heads: 2, width: 8, dropout: 0.1)),
      tokens, [2, 3, 7])
    check(MobileNetV2(stem: .cifar, classes: 5), image, [2, 5])
    check(UNet(outputs: 3, features: 2, depth: 2), image, [2, 3, 32, 32])
  }

  @Test("a transformer does not see the future")
  func causality() {
    let model = withRandomSource(seed: 1) {
      GPT(GPT.Options(vocabulary: 7, context: 4, layers: 2, heads: 2, width: 8))
    }
    let a = withoutGrad { model(Tensor([[1, 2, 3, 4]] as [[Int32]])) }
    let b = withoutGrad { model(Tensor([[1, 2, 6, 0]] as [[Int32]])) }
    // Logits of order 0.1, like the difference that the future makes.
    #expect((a[0][0..<2] - b[0][0..<2]).abs().max().item() < 1e-6)
    #expect((a[0][2] - b[0][2]).abs().max().item() > 1e-4)
  }
}
