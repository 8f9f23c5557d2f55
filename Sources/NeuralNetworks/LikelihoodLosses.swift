internal import Glibc
public import TensorCore

/// The negative log-likelihood of counts under Poisson distributions, PyTorch's `poisson_nll_loss`: e^x - t x
/// or, if x is not the logarithm of the rate, x - t log(x + ε).
///
/// - Parameters:
///   - logInput: Whether the predictions are logarithms of rates.
///   - full: Whether Stirling's approximation of log(t!) is added where t > 1: t log t - t + log(2πt) / 2.
public func poissonNLLLoss(
  _ prediction: Tensor, _ target: Tensor, logInput: Bool = true, full: Bool = false,
  epsilon: Double = 1e-8, reduction: Reduction = .mean
) -> Tensor {
  requireSameShape(prediction, target, "poissonNLLLoss")
  var losses =
    logInput
    ? prediction.exp() - target * prediction
    : prediction - target * (prediction + epsilon).log()
  if full {
    let large = Tensor.where(target .> 1, target, 1)
    let stirling = large * large.log() - large + 0.5 * (2 * Double.pi * large).log()
    losses = losses + Tensor.where(target .> 1, stirling, 0)
  }
  return reduction(losses)
}

/// The negative log-likelihood of numbers under normal distributions, PyTorch's `gaussian_nll_loss`:
/// (log max(v, ε) + (x - t)² / max(v, ε)) / 2 for the mean x and the variance v.
///
/// - Parameters:
///   - variance: Of the shape of the prediction, or with 1 as the last size, or without the last axis.
///     Its gradient is the one at max(v, ε), also where v is smaller, as in PyTorch.
///   - full: Whether the constant log(2π) / 2 is added.
public func gaussianNLLLoss(
  _ prediction: Tensor, _ target: Tensor, variance: Tensor, full: Bool = false,
  epsilon: Double = 1e-6, reduction: Reduction = .mean
) -> Tensor {
  requireSameShape(prediction, target, "gaussianNLLLoss")
  var variance = variance
  if variance.shape != prediction.shape,
    variance.shape == TensorShape(prediction.shape.dropLast())
  {
    variance = variance.unsqueezed(axis: -1)
  }
  require(
    variance.shape == prediction.shape
      || !prediction.shape.isEmpty
        && variance.shape == TensorShape(prediction.shape.dropLast() + [1]),
    "gaussianNLLLoss: a variance \(variance.shape) for predictions \(prediction.shape)")
  // A constant is added, so that the gradient passes.
  let v = variance + withoutGrad { variance.clamped(epsilon) - variance }
  let losses = 0.5 * (v.log() + prediction.squaredDifference(target) / v)
  return reduction(full ? losses + 0.5 * log(2 * Double.pi) : losses)
}

/// The connectionist temporal classification loss, PyTorch's `ctc_loss`: minus the logarithm of the probability
/// of the labels, summed over all ways to align them with the times (Graves et al., 2006).
///
/// The mean divides each loss by the number of labels of its sample, at least 1, before it takes the mean over
/// samples. See `Tensor.ctcLoss` for the gradient, which is PyTorch's.
///
/// - Parameters:
///   - logProbabilities: `[T, N, C]`, or `[T, C]` for one sample, from `logSoftmax`.
///   - targets: Integer labels, `[N, S]`, or all of them one sample after the other.
///   - inputLengths: The number of times of each sample.
///   - targetLengths: The number of labels of each sample.
///   - blank: The class of the blank.
///   - zeroInfinity: Whether an infinite loss, of labels that do not fit into the times, counts 0.
public func ctcLoss(
  _ logProbabilities: Tensor, _ targets: Tensor, inputLengths: [Int], targetLengths: [Int],
  blank: Int = 0, reduction: Reduction = .mean, zeroInfinity: Bool = false
) -> Tensor {
  let isSingle = logProbabilities.shape.count == 2
  let losses = (isSingle ? logProbabilities.unsqueezed(axis: 1) : logProbabilities).ctcLoss(
    targets, inputLengths: inputLengths, targetLengths: targetLengths, blank: blank,
    zeroInfinity: zeroInfinity)
  switch reduction {
  case .none: return isSingle ? losses.squeezed(axis: 0) : losses
  case .sum: return losses.sum()
  case .mean:
    let lengths = Tensor(targetLengths.map { Double(max($0, 1)) }).converted(to: losses.dataType)
    return (losses / lengths).mean()
  }
}
