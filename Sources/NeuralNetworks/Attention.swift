public import TensorCore

/// Multi-head attention, PyTorch's `nn.MultiheadAttention` with `batch_first`.
///
/// Queries, keys and values are `[B, T, width]`; each head has `width / heads` channels. With K
/// `keyValueHeads`, which PyTorch's layer does not have, keys and values have only K heads, each shared by
/// `heads / K` neighboring heads of queries.
public struct MultiHeadAttention: Layer {
  /// The stacked weights of the projections to queries, keys and values, `[3 width, width]`, or
  /// `[(heads + 2 K) width / heads, width]`.
  public let inputWeight: Parameter
  /// Their biases.
  public let inputBias: Parameter?
  /// The projection of the merged heads.
  public let output: Linear
  /// The number of heads.
  public let heads: Int
  /// The number of heads of keys and values.
  public let keyValueHeads: Int
  /// The probability of dropping a weight of a key, in training.
  public let dropout: Double
  /// Whether a position attends only to itself and the positions before it.
  public let causal: Bool

  /// A layer with PyTorch's default initialization.
  public init(
    _ width: Int, heads: Int, keyValueHeads: Int? = nil, bias: Bool = true, dropout: Double = 0,
    causal: Bool = false
  ) {
    require(
      heads > 0 && width % heads == 0,
      "MultiHeadAttention: \(width) channels are not divisible by \(heads) heads")
    let keyHeads = keyValueHeads ?? heads
    require(
      keyHeads > 0 && heads % keyHeads == 0,
      "MultiHeadAttention: \(heads) heads are no multiple of \(keyHeads) heads of keys and values")
    self.heads = heads
    self.keyValueHeads = keyHeads
    self.dropout = dropout
    self.causal = causal
    // The Glorot bound.
    let outputs = width + 2 * (width / heads * keyHeads)
    inputWeight = Parameter(
      Initializer.uniform([outputs, width], bound: (6 / Double(width + outputs)).squareRoot()))
    inputBias = bias ? Parameter(Initializer.zeros([outputs])) : nil
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
  public func callAsFunction(_ x: Tensor) -> Tensor { self(x, mask: nil) }

  /// Self-attention of `x`, `[B, T, width]`, to a part of the positions.
  ///
  /// - Parameters:
  ///   - x: The sequences.
  ///   - mask: What is added to the scores if it is floating-point, else where a position **attends**
  ///     to another, as in `scaledDotProductAttention`: `[T, T]`, or broadcast to `[B, heads, T, T]`.
  ///     (In `nn.MultiheadAttention`, True in `attn_mask` means the opposite: pass `mask .== 0` of it.)
  ///   - paddingMask: `[B, T]`, not 0 where a position is padding that is **ignored**: PyTorch's
  ///     `key_padding_mask`. See `Tensor.paddingMask(lengths:count:)`.
  public func callAsFunction(_ x: Tensor, mask: Tensor?, paddingMask: Tensor? = nil) -> Tensor {
    let projected = x.linear(weight: inputWeight, bias: inputBias)
    return output(
      projected.selfAttention(
        heads: heads, keyValueHeads: keyValueHeads,
        mask: combined(mask, paddingMask, x.shape[1], x.dataType),
        dropout: dropout, causal: causal))
  }

  /// Self-attention of `x`, `[B, T, width]`, without what is padding.
  public func callAsFunction(_ x: Tensor, paddingMask: Tensor) -> Tensor {
    self(x, mask: nil, paddingMask: paddingMask)
  }

  /// Attention of `query` to `key` and `value`; the masks `[T, S]` and `[B, S]` are described above.
  public func callAsFunction(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor? = nil, paddingMask: Tensor? = nil
  ) -> Tensor {
    let width = inputWeight.shape[1]
    let size = width / heads
    func projected(_ x: Tensor, _ first: Int, _ count: Int) -> Tensor {
      let rows = first * size..<(first + count) * size
      let y = x.linear(weight: inputWeight[rows], bias: inputBias.map { $0[rows] })
      return y.reshaped(to: [x.shape[0], x.shape[1], count, size]).transposed(1, 2)
    }
    let attended = Tensor.scaledDotProductAttention(
      projected(query, 0, heads), projected(key, heads, keyValueHeads),
      projected(value, heads + keyValueHeads, keyValueHeads),
      mask: combined(mask, paddingMask, key.shape[1], query.dataType), dropout: dropout,
      causal: causal)
    return output(attended.transposed(1, 2).reshaped(to: query.shape))
  }

  /// One mask of scores for both.
  private func combined(
    _ mask: Tensor?, _ paddingMask: Tensor?, _ keys: Int, _ type: DataType
  ) -> Tensor? {
    guard let paddingMask else { return mask }
    require(
      paddingMask.shape.count == 2 && paddingMask.shape[1] == keys,
      "MultiHeadAttention: a padding mask [B, \(keys)] is needed, not \(paddingMask.shape)")
    let kept = withoutGrad { paddingMask.converted(to: type) .== 0 }
      .reshaped(to: [paddingMask.shape[0], 1, 1, keys])
    guard let mask else { return kept }
    if mask.dataType.isFloatingPoint { return Tensor.where(kept, mask, -.infinity) }
    return withoutGrad { mask.converted(to: type) * kept.converted(to: type) .> 0 }
  }
}

extension Tensor {
  /// 1 where a position of a sequence is behind its end, `[B, count]`, for int32 `lengths` `[B]`.
  ///
  /// What `nn.MultiheadAttention` takes as `key_padding_mask`.
  public static func paddingMask(lengths: Tensor, count: Int) -> Tensor {
    require(
      lengths.shape.count == 1 && !lengths.dataType.isFloatingPoint,
      "paddingMask: int32 lengths [B] are needed, not \(lengths.dataType) \(lengths.shape)")
    return withoutGrad {
      Tensor.arange(count, lengths.dataType).unsqueezed(axis: 0) .>= lengths.unsqueezed(axis: 1)
    }
  }
}
