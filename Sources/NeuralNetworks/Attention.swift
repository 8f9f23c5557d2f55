public import TensorCore

/// Multi-head attention, PyTorch's `nn.MultiheadAttention` with `batch_first`.
///
/// Queries, keys and values are `[B, T, width]`; each head has `width / heads` channels.
public struct MultiHeadAttention: Layer {
  /// The stacked weights of the projections to queries, keys and values, `[3 width, width]`.
  public let inputWeight: Parameter
  /// Their biases, `[3 width]`.
  public let inputBias: Parameter?
  /// The projection of the merged heads.
  public let output: Linear
  /// The number of heads.
  public let heads: Int
  /// Whether a position attends only to itself and the positions before it.
  public let causal: Bool

  /// A layer with PyTorch's default initialization.
  public init(_ width: Int, heads: Int, bias: Bool = true, causal: Bool = false) {
    require(
      heads > 0 && width % heads == 0,
      "MultiHeadAttention: \(width) channels are not divisible by \(heads) heads")
    self.heads = heads
    self.causal = causal
    // The Glorot bound for `width` inputs and `3 width` outputs.
    inputWeight = Parameter(
      Initializer.uniform([3 * width, width], bound: (6 / Double(4 * width)).squareRoot()))
    inputBias = bias ? Parameter(Initializer.zeros([3 * width])) : nil
    output = Linear(
      weight: Initializer.fanIn([width, width], width),
      bias: bias ? Initializer.zeros([width]) : nil)
  }

  /// PyTorch's names.
  public var children: [(name: String, value: Any)] {
    [
      ("in_proj_weight", inputWeight), ("in_proj_bias", inputBias as Any), ("out_proj", output),
    ]
  }

  /// Self-attention of `x`, `[B, T, width]`.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    output(
      x.linear(weight: inputWeight, bias: inputBias).selfAttention(heads: heads, causal: causal))
  }

  /// Attention of `query` to `key` and `value`.
  public func callAsFunction(query: Tensor, key: Tensor, value: Tensor) -> Tensor {
    let width = inputWeight.shape[1]
    func projected(_ x: Tensor, _ part: Int) -> Tensor {
      let rows = part * width..<(part + 1) * width
      let y = x.linear(weight: inputWeight[rows], bias: inputBias.map { $0[rows] })
      return y.reshaped(to: [x.shape[0], x.shape[1], heads, width / heads]).transposed(1, 2)
    }
    let attended = Tensor.scaledDotProductAttention(
      projected(query, 0), projected(key, 1), projected(value, 2), causal: causal)
    return output(attended.transposed(1, 2).reshaped(to: query.shape))
  }
}
