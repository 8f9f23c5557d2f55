internal import CKernels

// Fused losses of each sample. How they are averaged is the business of the layer above.

private typealias LossKernel<T> = (
  UnsafeMutablePointer<T>?, UnsafePointer<T>?, UnsafePointer<T>?, Int
) -> Void
private typealias LossBackwardKernel<T> = (
  UnsafeMutablePointer<T>?, UnsafePointer<T>?, Int, UnsafePointer<T>?, UnsafePointer<T>?, Int
) -> Void

extension Tensor {
  /// The cross-entropy of each row of these logits, `[..., classes]`, and an int32 label `[...]`:
  /// log(sum(exp(x))) - x[label].
  ///
  /// The gradient is `dy * (softmax(x) - oneHot(label))`.
  public final func crossEntropy(_ labels: Tensor) -> Tensor {
    require(
      shape.count >= 1 && labels.shape == Shape(shape.dropLast()) && labels.dataType == .int32,
      "crossEntropy: logits \(shape) need int32 labels \(Shape(shape.dropLast())), not \(labels.dataType) \(labels.shape)"
    )
    let classes = shape.last!
    let x = dense()
    let labels = labels.dense()
    for index in 0..<labels.count {
      let label = labels.i32[index]
      require(
        label >= 0 && label < classes,
        "crossEntropy: label \(label) of sample \(index) is out of range for \(classes) classes")
    }
    let losses = Tensor(uninitialized: labels.shape, dataType)
    let rowLogs = Tensor(uninitialized: [labels.count, 2], dataType)
    switch dataType {
    case .float32:
      ck_cross_entropy_f32(losses.f32, rowLogs.f32, x.f32, labels.i32, labels.count, classes)
    case .float64:
      ck_cross_entropy_f64(losses.f64, rowLogs.f64, x.f64, labels.i32, labels.count, classes)
    case .int32: notForIntegers("crossEntropy")
    }
    let saved = Saved(self, by: "CrossEntropy")
    return losses.recorded("CrossEntropy", from: self) { dy in
      let logits = saved()
      if isGradientEnabled {
        let residual = logits.softmax() - labels.oneHot(classes, logits.dataType)
        return [residual * dy.unsqueezed(axis: -1)]
      }
      let x = logits.dense()
      let dx = Tensor(uninitialized: x.shape, x.dataType)
      let (dy, step) = dy.flatWithStep()
      if x.dataType == .float32 {
        ck_cross_entropy_backward_f32(
          dx.f32, dy.f32, step, x.f32, rowLogs.f32, labels.i32, labels.count, classes)
      } else {
        ck_cross_entropy_backward_f64(
          dx.f64, dy.f64, step, x.f64, rowLogs.f64, labels.i32, labels.count, classes)
      }
      return [dx]
    }
  }

  /// The binary cross-entropy of each probability and its target in 0...1; logarithms are kept
  /// above -100, as in PyTorch.
  ///
  /// The gradient is `dy * (p - t) / max(p (1 - p), 1e-12)`. The target gets none.
  public final func binaryCrossEntropy(_ target: Tensor) -> Tensor {
    binaryLoss(
      "BinaryCrossEntropy", target, ck_bce_f32, ck_bce_f64, ck_bce_backward_f32,
      ck_bce_backward_f64
    ) { p, t, dy in
      dy * (p - t) / (p * (1 - p)).clamped(1e-12)
    }
  }

  /// The binary cross-entropy of each logit x and its target in 0...1, without overflow:
  /// max(x, 0) - x t + log(1 + exp(-|x|)).
  ///
  /// The gradient is `dy * (sigmoid(x) - t)`. The target gets none.
  public final func binaryCrossEntropyWithLogits(_ target: Tensor) -> Tensor {
    binaryLoss(
      "BinaryCrossEntropyWithLogits", target, ck_bce_logits_f32, ck_bce_logits_f64,
      ck_bce_logits_backward_f32, ck_bce_logits_backward_f64
    ) { x, t, dy in
      dy * (x.sigmoid() - t)
    }
  }

  private func binaryLoss(
    _ name: StaticString, _ target: Tensor, _ f32: LossKernel<Float>, _ f64: LossKernel<Double>,
    _ f32Backward: @escaping LossBackwardKernel<Float>,
    _ f64Backward: @escaping LossBackwardKernel<Double>,
    composed: @escaping (Tensor, Tensor, Tensor) -> Tensor
  ) -> Tensor {
    require(
      shape == target.shape && dataType == target.dataType,
      "\(name): an input \(dataType) \(shape) and a target \(target.dataType) \(target.shape)")
    let (x, t) = (dense(), target.dense())
    let losses = Tensor(uninitialized: shape, dataType)
    switch dataType {
    case .float32: f32(losses.f32, x.f32, t.f32, count)
    case .float64: f64(losses.f64, x.f64, t.f64, count)
    case .int32: notForIntegers(name)
    }
    let saved = Saved(self, by: name)
    let savedTarget = Saved(t.detached(), by: name)
    return losses.recorded(name, from: self) { dy in
      if isGradientEnabled { return [composed(saved(), savedTarget(), dy)] }
      let (x, t) = (saved().dense(), savedTarget())
      let dx = Tensor(uninitialized: x.shape, x.dataType)
      let (dy, step) = dy.flatWithStep()
      if x.dataType == .float32 {
        f32Backward(dx.f32, dy.f32, step, x.f32, t.f32, x.count)
      } else {
        f64Backward(dx.f64, dy.f64, step, x.f64, t.f64, x.count)
      }
      return [dx]
    }
  }

  /// The elements and the step between them, 0 when all are the same one: what `mean()` sends back
  /// needs no copies.
  private func flatWithStep() -> (Tensor, Int) {
    strides.allSatisfy { $0 == 0 } && shape.count > 0 ? (self, 0) : (dense(), 1)
  }

  /// Rows of zeros with a one at each of these int32 indices: `[...]` becomes `[..., classes]`.
  public final func oneHot(_ classes: Int, _ dataType: DataType = .float32) -> Tensor {
    require(self.dataType == .int32, "oneHot: int32 indices are needed, not \(self.dataType)")
    return (unsqueezed(axis: -1) .== Tensor.arange(classes, .int32)).converted(to: dataType)
  }
}
