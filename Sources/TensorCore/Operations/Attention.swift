internal import CKernels

// Scaled dot-product attention in tiles: the scores of queries and keys are never all in memory.

extension Tensor {
  /// softmax(q kᵀ / √D) v for queries `[B, H, T, D]` and keys and values `[B, H, S, D]`: PyTorch's
  /// `scaled_dot_product_attention`.
  ///
  /// If `causal`, query i attends to the keys 0...i only. The result is computed in blocks of queries
  /// and keys with a running maximum and sum, in float32 for bfloat16; only the logsumexp of each query
  /// is saved, and backward computes the scores again. The gradient is fused and cannot be differentiated.
  public static func scaledDotProductAttention(
    _ q: Tensor, _ k: Tensor, _ v: Tensor, causal: Bool = false
  ) -> Tensor {
    require(
      q.shape.count == 4 && k.shape.count == 4 && k.shape == v.shape
        && [0, 1, 3].allSatisfy { q.shape[$0] == k.shape[$0] } && k.shape[2] > 0,
      "scaledDotProductAttention: queries [B, H, T, D] and keys and values [B, H, S, D] are needed, not \(q.shape), \(k.shape) and \(v.shape)"
    )
    requireFloatingPoint("scaledDotProductAttention", q, k, v)
    let (q, k, v) = (
      q.asFactor.withDenseRows(), k.asFactor.withDenseRows(), v.asFactor.withDenseRows()
    )
    let wide = [q, k, v].map { $0.detached().widened }
    // The heads of a position are adjacent in memory, so that merging them copies nothing.
    let sums = Tensor.heads(q.shape, wide[0].dataType)
    let logsumexp = attend(sums, wide[0], wide[1], wide[2], causal)
    let y = withoutGrad { sums.transposed(1, 2).converted(to: q.dataType).transposed(1, 2) }
    let saved = (
      Saved(q, by: "Attention"), Saved(k, by: "Attention"), Saved(v, by: "Attention"),
      Saved(y.detached(), by: "Attention")
    )
    return y.recorded("Attention", from: q, k, v) { dy in
      requireFirstDerivative(
        "scaledDotProductAttention", instead: "write it with matmul and softmax")
      let (q, k, v, y) = (
        saved.0().widened, saved.1().widened, saved.2().widened, saved.3().widened
      )
      let gradients = [q, k, v].map { Tensor.heads($0.shape, $0.dataType) }
      attendBackward(gradients, dy.widened, q, k, v, y, logsumexp, causal)
      return gradients
    }
  }

  /// Self-attention with `heads` heads: this tensor `[B, T, 3 C]` holds queries, keys and values side by
  /// side, and the result is `[B, T, C]`.
  ///
  /// Like splitting, `scaledDotProductAttention` and merging, without copies.
  public final func selfAttention(heads: Int, causal: Bool = false) -> Tensor {
    require(
      shape.count == 3 && heads > 0 && shape[2] % (3 * heads) == 0 && shape[1] > 0,
      "selfAttention: [B, T, 3 C] with C a multiple of \(heads) heads is needed, not \(shape)")
    requireFloatingPoint("selfAttention", self)
    let whole = asFactor.contiguous()
    let parts = { (x: Tensor) in Tensor.queriesKeysValues(x, heads) }
    let qkv = parts(whole.detached().widened)
    let width = shape[2] / 3
    let sums = Tensor(uninitialized: [shape[0], shape[1], width], qkv[0].dataType)
    let logsumexp = attend(sums.inHeads(heads), qkv[0], qkv[1], qkv[2], causal)
    let result = withoutGrad { sums.converted(to: whole.dataType) }
    let saved = Saved(whole, by: "SelfAttention")
    let savedResult = Saved(result.detached(), by: "SelfAttention")
    return result.recorded("SelfAttention", from: whole) { dy in
      requireFirstDerivative("selfAttention", instead: "write it with matmul and softmax")
      let x = saved().widened
      let dx = Tensor(uninitialized: x.shape, x.dataType)
      let qkv = parts(x)
      attendBackward(
        parts(dx), dy.widened.contiguousUnrecorded().inHeads(heads), qkv[0], qkv[1], qkv[2],
        savedResult().widened.inHeads(heads), logsumexp, causal)
      return [dx]
    }
  }

  /// `[B, T, C]` as `[B, H, T, C / H]`, a view outside the graph.
  private func inHeads(_ heads: Int) -> Tensor {
    withoutGrad {
      reshaped(to: [shape[0], shape[1], heads, shape[2] / heads]).transposed(1, 2)
    }
  }

  /// The three parts of `[B, T, 3 C]`, each as `[B, H, T, D]`, views outside the graph.
  private static func queriesKeysValues(_ x: Tensor, _ heads: Int) -> [Tensor] {
    withoutGrad {
      x.split(x.shape[2] / 3, axis: 2).map { part in
        let width = part.shape[2] / heads
        return part.view(
          [x.shape[0], heads, x.shape[1], width],
          [part.strides[0], width, part.strides[1], 1], part.offset)
      }
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

  fileprivate var headStrides: ck_head_strides {
    ck_head_strides(batch: strides[0], head: strides[1], row: strides[2])
  }
}

private func layout(
  _ q: Tensor, _ k: Tensor, _ v: Tensor, _ y: Tensor, _ gradients: [Tensor], _ causal: Bool
) -> ck_attention_shape {
  ck_attention_shape(
    batches: q.shape[0], heads: q.shape[1], queries: q.shape[2], keys: k.shape[2],
    width: q.shape[3], q: q.headStrides, k: k.headStrides, v: v.headStrides, y: y.headStrides,
    dq: gradients[0].headStrides, dk: gradients[1].headStrides, dv: gradients[2].headStrides,
    causal: causal)
}

/// Writes the result to `y` and returns the logsumexp of each query's scores.
private func attend(
  _ y: Tensor, _ q: Tensor, _ k: Tensor, _ v: Tensor, _ causal: Bool
) -> Tensor {
  let logsumexp = Tensor(uninitialized: TensorShape(q.shape.dropLast()), q.dataType)
  var shape = layout(q, k, v, y, [q, k, v], causal)
  ck_attention(
    q.dataType.kernelType, y.bytes, logsumexp.bytes, q.bytes, k.bytes, v.bytes, &shape,
    1 / Double(q.shape[3]).squareRoot())
  return logsumexp
}

private func attendBackward(
  _ gradients: [Tensor], _ dy: Tensor, _ q: Tensor, _ k: Tensor, _ v: Tensor, _ y: Tensor,
  _ logsumexp: Tensor, _ causal: Bool
) {
  var g = dy
  if dy.strides != y.strides {
    g = Tensor(shape: y.shape, strides: y.strides, like: y)
    copyElements(from: dy, to: g)
  }
  let delta = Tensor(uninitialized: logsumexp.shape, q.dataType)
  var shape = layout(q, k, v, y, gradients, causal)
  ck_attention_backward(
    q.dataType.kernelType, gradients[0].bytes, gradients[1].bytes, gradients[2].bytes, delta.bytes,
    g.bytes, q.bytes, k.bytes, v.bytes, y.bytes, logsumexp.bytes, &shape,
    1 / Double(q.shape[3]).squareRoot())
}

extension Tensor {
  /// An uninitialized tensor with the layout of `other`, which is a permutation of a contiguous one.
  fileprivate convenience init(shape: TensorShape, strides: TensorShape, like other: Tensor) {
    self.init(
      shape: shape, strides: strides, offset: 0,
      storage: Storage(byteCount: other.count * other.dataType.byteCount),
      dataType: other.dataType, isContiguous: false)
  }
}
