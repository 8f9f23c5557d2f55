import NeuralNetworks
import TensorCore
import TestSupport
import Testing

private func attention(
  _ name: String, _ mask: String? = nil, causal: Bool = false, scale: Double? = nil
) -> GoldenCase {
  GoldenCase(name, ["q", "k", "v"] + (mask.map { [$0] } ?? []), tolerance: 4, .largest) { inputs in
    .scaledDotProductAttention(
      inputs["q"], inputs["k"], inputs["v"], mask: mask.map { inputs[$0] }, causal: causal,
      scale: scale)
  }
}

private let cases: [GoldenCase] =
  ["matrix", "batch", "heads", "full", "keys"].flatMap {
    [attention("mask_\($0)", "mask"), attention("mask_\($0)_constant", "mask")]
  } + [
    attention("mask_queries_constant", "mask"), attention("mask_infinite", "mask"),
    attention("condition", "condition"),
    attention("condition_matrix", "condition"), attention("padding", "condition"),
    attention("grouped"), attention("grouped_one", causal: true),
    attention("grouped_mask", "mask"), attention("grouped_mask_constant", "mask"),
    attention("value_width"), attention("scale", scale: 0.25),
    attention("condition_blocks", "condition"), attention("grouped_blocks", causal: true),
    attention("three_axes", "mask"),
    GoldenCase("rms_norm", ["x", "weight"], tolerance: 3, .largest) {
      $0["x"].rmsNorm([5], weight: $0["weight"], epsilon: 1e-5)
    },
    GoldenCase("rms_norm_plain", tolerance: 3, .largest) { $0.rmsNorm([5]) },
    GoldenCase("rms_norm_axes", ["x", "weight"], tolerance: 3, .largest) {
      $0["x"].rmsNorm([3, 5], weight: $0["weight"])
    },
    GoldenCase("rms_norm_wide", ["x", "weight"], tolerance: 3, .largest) {
      $0["x"].rmsNorm([37], weight: $0["weight"], epsilon: 1e-6)
    },
    GoldenCase("rotary_halves", ["x", "cos", "sin"]) {
      $0["x"].rotaryEmbedding(cos: $0["cos"], sin: $0["sin"])
    },
    GoldenCase("rotary_neighbors", ["x", "cos", "sin"]) {
      $0["x"].rotaryEmbedding(cos: $0["cos"], sin: $0["sin"], pairs: .neighbors)
    },
    GoldenCase("rotary_part", ["x", "cos", "sin"]) {
      $0["x"].rotaryEmbedding(cos: $0["cos"], sin: $0["sin"])
    },
  ]

@Suite struct AttentionMaskTests {
  @Test("masks and shared heads are PyTorch's", arguments: cases, floatingPointTypes)
  func golden(_ row: GoldenCase, _ dataType: DataType) throws {
    try row.check("attention", dataType)
  }

  @Test("every golden is compared")
  func complete() throws { try GoldenCase.expectComplete(cases.map(\.name), "attention") }

  @Test("a layer's masks are PyTorch's", arguments: ["padding", "hidden", "added", "both"])
  func layers(_ name: String) throws {
    let goldens = try Goldens("attention_layers", in: .module)
    let layer = MultiHeadAttention(6, heads: 2)
    let padding = try goldens["masks/padding"].tensor(.int32)
    // PyTorch's layer hides what is true; ours shows it.
    let shown = try goldens["masks/hidden"].tensor() .== 0
    let added = try goldens["masks/added"].tensor()
    try SequenceCase(name, in: "attention_layers").check(layer, ["x"]) {
      switch name {
      case "padding": [layer($0["x"], paddingMask: padding)]
      case "hidden": [layer($0["x"], mask: shown)]
      case "added": [layer($0["x"], mask: added)]
      default: [layer($0["x"], mask: shown, paddingMask: padding)]
      }
    }
  }

  @Test("padding of keys is PyTorch's")
  func cross() throws {
    let layer = MultiHeadAttention(6, heads: 3)
    let padding = Tensor.paddingMask(lengths: Tensor([4, 2] as [Int32]), count: 4)
    #expect(padding.doubles() == [0, 0, 0, 0, 0, 0, 1, 1])
    try SequenceCase("cross", in: "attention_layers").check(layer, ["query", "key", "value"]) {
      [layer(query: $0["query"], key: $0["key"], value: $0["value"], paddingMask: padding)]
    }
  }

  @Test("what padding holds does not matter, nor does it get gradients")
  func padding() {
    var random = RandomSource(seed: 1)
    let layer = MultiHeadAttention(8, heads: 4, keyValueHeads: 2)
    let x = Tensor.normal([2, 5, 8], using: &random)
    let padding = Tensor.paddingMask(lengths: Tensor([3, 5] as [Int32]), count: 5)
    let changed = x.copy()
    for row in 3..<5 { changed[0][row].assign(.full([8], 1e3)) }
    let (a, b) = (layer(x, paddingMask: padding)[0], layer(changed, paddingMask: padding)[0])
    #expect(a[0..<3].doubles() == b[0..<3].doubles())
    x.requiresGrad = true
    layer(x, paddingMask: padding)[0][0..<3].sum().backward()
    #expect(x.grad![0][3..<5].doubles().allSatisfy { $0 == 0 })
    #expect(x.grad![0][0..<3].doubles().allSatisfy { $0 != 0 })
  }

  @Test("shared heads are like repeated ones, in both ways through a layer")
  func sharedHeads() {
    let layer = withRandomSource(seed: 2) { MultiHeadAttention(8, heads: 4, keyValueHeads: 2) }
    #expect(layer.inputWeight.shape == [16, 8])
    let repeated = MultiHeadAttention(8, heads: 4)
    func rows(_ range: Range<Int>) -> Tensor { layer.inputWeight.detached()[range] }
    let keys = [rows(8..<10), rows(8..<10), rows(10..<12), rows(10..<12)]
    let values = [rows(12..<14), rows(12..<14), rows(14..<16), rows(14..<16)]
    repeated.inputWeight.assign(.concatenated([rows(0..<8)] + keys + values))
    repeated.output.weight.assign(layer.output.weight)
    repeated.output.bias!.assign(layer.output.bias!)
    var random = RandomSource(seed: 3)
    let x = Tensor.normal([2, 5, 8], using: &random)
    let expected = repeated(x).doubles()
    for y in [layer(x), layer(query: x, key: x, value: x)] {
      #expect(zip(y.doubles(), expected).allSatisfy { abs($0 - $1) < 1e-5 })
    }
  }

  @Test("weights are dropped in training only, and the same in backward")
  func dropout() {
    let layer = withRandomSource(seed: 4) { MultiHeadAttention(8, heads: 2, dropout: 0.5) }
    let x = withRandomSource(seed: 5) { Initializer.normal([2, 6, 8], std: 1) }
    func trained(_ seed: UInt64) -> [Double] {
      withTraining(SampleRandomness(seed: seed, epoch: 0, firstSample: 0)) { layer(x).doubles() }
    }
    let evaluated = withEvaluation { layer(x).doubles() }
    #expect(trained(1) == trained(1))
    #expect(trained(1) != trained(2) && trained(1) != evaluated)
    #expect(evaluated == withEvaluation { layer(x) }.doubles())
  }

  @Test("a batch without samples has a result, and gradients of zeros", arguments: [0, 0.5])
  func empty(_ dropout: Double) {
    let layer = MultiHeadAttention(8, heads: 4, keyValueHeads: 2, dropout: dropout)
    let x = Tensor.zeros([0, 3, 8])
    let padding = Tensor.paddingMask(lengths: .zeros([0], .int32), count: 3)
    let y = layer(x, paddingMask: padding)
    #expect(y.shape == [0, 3, 8])
    y.sum().backward()
    #expect(layer.inputWeight.grad!.doubles().allSatisfy { $0 == 0 })
    let llama = Llama(
      Llama.Options(
        vocabulary: 5, context: 3, layers: 1, heads: 4, keyValueHeads: 2, width: 8,
        dropout: dropout))
    #expect(llama(.zeros([0, 3], .int32)).shape == [0, 3, 5])
    let vit = VisionTransformer(
      VisionTransformer.Options(size: 4, patch: 2, classes: 5, layers: 1, heads: 2, width: 8))
    #expect(vit(.zeros([0, 3, 4, 4])).shape == [0, 5])
  }

  @Test("a mask that was overwritten stops backward")
  func overwritten() async {
    await #expect(processExitsWith: .failure) {
      let (x, mask) = (Tensor.ones([1, 1, 2, 2]), Tensor.zeros([2, 2]))
      x.requiresGrad = true
      let y = Tensor.scaledDotProductAttention(x, x, x, mask: mask)
      mask.assign(.ones([2, 2]))
      y.sum().backward()
    }
  }

  @Test("impossible masks and heads stop")
  func mistakes() async {
    await #expect(processExitsWith: .failure) {
      let x = Tensor.ones([2, 2, 3, 4])
      _ = Tensor.scaledDotProductAttention(x, x, x, mask: .ones([2, 4]))
    }
    await #expect(processExitsWith: .failure) {
      _ = Tensor.scaledDotProductAttention(
        .ones([1, 3, 2, 4]), .ones([1, 2, 2, 4]), .ones([1, 2, 2, 4]))
    }
    await #expect(processExitsWith: .failure) {
      _ = Tensor.ones([1, 2, 16]).selfAttention(heads: 4, keyValueHeads: 3)
    }
    await #expect(processExitsWith: .failure) {
      _ = MultiHeadAttention(4, heads: 2)(.ones([1, 2, 4]), paddingMask: .ones([1, 3]))
    }
  }
}

@Suite struct RotaryEmbeddingTests {
  @Test("scores depend on distances only", arguments: [RotaryPairs.halves, .neighbors])
  func distances(_ pairs: RotaryPairs) {
    let rotary = RotaryEmbedding(8, pairs: pairs)
    let (q, k) = (Tensor.arange(8).reshaped(to: [1, 8]), Tensor.ones([1, 8]))
    func score(_ i: Int, _ j: Int) -> Double {
      (rotary(q, offset: i) * rotary(k, offset: j)).sum().item()
    }
    #expect(abs(score(7, 3) - score(104, 100)) < 1e-3)
    #expect(abs(score(7, 3) - score(7, 4)) > 1e-2)
    #expect(rotary(q).doubles() == q.doubles())
  }

  @Test("positions may be given one by one")
  func positions() {
    let rotary = RotaryEmbedding(4, base: 100)
    let x = Tensor.ones([2, 1, 3, 4])
    let given = rotary(x, positions: Tensor([5, 6, 7] as [Int32]))
    #expect(given.doubles() == rotary(x, offset: 5).doubles())
    let perSample = Tensor.of([0, 1, 2, 5, 6, 7] as [Int32], shape: [2, 1, 3])
    let both = rotary(x, positions: perSample)
    #expect(both[0].doubles() == rotary(x)[0].doubles())
    #expect(both[1].doubles() == rotary(x, offset: 5)[1].doubles())
  }

  @Test("Llama 3.1's frequencies are Hugging Face's")
  func llama3() {
    // rope_init_fn of transformers' "llama3" for head_dim 16, base 500000, factor 8, 1, 4, 8192.
    let expected =
      [
        1, 0.193922758, 0.0376060307, 0.00729266508, 0.000524846022, 3.42810235e-05, 6.64786967e-06,
        1.28917316e-06,
      ] as [Double]
    let rotary = RotaryEmbedding(16, base: 500_000, scaling: RotaryEmbedding.Llama3Scaling())
    for (a, b) in zip(rotary.frequencies, expected) { #expect(abs(a / b - 1) < 1e-6) }
    #expect(expected.count == 8)
  }
}
