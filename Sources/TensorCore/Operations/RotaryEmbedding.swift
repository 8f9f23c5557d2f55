/// Which channels rotary position embedding turns together.
public enum RotaryPairs: Sendable {
  /// Channel i and channel i + D / 2, as in Hugging Face's Llama and GPT-NeoX (`rotate_half`).
  case halves
  /// Neighbors, as in Meta's Llama and the paper.
  case neighbors
}

extension Tensor {
  /// Rotary position embedding (Su et al., 2021): the pairs of channels of each position of `[..., T, D]`
  /// are turned by an angle that grows with the position.
  ///
  /// A pair (a, b) becomes (a cos - b sin, b cos + a sin). The gradient is turned back. With R < D / 2
  /// columns, only the first 2 R channels are turned.
  ///
  /// - Parameters:
  ///   - cos: The cosines of the angles, `[T, R]`, or what broadcasts to `[..., T, R]`.
  ///   - sin: The sines of the angles, of the same shape.
  ///   - pairs: Which channels are a pair.
  public final func rotaryEmbedding(
    cos: Tensor, sin: Tensor, pairs: RotaryPairs = .halves
  ) -> Tensor {
    requireFloatingPoint("rotaryEmbedding", self, cos, sin)
    let half = cos.shape.last ?? 0
    let fits = shape.count >= 2 && 2 * half <= shape.last! && cos.shape == sin.shape
    let angles = fits ? TensorShape(shape.dropLast() + [half]) : []
    require(
      fits && TensorShape.broadcast(cos.shape, angles) == angles,
      "rotaryEmbedding: for [..., T, D] cosines and sines [T, D / 2] are needed, not \(shape), \(cos.shape) and \(sin.shape)"
    )
    let (cos, sin) = (cos.detached(), sin.detached())
    let y = withoutGrad { turned(cos.converted(to: sumType), sin.converted(to: sumType), pairs) }
    let saved = (Saved(cos, by: "RotaryEmbedding"), Saved(sin, by: "RotaryEmbedding"))
    return y.recorded("RotaryEmbedding", from: self) { dy in
      [dy.rotaryEmbedding(cos: saved.0(), sin: withoutGrad { -saved.1() }, pairs: pairs)]
    }
  }

  private var sumType: DataType { dataType.sumType }

  private func turned(_ cos: Tensor, _ sin: Tensor, _ pairs: RotaryPairs) -> Tensor {
    let half = cos.shape.last!
    let x = widened.sliced(0..<2 * half, axis: -1)
    let (a, b) =
      pairs == .halves
      ? (x.sliced(0..<half, axis: -1), x.sliced(half..<2 * half, axis: -1))
      : (x.sliced(0..<2 * half, axis: -1, step: 2), x.sliced(1..<2 * half, axis: -1, step: 2))
    let (c, d) = (a * cos - b * sin, b * cos + a * sin)
    var parts = pairs == .halves ? [c, d] : [.stacked([c, d], axis: -1).reshaped(to: x.shape)]
    if 2 * half < shape.last! { parts.append(widened.sliced(2 * half..<shape.last!, axis: -1)) }
    return (parts.count == 1 ? parts[0] : .concatenated(parts, axis: -1)).converted(to: dataType)
  }
}
