public import TensorCore

/// What becomes of the losses of single elements or samples.
public enum Reduction: Sendable {
  /// They stay as they are.
  case none
  /// They are added.
  case sum
  /// They are averaged, PyTorch's default.
  case mean

  fileprivate func callAsFunction(_ losses: Tensor) -> Tensor {
    switch self {
    case .none: losses
    case .sum: losses.sum()
    case .mean: losses.mean()
    }
  }
}

/// The mean squared error, (prediction - target)², like PyTorch's `mse_loss`.
///
/// Both have one shape.
public func meanSquaredError(
  _ prediction: Tensor, _ target: Tensor, reduction: Reduction = .mean
) -> Tensor {
  require(
    prediction.shape == target.shape,
    "meanSquaredError: a prediction of shape \(prediction.shape) and a target of shape \(target.shape)"
  )
  return reduction(prediction.squaredDifference(target))
}

/// The cross-entropy of logits `[N, classes]` and int32 labels `[N]`, PyTorch's `cross_entropy`.
public func crossEntropy(
  _ logits: Tensor, _ labels: Tensor, reduction: Reduction = .mean
) -> Tensor {
  reduction(logits.crossEntropy(labels))
}

/// The binary cross-entropy of probabilities and targets in 0...1, PyTorch's
/// `binary_cross_entropy`.
public func binaryCrossEntropy(
  _ probabilities: Tensor, _ target: Tensor, reduction: Reduction = .mean
) -> Tensor {
  reduction(probabilities.binaryCrossEntropy(target))
}

/// The binary cross-entropy of logits and targets in 0...1, PyTorch's
/// `binary_cross_entropy_with_logits`.
public func binaryCrossEntropyWithLogits(
  _ logits: Tensor, _ target: Tensor, reduction: Reduction = .mean
) -> Tensor {
  reduction(logits.binaryCrossEntropyWithLogits(target))
}
