internal import CKernels

/// How the scores of queries and keys are made, and what is done with them.
struct AttentionScores {
  let causal: Bool
  /// The factor of the products.
  let scale: Double
  /// The probability of dropping a weight; 0 in evaluation.
  let dropout: Double
  /// What is added to the scaled products: `[B or 1, H or 1, T or 1, S]`, with dense rows.
  private let mask: Saved?

  /// Scores of queries of a shape `[B, H, T, D]` and `keys` keys, in a type of sums.
  init(
    _ name: StaticString, _ queries: TensorShape, keys: Int, type: DataType, mask: Tensor?,
    dropout: Double, causal: Bool, scale: Double?
  ) {
    require(
      dropout >= 0 && dropout < 1, "\(name): the dropout probability \(dropout) is not in 0..<1")
    self.causal = causal
    self.scale = scale ?? 1 / Double(queries[3]).squareRoot()
    self.dropout = isTraining ? dropout : 0
    let target: TensorShape = [queries[0], queries[1], queries[2], keys]
    self.mask = mask.map { mask in
      require(
        TensorShape.broadcast(mask.shape, target) == target,
        "\(name): a mask \(mask.shape) does not broadcast to [B, H, T, S], here \(target)")
      return Saved(mask.addedToScores(target, type), by: name)
    }
  }

  /// Whether the kernels can do it: they know no dropout, and have no gradient of the mask.
  var canBeFused: Bool {
    dropout == 0 && !(isGradientEnabled && mask?().requiresGrad == true)
  }

  // MARK: - In tensor operations

  /// The weights `[B, H, T, S]` of the keys: softmax(q kᵀ scale + mask), 0 for a query that sees no key.
  func weights(_ q: Tensor, _ k: Tensor) -> Tensor {
    let products = q.sharingHeads(of: k).matmul(k.transposed()) * scale
    var scores = products.reshaped(to: [q.shape[0], q.shape[1], q.shape[2], k.shape[2]])
    if let mask = mask?() { scores = scores + mask }
    if causal {
      let future = withoutGrad {
        Tensor.arange(k.shape[2], .int32)
          .> Tensor.arange(q.shape[2], .int32).unsqueezed(axis: 1)
      }
      scores = Tensor.where(future, -.infinity, scores)
    }
    guard mask != nil else { return scores.softmax() }
    let seesNone = withoutGrad { scores.max(axes: [-1], keepingAxes: true) .== -Double.infinity }
    return Tensor.where(seesNone, 0, Tensor.where(seesNone, 0, scores).softmax())
  }

  /// The result `[B, H, T, E]`.
  func attended(_ q: Tensor, _ k: Tensor, _ v: Tensor) -> Tensor {
    weights(q, k).dropout(dropout).converted(to: v.dataType).sharingHeads(of: v).matmul(v)
      .reshaped(to: [q.shape[0], q.shape[1], q.shape[2], v.shape[3]])
  }

  /// The gradients of queries, keys and values, without dropout; they can be differentiated.
  func gradients(_ dy: Tensor, _ q: Tensor, _ k: Tensor, _ v: Tensor) -> [Tensor] {
    let (dy, q2) = (dy.sharingHeads(of: v), q.sharingHeads(of: k))
    let p = weights(q, k).sharingHeads(of: k)
    let dp = dy.matmul(v.transposed())
    let ds = p * (dp - (p * dp).sum(axes: [-1], keepingAxes: true)) * scale
    return [
      ds.matmul(k).reshaped(to: q.shape), ds.transposed().matmul(q2), p.transposed().matmul(dy),
    ]
  }

  // MARK: - In tiles

  /// Writes the result to `y` and returns the logsumexp of each query's scores.
  func attend(_ y: Tensor, _ q: Tensor, _ k: Tensor, _ v: Tensor) -> Tensor {
    let logsumexp = Tensor(uninitialized: TensorShape(q.shape.dropLast()), q.dataType)
    let mask = self.mask?()
    var shape = layout(q, k, v, y, [q, k, v], mask)
    ck_attention(
      q.dataType.kernelType, y.bytes, logsumexp.bytes, q.bytes, k.bytes, v.bytes, &shape, scale)
    withExtendedLifetime(mask) {}
    return logsumexp
  }

  /// Writes the gradients of queries, keys and values.
  func attendBackward(
    _ gradients: [Tensor], _ dy: Tensor, _ q: Tensor, _ k: Tensor, _ v: Tensor, _ y: Tensor,
    _ logsumexp: Tensor
  ) {
    var g = dy
    if dy.strides != y.strides {
      g = Tensor(shape: y.shape, strides: y.strides, like: y)
      copyElements(from: dy, to: g)
    }
    let delta = Tensor(uninitialized: logsumexp.shape, q.dataType)
    let mask = self.mask?()
    var shape = layout(q, k, v, y, gradients, mask)
    ck_attention_backward(
      q.dataType.kernelType, gradients[0].bytes, gradients[1].bytes, gradients[2].bytes,
      delta.bytes, g.bytes, q.bytes, k.bytes, v.bytes, y.bytes, logsumexp.bytes, &shape, scale)
    withExtendedLifetime(mask) {}
  }

  private func layout(
    _ q: Tensor, _ k: Tensor, _ v: Tensor, _ y: Tensor, _ gradients: [Tensor], _ mask: Tensor?
  ) -> ck_attention_shape {
    let everywhere = ck_head_strides(batch: 0, head: 0, row: 0)
    return ck_attention_shape(
      batches: q.shape[0], heads: q.shape[1], key_heads: k.shape[1], queries: q.shape[2],
      keys: k.shape[2], width: q.shape[3], value_width: v.shape[3], q: q.headStrides,
      k: k.headStrides, v: v.headStrides, y: y.headStrides, dq: gradients[0].headStrides,
      dk: gradients[1].headStrides, dv: gradients[2].headStrides, mask: mask?.bytes,
      mask_strides: mask?.broadcastHeadStrides ?? everywhere, causal: causal)
  }
}

extension Tensor {
  /// This mask as numbers that are added to scores of shape `target`, `[B, H, T, S]`.
  fileprivate func addedToScores(_ target: TensorShape, _ type: DataType) -> Tensor {
    var added = self
    if dataType.isFloatingPoint {
      added = converted(to: type)
    } else {
      added = withoutGrad {
        let seen = converted(to: type)
        return Tensor.where(seen .== 0, -.infinity, Tensor.zeros(shape, type))
      }
    }
    let missing = target.count - shape.count
    var full = TensorShape(Array(repeating: 1, count: missing) + shape)
    added = added.reshaped(to: full)
    full[3] = target[3]
    added = added.expanded(to: full)
    return added.strides[3] == 1 || full[3] == 1 ? added : added.contiguous()
  }

  /// `[B, H, T, D]` as `[B, K, H / K * T, D]`, for the K heads of `keys`.
  fileprivate func sharingHeads(of keys: Tensor) -> Tensor {
    shape[1] == keys.shape[1]
      ? self
      : reshaped(
        to: [shape[0], keys.shape[1], shape[1] / keys.shape[1] * shape[2], shape[3]])
  }

  fileprivate var headStrides: ck_head_strides {
    ck_head_strides(batch: strides[0], head: strides[1], row: strides[2])
  }

  /// The strides of a tensor that is repeated along axes of size 1.
  fileprivate var broadcastHeadStrides: ck_head_strides {
    func stride(_ axis: Int) -> Int { shape[axis] == 1 ? 0 : strides[axis] }
    return ck_head_strides(batch: stride(0), head: stride(1), row: stride(2))
  }

  /// An uninitialized tensor with the layout of `other`, which is a permutation of a contiguous one.
  fileprivate convenience init(shape: TensorShape, strides: TensorShape, like other: Tensor) {
    self.init(
      shape: shape, strides: strides, offset: 0,
      storage: Storage(byteCount: other.count * other.dataType.byteCount),
      dataType: other.dataType, isContiguous: false)
  }
}
