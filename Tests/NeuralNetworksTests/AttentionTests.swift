import NeuralNetworks
import TensorCore
import TestSupport
import Testing

private func attention(_ name: String, causal: Bool = false) -> GoldenCase {
  GoldenCase(name, ["q", "k", "v"], tolerance: 3, .largest) {
    .scaledDotProductAttention($0["q"], $0["k"], $0["v"], causal: causal)
  }
}

/// Attention, in the file `networks`.
let attentions: [GoldenCase] = [
  attention("attention"), attention("attention_causal", causal: true),
  attention("attention_causal_fewer_queries", causal: true),
  attention("attention_causal_more_queries", causal: true), attention("attention_blocks"),
  attention("attention_causal_blocks", causal: true),
]

@Suite struct AttentionTests {
  @Test("attention is PyTorch's", arguments: attentions, floatingPointTypes)
  func golden(_ row: GoldenCase, _ dataType: DataType) throws {
    try row.check("networks", dataType)
  }

  @Test("self-attention is PyTorch's", arguments: [false, true])
  func selfAttention(_ causal: Bool) throws {
    let layer = MultiHeadAttention(6, heads: 2, causal: causal)
    let name = causal ? "attention_self_causal" : "attention_self"
    try SequenceCase(name).check(layer, ["x"]) { [layer($0["x"])] }
  }

  @Test("attention to others is PyTorch's")
  func crossAttention() throws {
    let layer = MultiHeadAttention(6, heads: 3, bias: false)
    try SequenceCase("attention_cross").check(layer, ["query", "key", "value"]) {
      [layer(query: $0["query"], key: $0["key"], value: $0["value"])]
    }
  }

  @Test("the two ways through a layer agree", arguments: [1, 2, 4], [1, 5, 70])
  func packed(_ heads: Int, _ length: Int) {
    var random = RandomSource(seed: 3)
    let layer = MultiHeadAttention(8, heads: heads, causal: true)
    let x = Tensor.normal([2, length, 8], using: &random)
    x.requiresGrad = true
    func gradients(_ y: Tensor) -> [Double] {
      grad(of: (y * y).sum(), withRespectTo: [x, layer.inputWeight]).flatMap { $0!.doubles() }
    }
    let (packed, separate) = (layer(x), layer(query: x, key: x, value: x))
    // Absolute bounds below 1: results are sums of terms of order 1, which may cancel.
    #expect(zip(packed.doubles(), separate.doubles()).allSatisfy { abs($0 - $1) < 1e-5 })
    let pairs = zip(gradients(packed), gradients(separate))
    #expect(pairs.allSatisfy { abs($0 - $1) < 1e-4 * max(1, abs($1)) })
  }

  @Test("fused attention is what its formula says, in any layout", arguments: [false, true])
  func formula(_ causal: Bool) {
    var random = RandomSource(seed: 5)
    let shape: TensorShape = [2, 3, 150, 20]
    // As slices and transpositions leave them.
    let wide = Tensor.normal([2, 150, 3, 60], .float64, using: &random)
    let parts = wide.split(20, axis: 3).map { $0.transposed(1, 2) }
    #expect(parts[0].shape == shape)
    let scores = parts[0].matmul(parts[1].transposed()) / 20.0.squareRoot()
    let mask = Tensor.arange(150, .int32).unsqueezed(axis: 1) .>= Tensor.arange(150, .int32)
    let seen = causal ? Tensor.where(mask, scores, -.infinity) : scores
    let expected = seen.softmax().matmul(parts[2]).doubles()
    let y = Tensor.scaledDotProductAttention(parts[0], parts[1], parts[2], causal: causal)
    // Means of numbers of order 1, in float64.
    #expect(zip(y.doubles(), expected).allSatisfy { abs($0 - $1) < 1e-12 })
  }

  @Test("large scores do not overflow")
  func largeScores() {
    let q = Tensor.full([1, 1, 70, 1], 1000)
    let k = Tensor.arange(70).reshaped(to: [1, 1, 70, 1])
    let y = Tensor.scaledDotProductAttention(q, k, k)
    #expect(y.doubles().allSatisfy { $0 == 69 })
  }

  @Test("the names are PyTorch's")
  func names() {
    #expect(
      MultiHeadAttention(4, heads: 2).namedParameters().map(\.name) == [
        "in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias",
      ])
    #expect(MultiHeadAttention(4, heads: 2, bias: false).parameterCount == 4 * 16)
  }

  @Test("bad shapes stop")
  func mistakes() async {
    await #expect(processExitsWith: .failure) {
      _ = Tensor.scaledDotProductAttention(
        .ones([1, 2, 3, 4]), .ones([1, 2, 3, 5]), .ones([1, 2, 3, 5]))
    }
    await #expect(processExitsWith: .failure) {
      _ = Tensor.ones([1, 2, 9]).selfAttention(heads: 2)
    }
    await #expect(processExitsWith: .failure) { _ = MultiHeadAttention(5, heads: 2) }
  }
}
