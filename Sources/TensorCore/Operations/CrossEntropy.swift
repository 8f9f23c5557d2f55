internal import CKernels

extension Tensor {
  /// The cross-entropy of each row of these logits, `[..., classes]`, and an integer label `[...]`:
  /// (1 - s) w[l] e[l] + s / classes Σ w[k] e[k], where e[k] = log(sum(exp(x))) - x[k], l is the label, s the
  /// label smoothing and w the class weights.
  ///
  /// Where the label is `ignoreIndex`, -100 as in PyTorch, the loss is 0, whatever the logits are. The
  /// gradient is `dy * (a softmax(x) - (1 - s) w[l] oneHot(l) - s / classes w)`, where a is the sum of the
  /// other factors, and 0 for ignored labels. The weights, `[classes]`, get none.
  public final func crossEntropy(
    _ labels: Tensor, ignoreIndex: Int? = -100, labelSmoothing: Double = 0,
    classWeights: Tensor? = nil
  ) -> Tensor {
    crossEntropyWithWeight(
      labels, ignoreIndex: ignoreIndex, labelSmoothing: labelSmoothing, classWeights: classWeights
    ).losses
  }

  /// The same, and what PyTorch's mean divides by: the sum of the weights of all labels that count.
  package final func crossEntropyWithWeight(
    _ labels: Tensor, ignoreIndex: Int?, labelSmoothing: Double, classWeights: Tensor?
  ) -> (losses: Tensor, weight: Double) {
    requireFloatingPoint("crossEntropy", self)
    require(
      shape.count >= 1 && !labels.dataType.isFloatingPoint
        && labels.shape == TensorShape(shape.dropLast()),
      "crossEntropy: logits \(shape) need integer labels \(TensorShape(shape.dropLast())), not \(labels.dataType) \(labels.shape)"
    )
    require(
      0...1 ~= labelSmoothing,
      "crossEntropy: the label smoothing \(labelSmoothing) is not in 0...1")
    let (count, classes) = (labels.count, shape.last!)
    require(
      classWeights == nil || classWeights!.shape == [classes],
      "crossEntropy: class weights [\(classes)] are needed, not \(classWeights.map(\.shape) ?? [])")
    let (chosen, weights) = withoutGrad {
      (
        labels.converted(to: .int32).contiguousUnrecorded(),
        classWeights?.converted(to: dataType.sumType).contiguousUnrecorded()
      )
    }
    let options = CrossEntropyOptions(
      ignored: ignoreIndex.map(Int32.init) ?? .min, weights: weights, smoothing: labelSmoothing)
    let total = options.weight(of: chosen, classes: classes, "crossEntropy")
    let x = contiguousUnrecorded()
    let losses = Tensor(uninitialized: labels.shape, dataType.sumType)
    let logsumexp = Tensor(uninitialized: [count, 2], dataType.sumType)
    options.withKernelOptions {
      ck_cross_entropy(
        dataType.kernelType, losses.bytes, logsumexp.bytes, x.bytes, chosen.pointer(), count,
        classes, $0)
    }
    let saved = Saved(self, by: "CrossEntropy")
    let savedLabels = Saved(chosen, by: "CrossEntropy")
    let savedWeights = weights.map { Saved($0, by: "CrossEntropy") }
    losses.recorded("CrossEntropy", from: self) { dy in
      let (logits, labels) = (saved(), savedLabels())
      _ = savedWeights?()
      return fused {
        let x = logits.contiguousUnrecorded()
        let dx = Tensor(uninitialized: x.shape, x.dataType)
        let (dy, stride) = dy.flatWithStride()
        options.withKernelOptions {
          ck_cross_entropy_backward(
            x.dataType.kernelType, dx.bytes, dy.bytes, stride, x.bytes, logsumexp.bytes,
            labels.pointer(), count, classes, $0)
        }
        return [dx]
      } composed: {
        let (target, isCounted) = options.targets(labels, classes, dy.dataType)
        let all = target.sum(axes: [-1], keepingAxes: true)
        let residual = all * logits.softmax() - target
        return [.where(isCounted .> 0, residual * dy.unsqueezed(axis: -1), 0)]
      }
    }
    return (losses, total)
  }
}

/// How labels count in the cross-entropy.
private struct CrossEntropyOptions {
  let ignored: Int32
  /// The weights of the classes, of the type of sums.
  let weights: Tensor?
  let smoothing: Double

  /// Stops for labels out of range; otherwise the sum of the weights of those that are not ignored.
  func weight(of labels: Tensor, classes: Int, _ name: StaticString) -> Double {
    let weights = weights?.doubles()
    let values = UnsafeBufferPointer(start: labels.pointer(Int32.self), count: labels.count)
    var total = 0.0
    for (index, label) in values.enumerated() where label != ignored {
      require(
        label >= 0 && label < classes,
        "\(name): label \(label) of sample \(index) is out of range for \(classes) classes")
      total += weights?[Int(label)] ?? 1
    }
    return total
  }

  func withKernelOptions(_ body: (UnsafePointer<ck_label_options>) -> Void) {
    var options = ck_label_options(
      ignored: ignored, weights: weights.map { UnsafeRawPointer($0.bytes) }, smoothing: smoothing)
    body(&options)
    withExtendedLifetime(weights) {}
  }

  /// The weighted and smoothed target of each class, `[..., classes]`, and 1 for labels that count, else 0,
  /// `[..., 1]`: outside the graph.
  func targets(
    _ labels: Tensor, _ classes: Int, _ dataType: DataType
  ) -> (target: Tensor, isCounted: Tensor) {
    withoutGrad {
      let values = labels.array(of: Int32.self)
      let isCounted = Tensor.of(values.map { $0 == ignored ? 0.0 : 1 }, shape: labels.shape)
        .converted(to: dataType)
      let chosen = Tensor.of(values.map { $0 == ignored ? 0 : $0 }, shape: labels.shape)
      let oneHot = chosen.oneHot(classes, dataType)
      let weights = weights?.converted(to: dataType) ?? .ones([classes], dataType)
      let ofLabel = (oneHot * weights)
      let target = (1 - smoothing) * ofLabel + (smoothing / Double(classes)) * weights
      return (target, isCounted.unsqueezed(axis: -1))
    }
  }
}
