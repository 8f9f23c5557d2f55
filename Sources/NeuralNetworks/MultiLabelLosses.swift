public import TensorCore

/// log(1 + e^(-t x)) for scores x and targets t of 1 or -1, PyTorch's `soft_margin_loss`.
public func softMarginLoss(
  _ scores: Tensor, _ target: Tensor, reduction: Reduction = .mean
) -> Tensor {
  requireSameShape(scores, target, "softMarginLoss")
  return reduction((-target * scores).softplus())
}

/// The mean over classes of the binary cross-entropy of logits `[..., classes]`, PyTorch's
/// `multilabel_soft_margin_loss`; the targets are 1 for classes that a sample has, else 0.
///
/// - Parameter classWeights: The weight of each class, `[classes]`; 1 by default.
public func multiLabelSoftMarginLoss(
  _ logits: Tensor, _ target: Tensor, classWeights: Tensor? = nil, reduction: Reduction = .mean
) -> Tensor {
  let losses = binaryCrossEntropyWithLogits(
    logits, target, weights: classWeights, reduction: .none)
  return reduction(losses.mean(axes: [-1]))
}

/// PyTorch's `multilabel_margin_loss` of scores `[N, classes]` or `[classes]`: the sum over the classes j that a
/// sample has, and the others i, of max(0, 1 - (x[j] - x[i])), divided by the number of classes.
///
/// - Parameter target: Integers of the shape of the scores: the classes of a sample, then -1 if there are
///   fewer than all.
public func multiLabelMarginLoss(
  _ scores: Tensor, _ target: Tensor, reduction: Reduction = .mean
) -> Tensor {
  require(
    (1...2).contains(scores.shape.count) && scores.shape == target.shape
      && !target.dataType.isFloatingPoint,
    "multiLabelMarginLoss: scores [N, classes] and integer targets of the same shape are needed, not \(scores.shape) and \(target.dataType) \(target.shape)"
  )
  let classes = scores.shape.last!
  let labels = withoutGrad { target.converted(to: .int32).array(of: Int32.self) }
  var places = [Int32](repeating: 0, count: labels.count)
  var counts = [Double](repeating: 0, count: labels.count)
  var isOther = [Double](repeating: 1, count: labels.count)
  for row in stride(from: 0, to: labels.count, by: max(classes, 1)) {
    for (place, label) in labels[row..<row + classes].enumerated() {
      guard label >= 0 else { break }
      require(
        label < classes,
        "multiLabelMarginLoss: target \(label) is out of range for \(classes) classes")
      places[row + place] = label
      counts[row + place] = 1
      isOther[row + Int(label)] = 0
    }
  }
  func constant(_ values: [Double]) -> Tensor {
    Tensor.of(values, shape: scores.shape).converted(to: scores.dataType)
  }
  let ofLabels = scores.gathered(.of(places, shape: scores.shape), axis: -1)
  // [..., label, other class]
  let violations = (1 - (ofLabels.unsqueezed(axis: -1) - scores.unsqueezed(axis: -2))).relu()
  let pairs = constant(counts).unsqueezed(axis: -1) * constant(isOther).unsqueezed(axis: -2)
  return reduction((violations * pairs).sum(axes: [-2, -1]) / Double(max(classes, 1)))
}
