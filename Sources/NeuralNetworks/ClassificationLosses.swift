public import TensorCore

/// The cross-entropy of logits and targets, PyTorch's `cross_entropy`.
///
/// The targets are integer labels without the axis of the classes, or probabilities of the shape of the
/// logits. The classes are the last axis where the shape of the labels allows it, `[..., classes]` with
/// labels `[...]`, and otherwise axis 1 as in PyTorch: `[N, classes, H, W]` with labels `[N, H, W]`.
/// Probabilities of more than two axes need `axis`.
///
/// The mean is weighted: the sum is divided by the sum of the weights of all labels that are not ignored. If
/// all are ignored it is NaN, with a gradient of 0. An ignored sample has no gradient even if a logit of it
/// is infinite or NaN.
///
/// - Parameters:
///   - axis: The axis of the classes.
///   - labelSmoothing: The part of each label that is distributed evenly over all classes, 0...1.
///   - ignoreIndex: The label of samples that are ignored.
///   - classWeights: The weight of each class, `[classes]`; 1 by default. They get no gradient.
public func crossEntropy(
  _ logits: Tensor, _ target: Tensor, axis: Int? = nil, labelSmoothing: Double = 0,
  ignoreIndex: Int? = -100, classWeights: Tensor? = nil, reduction: Reduction = .mean
) -> Tensor {
  if target.dataType.isFloatingPoint {
    return crossEntropyOfProbabilities(
      logits, target, axis, labelSmoothing, classWeights, reduction)
  }
  let (losses, weight) = logits.withClassesLast(axis, labels: target, "crossEntropy")
    .crossEntropyWithWeight(
      target, ignoreIndex: ignoreIndex, labelSmoothing: labelSmoothing, classWeights: classWeights)
  // The mean of all is one operation.
  guard case .mean = reduction, weight != Double(losses.count) else { return reduction(losses) }
  return losses.sum() / weight
}

/// The cross-entropy of probabilities t: - Σ w[k] ((1 - s) t[k] + s / classes) log softmax(x)[k].
private func crossEntropyOfProbabilities(
  _ logits: Tensor, _ target: Tensor, _ axis: Int?, _ labelSmoothing: Double,
  _ classWeights: Tensor?, _ reduction: Reduction
) -> Tensor {
  requireSameShape(logits, target, "crossEntropy")
  require(
    0...1 ~= labelSmoothing,
    "crossEntropy: the label smoothing \(labelSmoothing) is not in 0...1")
  require(
    logits.shape.count >= 1 && (axis != nil || logits.shape.count <= 2),
    "crossEntropy: logits and probabilities \(logits.shape) need the axis of the classes: 'axis: 1' as in PyTorch, or 'axis: -1'"
  )
  let x = logits.withLastAxis(axis ?? -1)
  let classes = x.shape.last!
  var t = target.converted(to: x.dataType).withLastAxis(axis ?? -1)
  if labelSmoothing > 0 { t = (1 - labelSmoothing) * t + labelSmoothing / Double(classes) }
  if let classWeights {
    require(
      classWeights.shape == [classes],
      "crossEntropy: class weights [\(classes)] are needed, not \(classWeights.shape)")
    t = t * classWeights.detached()
  }
  return reduction(-(x.logSoftmax() * t).sum(axes: [-1]))
}

/// The negative log-likelihood of log-probabilities and integer labels, PyTorch's `nll_loss`.
///
/// The axis of the classes and the weighted mean are those of `crossEntropy`.
public func nllLoss(
  _ logProbabilities: Tensor, _ labels: Tensor, axis: Int? = nil, ignoreIndex: Int? = -100,
  classWeights: Tensor? = nil, reduction: Reduction = .mean
) -> Tensor {
  let scores = logProbabilities.withClassesLast(axis, labels: labels, "nllLoss")
  let counted = CountedLabels(labels, scores, ignoreIndex, classWeights, "nllLoss")
  // The log-probability of an ignored sample may be infinite.
  let losses = Tensor.where(
    counted.mask .> 0, -counted.chosen(from: scores) * counted.weights, 0)
  return reduction == .mean ? losses.sum() / counted.weights.sum() : reduction(losses)
}

/// The multi-class hinge loss of scores `[..., classes]` and integer labels `[...]`: the sum over the other
/// classes of max(0, score - score of the label + margin).
///
/// PyTorch's `multi_margin_loss` is this loss divided by the number of classes: `multiMarginLoss`.
public func hingeLoss(
  _ scores: Tensor, _ labels: Tensor, margin: Double = 1, reduction: Reduction = .mean
) -> Tensor {
  reduction(marginViolations(scores, labels, margin, "hingeLoss").losses.sum(axes: [-1]))
}

/// PyTorch's `multi_margin_loss` of scores `[..., classes]` and integer labels `[...]`: the sum over the other
/// classes of max(0, score - score of the label + margin)^power, times the weight of the label's class,
/// divided by the number of classes.
///
/// - Parameter power: 1 or 2; PyTorch's `p`.
public func multiMarginLoss(
  _ scores: Tensor, _ labels: Tensor, power: Int = 1, margin: Double = 1,
  classWeights: Tensor? = nil, reduction: Reduction = .mean
) -> Tensor {
  require(power == 1 || power == 2, "multiMarginLoss: the power is 1 or 2, not \(power)")
  let (violations, counted) = marginViolations(
    scores, labels, margin, "multiMarginLoss", classWeights)
  let losses = (power == 1 ? violations : violations.squared()).mean(axes: [-1])
  return reduction(classWeights == nil ? losses : losses * counted.weights)
}

/// How much each other class's score is too large, `[..., classes]`.
private func marginViolations(
  _ scores: Tensor, _ labels: Tensor, _ margin: Double, _ name: String,
  _ classWeights: Tensor? = nil
) -> (losses: Tensor, counted: CountedLabels) {
  let counted = CountedLabels(labels, scores, nil, classWeights, name)
  let ofLabel = counted.chosen(from: scores).unsqueezed(axis: -1)
  let isLabel = counted.labels.oneHot(scores.shape.last!, scores.dataType) .> 0
  return (Tensor.where(isLabel, 0, (scores - ofLabel + margin).relu()), counted)
}

/// Integer labels, with ignored ones replaced by class 0, and the weight of each sample.
private struct CountedLabels {
  /// The labels, int32.
  let labels: Tensor
  /// 1 for samples that are not ignored, else 0, of the type of the scores.
  let mask: Tensor
  /// The weight of each sample's class, 0 for ignored samples.
  let weights: Tensor

  init(
    _ labels: Tensor, _ scores: Tensor, _ ignoreIndex: Int?, _ classWeights: Tensor?, _ name: String
  ) {
    require(
      scores.shape.count >= 1 && !labels.dataType.isFloatingPoint
        && labels.shape == TensorShape(scores.shape.dropLast()),
      "\(name): scores \(scores.shape) need integer labels \(TensorShape(scores.shape.dropLast())), not \(labels.dataType) \(labels.shape)"
    )
    let classes = scores.shape.last!
    require(
      classWeights == nil || classWeights!.shape == [classes],
      "\(name): class weights [\(classes)] are needed, not \(classWeights.map(\.shape) ?? [])")
    let weightOfClass = classWeights?.doubles()
    var values = withoutGrad { labels.converted(to: .int32).array(of: Int32.self) }
    var mask = [Double](repeating: 1, count: values.count)
    var weights = mask
    for (sample, label) in values.enumerated() {
      if ignoreIndex == Int(label) {
        (values[sample], mask[sample], weights[sample]) = (0, 0, 0)
        continue
      }
      require(
        label >= 0 && label < classes,
        "\(name): label \(label) of sample \(sample) is out of range for \(classes) classes")
      if let weightOfClass { weights[sample] = weightOfClass[Int(label)] }
    }
    self.labels = .of(values, shape: labels.shape)
    self.mask = Tensor.of(mask, shape: labels.shape).converted(to: scores.dataType)
    self.weights = Tensor.of(weights, shape: labels.shape).converted(to: scores.dataType)
  }

  /// The score of each label.
  func chosen(from scores: Tensor) -> Tensor {
    scores.gathered(labels.unsqueezed(axis: -1), axis: -1).squeezed(axis: -1)
  }
}

extension Tensor {
  /// This tensor with `axis` moved to the end.
  final func withLastAxis(_ axis: Int) -> Tensor {
    let position = axis < 0 ? axis + shape.count : axis
    guard position != shape.count - 1 else { return self }
    require(
      shape.indices.contains(position), "axis \(axis) is out of range for the shape \(shape)")
    return permuted(shape.indices.filter { $0 != position } + [position])
  }

  /// These scores with the axis of the classes moved to the end: the one that is named, or the last one if
  /// the labels have the other axes, or axis 1 if they have the others then.
  fileprivate final func withClassesLast(_ axis: Int?, labels: Tensor, _ name: String) -> Tensor {
    if let axis { return withLastAxis(axis) }
    let isLast = labels.shape == TensorShape(shape.dropLast())
    let isSecond = shape.count > 2 && labels.shape == shape.removingAxis(1)
    require(
      isLast || isSecond || shape.count < 1,
      "\(name): scores \(shape) need labels \(TensorShape(shape.dropLast()))\(shape.count > 2 ? ", or \(shape.removingAxis(1)) if the classes are axis 1," : ""), not \(labels.shape)"
    )
    return isLast ? self : withLastAxis(1)
  }
}

extension TensorShape {
  fileprivate func removingAxis(_ axis: Int) -> TensorShape {
    TensorShape(indices.filter { $0 != axis }.map { self[$0] })
  }
}
