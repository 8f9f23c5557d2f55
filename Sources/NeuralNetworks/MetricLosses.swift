public import TensorCore

// Losses of distances and similarities between samples.

/// The cosine of the angle between vectors along an axis, PyTorch's `cosine_similarity`: a · b / (max(|a|, ε)
/// max(|b|, ε)).
///
/// Both are broadcast.
public func cosineSimilarity(
  _ a: Tensor, _ b: Tensor, axis: Int = 1, epsilon: Double = 1e-8
) -> Tensor {
  func normalized(_ x: Tensor) -> Tensor {
    require(
      (-x.shape.count..<x.shape.count).contains(axis),
      "cosineSimilarity: axis \(axis) is out of range for \(x.shape)")
    return x / x.norm(axes: [axis], keepingAxes: true).clamped(epsilon)
  }
  return (normalized(a) * normalized(b)).sum(axes: [axis])
}

/// The distance of vectors along the last axis, (Σ |a - b + ε|^p)^(1/p), PyTorch's `pairwise_distance`.
///
/// Both are broadcast.
///
/// - Parameter power: The p of the norm, 1 or more; 2 is the Euclidean distance.
public func pairwiseDistance(
  _ a: Tensor, _ b: Tensor, power: Double = 2, epsilon: Double = 1e-6, keepingAxes: Bool = false
) -> Tensor {
  require(power >= 1, "pairwiseDistance: the power is at least 1, not \(power)")
  let difference = a - b + epsilon
  if power == 2 { return difference.norm(axes: [-1], keepingAxes: keepingAxes) }
  let distance = difference.abs()
  if power == .infinity { return distance.max(axes: [-1], keepingAxes: keepingAxes) }
  if power == 1 { return distance.sum(axes: [-1], keepingAxes: keepingAxes) }
  return distance.pow(power).sum(axes: [-1], keepingAxes: keepingAxes).pow(1 / power)
}

/// The loss of pairs of vectors `[N, D]` or `[D]`, PyTorch's `cosine_embedding_loss`: 1 - cos(a, b) where the
/// target is 1, max(0, cos(a, b) - margin) where it is -1, else 0.
///
/// - Parameter target: `[N]`, or a scalar for `[D]`.
public func cosineEmbeddingLoss(
  _ a: Tensor, _ b: Tensor, _ target: Tensor, margin: Double = 0, reduction: Reduction = .mean
) -> Tensor {
  require(
    a.shape == b.shape && (1...2).contains(a.shape.count)
      && target.shape == TensorShape(a.shape.dropLast()),
    "cosineEmbeddingLoss: two tensors [N, D] and a target [N] are needed, not \(a.shape), \(b.shape) and \(target.shape)"
  )
  func squares(_ x: Tensor) -> Tensor { x.squared().sum(axes: [-1]) + 1e-12 }
  let cosine = (a * b).sum(axes: [-1]) / (squares(a) * squares(b)).sqrt()
  let t = target.detached().converted(to: cosine.dataType)
  let ofOthers = Tensor.where(t .== -1, (cosine - margin).clamped(0), 0)
  return reduction(.where(t .== 1, 1 - cosine, ofOthers))
}

/// x where the target is 1, max(0, margin - x) where it is -1: PyTorch's `hinge_embedding_loss` of distances x.
///
/// Both have the same shape.
public func hingeEmbeddingLoss(
  _ distances: Tensor, _ target: Tensor, margin: Double = 1, reduction: Reduction = .mean
) -> Tensor {
  requireSameShape(distances, target, "hingeEmbeddingLoss")
  let t = target.detached().converted(to: distances.dataType)
  // PyTorch adds both parts where the target is neither.
  let ofSame = Tensor.where(t .== -1, 0, distances)
  let ofOthers = Tensor.where(t .== 1, 0, (margin - distances).clamped(0))
  return reduction(ofSame + ofOthers)
}

/// max(0, -target (a - b) + margin), PyTorch's `margin_ranking_loss`: the target is 1 where a should be larger,
/// -1 where b should be.
///
/// All three are broadcast.
public func marginRankingLoss(
  _ a: Tensor, _ b: Tensor, _ target: Tensor, margin: Double = 0, reduction: Reduction = .mean
) -> Tensor {
  let t = target.detached().converted(to: a.dataType)
  return reduction((-t * (a - b) + margin).clamped(0))
}

/// max(0, d(anchor, positive) - d(anchor, negative) + margin) of vectors `[N, D]`, PyTorch's
/// `triplet_margin_loss`; d is the `pairwiseDistance`.
///
/// - Parameters:
///   - power: The p of the norm; 2 is the Euclidean distance.
///   - swap: Whether d(positive, negative) takes the place of d(anchor, negative) where it is smaller.
public func tripletMarginLoss(
  _ anchor: Tensor, _ positive: Tensor, _ negative: Tensor, margin: Double = 1, power: Double = 2,
  epsilon: Double = 1e-6, swap: Bool = false, reduction: Reduction = .mean
) -> Tensor {
  require(
    anchor.shape == positive.shape && anchor.shape == negative.shape,
    "tripletMarginLoss: three tensors of one shape are needed, not \(anchor.shape), \(positive.shape) and \(negative.shape)"
  )
  func distance(_ a: Tensor, _ b: Tensor) -> Tensor {
    pairwiseDistance(a, b, power: power, epsilon: epsilon)
  }
  var far = distance(anchor, negative)
  if swap { far = .minimum(far, distance(positive, negative)) }
  return reduction((margin + distance(anchor, positive) - far).clamped(0))
}
