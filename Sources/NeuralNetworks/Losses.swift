public import TensorCore

/// How the losses of elements or samples are reduced.
public enum Reduction: Sendable {
  /// Not at all.
  case none
  /// By their sum.
  case sum
  /// By their mean, PyTorch's default.
  case mean

  fileprivate func callAsFunction(_ losses: Tensor) -> Tensor {
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

/// The cross-entropy of logits `[..., classes]` and int32 labels `[...]`, PyTorch's `cross_entropy`
/// (where the classes are axis 1).
///
/// The mean is weighted: the sum is divided by the sum of the weights of all labels that are not ignored.
///
/// - Parameters:
///   - labelSmoothing: The part of each label that is distributed evenly over all classes, 0...1.
///   - ignoreIndex: The label of samples that are ignored; PyTorch's default is -100, here there is none.
///   - classWeights: The weight of each class, `[classes]`; 1 by default.
public func crossEntropy(
  _ logits: Tensor, _ labels: Tensor, labelSmoothing: Double = 0, ignoreIndex: Int? = nil,
  classWeights: Tensor? = nil, reduction: Reduction = .mean
) -> Tensor {
  require(
    labelSmoothing >= 0 && labelSmoothing <= 1,
    "crossEntropy: the label smoothing \(labelSmoothing) is not in 0...1")
  if labelSmoothing == 0, ignoreIndex == nil, classWeights == nil {
    return reduction(logits.crossEntropy(labels))
  }
  let counted = CountedLabels(labels, logits, ignoreIndex, classWeights, "crossEntropy")
  var losses = logits.crossEntropy(counted.labels) * counted.weights
  if labelSmoothing > 0 {
    let surprises = -logits.logSoftmax()
    let ofAll = (classWeights.map { surprises * $0 } ?? surprises).mean(axes: [-1])
    losses = (1 - labelSmoothing) * losses + labelSmoothing * ofAll * counted.mask
  }
  return counted.reduced(losses, reduction)
}

/// The negative log-likelihood of log-probabilities `[..., classes]` and int32 labels `[...]`, PyTorch's
/// `nll_loss` (where the classes are axis 1).
///
/// The mean is weighted as in `crossEntropy`.
public func nllLoss(
  _ logProbabilities: Tensor, _ labels: Tensor, ignoreIndex: Int? = nil,
  classWeights: Tensor? = nil, reduction: Reduction = .mean
) -> Tensor {
  let counted = CountedLabels(labels, logProbabilities, ignoreIndex, classWeights, "nllLoss")
  let chosen = logProbabilities.gathered(counted.labels.unsqueezed(axis: -1), axis: -1)
    .squeezed(axis: -1)
  // The log-probability of an ignored sample may be infinite.
  return counted.reduced(.where(counted.isCounted, -chosen * counted.weights, 0), reduction)
}

/// Labels, with ignored ones replaced by class 0, and the weight of each sample.
private struct CountedLabels {
  let labels: Tensor
  /// 1 for samples that are not ignored, else 0, as int32.
  let isCounted: Tensor
  /// The same with the type of the scores.
  let mask: Tensor
  /// The weight of each sample's class, 0 for ignored samples.
  let weights: Tensor

  init(
    _ labels: Tensor, _ scores: Tensor, _ ignoreIndex: Int?, _ classWeights: Tensor?, _ name: String
  ) {
    require(
      scores.shape.count >= 1 && labels.dataType == .int32
        && labels.shape == TensorShape(scores.shape.dropLast()),
      "\(name): scores \(scores.shape) need int32 labels \(TensorShape(scores.shape.dropLast())), not \(labels.dataType) \(labels.shape)"
    )
    let classes = scores.shape.last!
    require(
      classWeights == nil || classWeights!.shape == [classes],
      "\(name): class weights [\(classes)] are needed, not \(classWeights!.shape)")
    if let ignoreIndex {
      let isIgnored = labels .== Double(ignoreIndex)
      isCounted = isIgnored .== 0
      self.labels = .where(isIgnored, 0, labels)
    } else {
      isCounted = labels .== labels
      self.labels = labels
    }
    for (sample, label) in self.labels.array(of: Int32.self).enumerated() {
      require(
        label >= 0 && label < classes,
        "\(name): label \(label) of sample \(sample) is out of range for \(classes) classes")
    }
    mask = isCounted.converted(to: scores.dataType)
    let (all, chosen) = (mask, self.labels)
    weights = withoutGrad {
      guard let classWeights else { return all }
      let places = chosen.reshaped(to: [chosen.count])
      return classWeights.indexSelected(places).reshaped(to: chosen.shape) * all
    }
  }

  func reduced(_ losses: Tensor, _ reduction: Reduction) -> Tensor {
    reduction == .mean ? losses.sum() / weights.sum() : reduction(losses)
  }
}

/// The multi-class hinge loss of scores `[..., classes]` and int32 labels `[...]`: the sum over the other
/// classes of max(0, score - score of the label + margin).
///
/// PyTorch's `multi_margin_loss` is this loss divided by the number of classes.
public func hingeLoss(
  _ scores: Tensor, _ labels: Tensor, margin: Double = 1, reduction: Reduction = .mean
) -> Tensor {
  let counted = CountedLabels(labels, scores, nil, nil, "hingeLoss")
  let ofLabel = scores.gathered(counted.labels.unsqueezed(axis: -1), axis: -1)
  let violations = (scores - ofLabel + margin).relu()
  let isLabel = counted.labels.oneHot(scores.shape.last!, .int32)
  return reduction(Tensor.where(isLabel, 0, violations).sum(axes: [-1]))
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

private func requireSameShape(_ prediction: Tensor, _ target: Tensor, _ name: String) {
  require(
    prediction.shape == target.shape,
    "\(name): a prediction of shape \(prediction.shape) and a target of shape \(target.shape)")
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
