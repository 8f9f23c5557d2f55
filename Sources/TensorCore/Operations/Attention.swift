// Scaled dot-product attention in tiles: the scores of queries and keys are never all in memory.
// AttentionScores.swift says how scores are made, and calls the kernels.

extension Tensor {
  /// softmax(q kᵀ scale + mask) v, PyTorch's `scaled_dot_product_attention`.
  ///
  /// For queries `[B, H, T, D]`, keys `[B, K, S, D]` and values
  /// `[B, K, S, E]`, the result is `[B, H, T, E]`.
  ///
  /// K divides H: with fewer heads of keys than of queries, H / K neighboring heads of queries share one
  /// (PyTorch's `enable_gqa`); nothing is copied for that. Tensors `[B, T, D]` have one head.
  ///
  /// The result is computed in blocks of queries and keys with a running maximum and sum, in float32 for
  /// bfloat16; only the logsumexp of each query is saved, and backward computes the scores again. With
  /// dropout, and for the gradient of a mask, all scores `[B, H, T, S]` are in memory, as in PyTorch.
  ///
  /// - Parameters:
  ///   - q: The queries.
  ///   - k: The keys.
  ///   - v: The values.
  ///   - mask: Broadcast to `[B, H, T, S]`, so `[T, S]`, `[B, 1, 1, S]` or `[B, H, T, S]`. Floating-point
  ///     numbers are added to the scaled scores, and may require gradients. Of other types, what is not 0
  ///     says that a query attends to a key, as in PyTorch's function (but not in its
  ///     `MultiheadAttention`). A query that attends to no key gives 0, as in PyTorch.
  ///   - dropout: The probability of dropping a weight, in training mode.
  ///   - causal: Whether query i attends to the keys 0...i only, also beside a mask. As in PyTorch the first
  ///     query and the first key are aligned if there are fewer queries than keys.
  ///   - scale: The factor of the scores; 1 / √D by default.
  public static func scaledDotProductAttention(
    _ q: Tensor, _ k: Tensor, _ v: Tensor, mask: Tensor? = nil, dropout: Double = 0,
    causal: Bool = false, scale: Double? = nil
  ) -> Tensor {
    let name: StaticString = "scaledDotProductAttention"
    if q.shape.count == 3, k.shape.count == 3, v.shape.count == 3 {
      let mask = mask.map { $0.shape.count == 3 ? $0.unsqueezed(axis: 1) : $0 }
      return scaledDotProductAttention(
        q.unsqueezed(axis: 1), k.unsqueezed(axis: 1), v.unsqueezed(axis: 1), mask: mask,
        dropout: dropout, causal: causal, scale: scale
      ).squeezed(axis: 1)
    }
    require(
      q.shape.count == 4 && k.shape.count == 4 && v.shape.count == 4
        && q.shape[0] == k.shape[0] && q.shape[3] == k.shape[3]
        && (0..<3).allSatisfy { k.shape[$0] == v.shape[$0] } && k.shape[2] > 0,
      "scaledDotProductAttention: queries [B, H, T, D], keys [B, K, S, D] and values [B, K, S, E] are needed, not \(q.shape), \(k.shape) and \(v.shape)"
    )
    require(
      k.shape[1] > 0 && q.shape[1] % k.shape[1] == 0,
      "scaledDotProductAttention: \(q.shape[1]) heads of queries are no multiple of \(k.shape[1]) heads of keys"
    )
    requireFloatingPoint(name, q, k, v)
    let (q, k, v) = (q.asFactor, k.asFactor, v.asFactor)
    let scores = AttentionScores(
      name, q.shape, keys: k.shape[2], type: q.dataType.sumType, mask: mask, dropout: dropout,
      causal: causal, scale: scale)
    if !scores.canBeFused { return scores.attended(q, k, v) }
    return fusedAttention(q.withDenseRows(), k.withDenseRows(), v.withDenseRows(), scores)
  }

  private static func fusedAttention(
    _ q: Tensor, _ k: Tensor, _ v: Tensor, _ scores: AttentionScores
  ) -> Tensor {
    let wide = [q, k, v].map { $0.detached().widened }
    // The heads of a position are adjacent in memory, so that merging them copies nothing.
    let sums = Tensor.heads([q.shape[0], q.shape[1], q.shape[2], v.shape[3]], wide[0].dataType)
    let logsumexp = scores.attend(sums, wide[0], wide[1], wide[2])
    let y = withoutGrad { sums.transposed(1, 2).converted(to: q.dataType).transposed(1, 2) }
    let saved = (
      Saved(q, by: "Attention"), Saved(k, by: "Attention"), Saved(v, by: "Attention"),
      Saved(y.detached(), by: "Attention")
    )
    return y.recorded("Attention", from: q, k, v) { dy in
      let (q, k, v) = (saved.0().widened, saved.1().widened, saved.2().widened)
      return fused {
        let gradients = [q, k, v].map { Tensor.heads($0.shape, $0.dataType) }
        scores.attendBackward(gradients, dy.widened, q, k, v, saved.3().widened, logsumexp)
        return gradients
      } composed: {
        scores.gradients(dy.widened, q, k, v)
      }
    }
  }

  /// Self-attention with `heads` heads: this tensor `[B, T, 3 C]` holds queries, keys and values side by
  /// side, and the result is `[B, T, C]`.
  ///
  /// Like splitting, `scaledDotProductAttention` and merging, without copies; `mask`, `dropout` and
  /// `causal` are described there. With K heads of keys and values, `keyValueHeads`, this tensor is
  /// `[B, T, (H + 2 K) D]` and the result `[B, T, H D]`.
  public final func selfAttention(
    heads: Int, keyValueHeads: Int? = nil, mask: Tensor? = nil, dropout: Double = 0,
    causal: Bool = false
  ) -> Tensor {
    let parts = PackedHeads(heads, keyValueHeads ?? heads)
    require(
      shape.count == 3 && parts.canSplit(shape[2]) && shape[1] > 0,
      "selfAttention: \(parts.expectedShape), not \(shape)")
    requireFloatingPoint("selfAttention", self)
    let whole = asFactor.contiguous()
    let width = shape[2] / parts.count
    let scores = AttentionScores(
      "selfAttention", [shape[0], heads, shape[1], width], keys: shape[1],
      type: whole.dataType.sumType, mask: mask, dropout: dropout, causal: causal, scale: nil)
    if !scores.canBeFused {
      let (q, k, v) = parts.split(whole)
      return scores.attended(q, k, v).transposed(1, 2)
        .reshaped(to: [shape[0], shape[1], heads * width])
    }
    let (q, k, v) = withoutGrad { parts.split(whole.detached().widened) }
    let sums = Tensor(uninitialized: [shape[0], shape[1], heads * width], q.dataType)
    let logsumexp = scores.attend(sums.inHeads(heads), q, k, v)
    let result = withoutGrad { sums.converted(to: whole.dataType) }
    let saved = Saved(whole, by: "SelfAttention")
    let savedResult = Saved(result.detached(), by: "SelfAttention")
    return result.recorded("SelfAttention", from: whole) { dy in
      let x = saved().widened
      return fused {
        let dx = Tensor(uninitialized: x.shape, x.dataType)
        let (q, k, v) = withoutGrad { parts.split(x) }
        let (dq, dk, dv) = withoutGrad { parts.split(dx) }
        scores.attendBackward(
          [dq, dk, dv], dy.widened.contiguousUnrecorded().inHeads(heads), q, k, v,
          savedResult().widened.inHeads(heads), logsumexp)
        return [dx]
      } composed: {
        let (q, k, v) = parts.split(x)
        let dy = dy.widened.reshaped(to: [x.shape[0], x.shape[1], heads, width]).transposed(1, 2)
        let gradients = scores.gradients(dy, q, k, v).map {
          $0.transposed(1, 2).reshaped(to: [x.shape[0], x.shape[1], $0.shape[1] * width])
        }
        return [.concatenated(gradients, axis: 2)]
      }
    }
  }

  /// `[B, T, C]` as `[B, H, T, C / H]`, a view outside the graph.
  private func inHeads(_ heads: Int) -> Tensor {
    withoutGrad {
      reshaped(to: [shape[0], shape[1], heads, shape[2] / heads]).transposed(1, 2)
    }
  }

  /// An uninitialized `[B, H, T, D]` whose memory layout is `[B, T, H, D]`.
  private static func heads(_ shape: TensorShape, _ dataType: DataType) -> Tensor {
    let memory = Tensor(uninitialized: [shape[0], shape[2], shape[1], shape[3]], dataType)
    return withoutGrad { memory.transposed(1, 2) }
  }

  /// This tensor, or a copy if the elements of its rows are not adjacent.
  private func withDenseRows() -> Tensor {
    strides[3] == 1 || shape[3] == 1 ? self : contiguous()
  }
}

/// Queries, keys and values side by side in one tensor `[B, T, (H + 2 K) D]`.
private struct PackedHeads {
  let heads: Int
  let keyHeads: Int

  init(_ heads: Int, _ keyHeads: Int) { (self.heads, self.keyHeads) = (heads, keyHeads) }

  /// How many heads stand side by side.
  var count: Int { heads + 2 * keyHeads }

  func canSplit(_ channels: Int) -> Bool {
    heads > 0 && keyHeads > 0 && heads % keyHeads == 0 && channels % count == 0
  }

  var expectedShape: String {
    heads == keyHeads
      ? "[B, T, 3 C] with C a multiple of \(heads) heads is needed"
      : "[B, T, (\(heads) + 2 * \(keyHeads)) D] with \(heads) heads a multiple of \(keyHeads) is needed"
  }

  /// The three parts, `[B, H, T, D]` and twice `[B, K, T, D]`, views of a contiguous tensor.
  func split(_ x: Tensor) -> (Tensor, Tensor, Tensor) {
    let width = x.shape[2] / count
    let all = x.reshaped(to: [x.shape[0], x.shape[1], count, width]).transposed(1, 2)
    return (
      all.sliced(0..<heads, axis: 1), all.sliced(heads..<heads + keyHeads, axis: 1),
      all.sliced(heads + keyHeads..<count, axis: 1)
    )
  }
}
