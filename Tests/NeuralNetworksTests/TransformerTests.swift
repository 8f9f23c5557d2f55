import Foundation
import NeuralNetworks
import TensorCore
import TestSupport
import Testing

@Suite struct TransformerTests {
  private func padding() throws -> Tensor {
    try Goldens("attention_layers", in: .module)["masks/padding"].tensor(.int32)
  }

  @Test("layers that read are PyTorch's", arguments: [false, true])
  func encoder(_ normFirst: Bool) throws {
    let activation: any Layer = normFirst ? GELU() : ReLU()
    let layer = TransformerEncoderLayer(
      6, heads: 2, hidden: 10, dropout: 0, activation: activation, normFirst: normFirst)
    let padding = try padding()
    try SequenceCase(normFirst ? "encoder_first" : "encoder", in: "attention_layers")
      .check(layer, ["x"]) { [layer($0["x"], mask: nil, paddingMask: padding)] }
  }

  @Test("layers that write are PyTorch's", arguments: [false, true])
  func decoder(_ normFirst: Bool) throws {
    let activation: any Layer = normFirst ? GELU() : ReLU()
    let layer = TransformerDecoderLayer(
      6, heads: 2, hidden: 10, dropout: 0, activation: activation, normFirst: normFirst)
    let padding = try padding()
    try SequenceCase(normFirst ? "decoder_first" : "decoder", in: "attention_layers")
      .check(layer, ["x", "memory"]) {
        [layer($0["x"], memory: $0["memory"], memoryPaddingMask: padding)]
      }
  }

  @Test("the names are PyTorch's, in its order")
  func names() {
    let encoder = TransformerEncoderLayer(4, heads: 2, hidden: 6)
    #expect(
      encoder.namedParameters().map(\.name) == [
        "self_attn.in_proj_weight", "self_attn.in_proj_bias", "self_attn.out_proj.weight",
        "self_attn.out_proj.bias", "linear1.weight", "linear1.bias", "linear2.weight",
        "linear2.bias", "norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias",
      ])
  }

  @Test("dropout acts in training only")
  func dropout() {
    let layer = withRandomSource(seed: 1) { TransformerEncoderLayer(4, heads: 2, hidden: 6) }
    let x = Tensor.ones([2, 3, 4])
    let evaluated = withEvaluation { layer(x).doubles() }
    let trained = withTraining(SampleRandomness(seed: 1, epoch: 0, firstSample: 0)) { layer(x) }
    #expect(trained.doubles() != evaluated)
  }

  @Test("positions are sines and cosines")
  func positions() {
    let y = SinusoidalPositions(4, context: 3)(.zeros([1, 3, 4]))
    let expected = [0.0, 1, 2].flatMap { (p: Double) -> [Double] in
      [sin(p), cos(p), sin(p / 100), cos(p / 100)]
    }
    #expect(zip(y.doubles(), expected).allSatisfy { abs($0 - $1) < 1e-6 })
  }
}
