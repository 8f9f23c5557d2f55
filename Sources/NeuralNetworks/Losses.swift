public import TensorCore

/// How the losses of elements or samples are reduced.
public enum Reduction: Sendable {
  /// Not at all.
  case none
  /// By their sum.
  case sum
  /// By their mean, PyTorch's default.
  case mean

  func callAsFunction(_ losses: Tensor) -> Tensor {
    switch self {
    case .none: losses
    case .sum: losses.sum()
    case .mean: losses.mean()
    }
  }
}

/// The mean squared error, (prediction - target)², PyTorch's `mse_loss`.
///
/// Both have the same shape.
public func meanSquaredError(
  _ prediction: Tensor, _ target: Tensor, reduction: Reduction = .mean
) -> Tensor {
  requireSameShape(prediction, target, "meanSquaredError")
  return reduction(prediction.squaredDifference(target))
}

/// The mean absolute error, |prediction - target|, PyTorch's `l1_loss`.
///
/// Both have the same shape.
public func l1Loss(
  _ prediction: Tensor, _ target: Tensor, reduction: Reduction = .mean
) -> Tensor {
  requireSameShape(prediction, target, "l1Loss")
  return reduction((prediction - target).abs())
}

/// The Huber loss, PyTorch's `huber_loss`: with the error e, e² / 2 if |e| ≤ delta, else
/// delta (|e| - delta / 2).
///
/// Both have the same shape.
public func huberLoss(
  _ prediction: Tensor, _ target: Tensor, delta: Double = 1, reduction: Reduction = .mean
) -> Tensor {
  requireSameShape(prediction, target, "huberLoss")
  require(delta > 0, "huberLoss: delta must be positive, not \(delta)")
  let distance = (prediction - target).abs()
  let near = distance.clamped(-.infinity, delta)
  return reduction(0.5 * near.squared() + delta * (distance - near))
}

/// PyTorch's `smooth_l1_loss`: with the error e, e² / (2 beta) if |e| < beta, else |e| - beta / 2; the Huber
/// loss divided by beta, and `l1Loss` for a beta of 0.
///
/// Both have the same shape.
public func smoothL1Loss(
  _ prediction: Tensor, _ target: Tensor, beta: Double = 1, reduction: Reduction = .mean
) -> Tensor {
  requireSameShape(prediction, target, "smoothL1Loss")
  require(beta >= 0, "smoothL1Loss: beta must not be negative, as \(beta) is")
  let distance = (prediction - target).abs()
  if beta == 0 { return reduction(distance) }
  let near = distance.clamped(-.infinity, beta)
  return reduction((0.5 / beta) * near.squared() + (distance - near))
}

/// The pointwise Kullback-Leibler divergence of log-probabilities x from a target t, PyTorch's `kl_div`:
/// t (log t - x), 0 where t is 0.
///
/// The target consists of probabilities or, with `logTarget`, of log-probabilities. The mean is over all
/// elements; PyTorch's `batchmean` is the sum divided by the batch size.
public func klDivergence(
  _ logProbabilities: Tensor, _ target: Tensor, logTarget: Bool = false,
  reduction: Reduction = .mean
) -> Tensor {
  requireSameShape(logProbabilities, target, "klDivergence")
  if logTarget { return reduction(target.exp() * (target - logProbabilities)) }
  let isZero = target .== 0
  let logarithm = Tensor.where(isZero, 1, target).log()
  return reduction(.where(isZero, 0, target * (logarithm - logProbabilities)))
}

func requireSameShape(_ prediction: Tensor, _ target: Tensor, _ name: String) {
  require(
    prediction.shape == target.shape,
    "\(name): a prediction of shape \(prediction.shape) and a target of shape \(target.shape)")
}

/// The binary cross-entropy of probabilities and targets in 0...1, PyTorch's
/// `binary_cross_entropy`.
///
/// - Parameter weights: Factors of the losses, which broadcast to their shape; PyTorch's `weight`.
public func binaryCrossEntropy(
  _ probabilities: Tensor, _ target: Tensor, weights: Tensor? = nil, reduction: Reduction = .mean
) -> Tensor {
  let losses = probabilities.binaryCrossEntropy(target)
  return reduction(weighted(losses, weights, "binaryCrossEntropy"))
}

/// The binary cross-entropy of logits and targets in 0...1, PyTorch's
/// `binary_cross_entropy_with_logits`.
///
/// With `positiveWeights` p, each target t counts p times where it is 1: the loss of a logit x is
/// (1 - t) x + (1 + (p - 1) t) log(1 + e^-x).
///
/// - Parameters:
///   - weights: Factors of the losses, which broadcast to their shape; PyTorch's `weight`.
///   - positiveWeights: Factors of the positive targets, which broadcast to their shape, as one for each
///     class does; PyTorch's `pos_weight`.
public func binaryCrossEntropyWithLogits(
  _ logits: Tensor, _ target: Tensor, weights: Tensor? = nil, positiveWeights: Tensor? = nil,
  reduction: Reduction = .mean
) -> Tensor {
  let name = "binaryCrossEntropyWithLogits"
  guard let positiveWeights else {
    return reduction(weighted(logits.binaryCrossEntropyWithLogits(target), weights, name))
  }
  requireSameShape(logits, target, name)
  let t = target.detached()
  let factor = weighted(t, positiveWeights - 1, name) + 1
  let losses = (1 - t) * logits + factor * (-logits).softplus()
  return reduction(weighted(losses, weights, name))
}

/// Losses times factors that broadcast to their shape.
private func weighted(_ losses: Tensor, _ weights: Tensor?, _ name: String) -> Tensor {
  guard let weights else { return losses }
  let result = losses * weights
  require(
    result.shape == losses.shape,
    "\(name): weights \(weights.shape) do not broadcast to \(losses.shape)")
  return result
}
