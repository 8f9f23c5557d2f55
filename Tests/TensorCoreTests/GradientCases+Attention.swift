import TensorCore

private let attention =
  "scaledDotProductAttention(Tensor, Tensor, Tensor, mask:dropout:causal:scale:)"
private let selfAttention = "selfAttention(heads:keyValueHeads:mask:dropout:causal:)"

/// A constant mask, in the type of `x`: numbers, and -inf in some places.
private func mask(_ shape: TensorShape, like x: Tensor) -> Tensor {
  let numbers = (0..<shape.elementCount).map { place -> Double in
    place % 5 == 3 ? -Double.infinity : Double(place % 7) / 4
  }
  return Tensor.of(numbers, shape: shape).converted(to: x.dataType)
}

private func angles(_ x: Tensor) -> Tensor {
  Tensor.of((0..<6).map { 0.3 * Double($0) }, shape: [3, 2]).converted(to: x.dataType)
}

/// The rows of attention, and of what stands beside it in transformers.
let attentionGradientCases: [GradientCase] = [
  .init(attention, [2, 2, 3, 4], [2, 2, 5, 4], [2, 2, 5, 4]) {
    .scaledDotProductAttention($0[0], $0[1], $0[2])
  },
  .init("\(attention), causal", [1, 2, 5, 3], [1, 2, 5, 3], [1, 2, 5, 3]) {
    .scaledDotProductAttention($0[0], $0[1], $0[2], causal: true)
  },
  .init(
    "\(attention), causal, more keys than queries", [1, 1, 2, 3], [1, 1, 4, 3], [1, 1, 4, 3]
  ) {
    .scaledDotProductAttention($0[0], $0[1], $0[2], causal: true)
  },
  .init("\(attention), of a tensor to itself", [2, 3, 2, 4]) {
    let x = $0[0].transposed(1, 2)
    return .scaledDotProductAttention(x, x, x, causal: true).transposed(1, 2)
  },
  .init(
    "\(attention), over several blocks", [1, 1, 67, 1], [1, 1, 130, 1], [1, 1, 130, 1],
    twice: false
  ) {
    .scaledDotProductAttention($0[0], $0[1], $0[2], causal: true)
  },
  .init("\(attention), with a mask", [2, 2, 3, 2], [2, 2, 4, 2], [2, 2, 4, 2]) {
    .scaledDotProductAttention($0[0], $0[1], $0[2], mask: mask([2, 1, 3, 4], like: $0[0]))
  },
  .init(
    "\(attention), with a mask that has a gradient", [1, 2, 3, 2], [1, 2, 4, 2], [1, 2, 4, 2],
    [3, 4]
  ) {
    .scaledDotProductAttention($0[0], $0[1], $0[2], mask: $0[3])
  },
  .init("\(attention), shared heads", [2, 4, 3, 2], [2, 2, 3, 2], [2, 2, 3, 3]) {
    .scaledDotProductAttention($0[0], $0[1], $0[2], causal: true, scale: 0.5)
  },
  .init(
    "\(attention), shared heads over several blocks", [1, 2, 67, 1], [1, 1, 67, 1], [1, 1, 67, 2],
    twice: false
  ) {
    .scaledDotProductAttention(
      $0[0], $0[1], $0[2], mask: mask([67, 67], like: $0[0]), causal: true)
  },
  .init("\(attention), with dropout", [1, 2, 3, 2], [1, 2, 4, 2], [1, 2, 4, 2]) { x in
    withTraining(SampleRandomness(seed: 1, epoch: 0, firstSample: 0)) {
      .scaledDotProductAttention(x[0], x[1], x[2], dropout: 0.25)
    }
  },
  .init(selfAttention, [2, 3, 12]) { $0[0].selfAttention(heads: 2) },
  .init("\(selfAttention), causal", [2, 5, 6]) { $0[0].selfAttention(heads: 1, causal: true) },
  .init("\(selfAttention), shared heads and a mask", [2, 3, 16]) {
    $0[0].selfAttention(heads: 4, keyValueHeads: 2, mask: mask([2, 1, 1, 3], like: $0[0]))
  },
  .init("rmsNorm(TensorShape, weight:epsilon:)", [3, 5], [5]) {
    $0[0].rmsNorm([5], weight: $0[1], epsilon: 1e-5)
  },
  .init("rmsNorm(TensorShape, weight:epsilon:), without weight", [3, 5]) {
    $0[0].rmsNorm([5], epsilon: 1e-3)
  },
  .init("rmsNorm(TensorShape, weight:epsilon:), over two axes, transposed", [4, 3, 2], [3, 4]) {
    $0[0].transposed(0, 2).rmsNorm([3, 4], weight: $0[1], epsilon: 1e-5)
  },
  .init("rotaryEmbedding(cos:sin:pairs:)", [2, 3, 4]) {
    $0[0].rotaryEmbedding(cos: angles($0[0]).cos(), sin: angles($0[0]).sin())
  },
  .init("rotaryEmbedding(cos:sin:pairs:), neighbors, a part of the channels", [2, 3, 5]) {
    $0[0].rotaryEmbedding(
      cos: angles($0[0]).cos(), sin: angles($0[0]).sin(), pairs: .neighbors)
  },
]
