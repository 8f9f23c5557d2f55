internal import CKernels

// Fused losses per sample; NeuralNetworks reduces them.

private typealias LossBackwardKernel =
  @convention(c) (
    ck_type, UnsafeMutableRawPointer, UnsafeRawPointer, Int, UnsafeRawPointer, UnsafeRawPointer, Int
  ) -> Void

extension Tensor {
  /// The binary cross-entropy of each probability and its target in 0...1; logarithms are clamped to at
  /// least -100, as in PyTorch.
  ///
  /// The gradient is `dy * (p - t) / max(p (1 - p), 1e-12)`. The target gets none.
  public final func binaryCrossEntropy(_ target: Tensor) -> Tensor {
    requireFloatingPoint("binaryCrossEntropy", self)
    if count > 0 {
      let (least, most) = withoutGrad { (min().item(), max().item()) }
      require(
        !(least < 0 || most > 1),
        "binaryCrossEntropy: probabilities \(shape) from \(least) to \(most) are not in 0...1; for logits there is binaryCrossEntropyWithLogits"
      )
    }
    return binaryLoss(
      "BinaryCrossEntropy", target, ck_bce, ck_bce_backward
    ) { p, t, dy in
      dy * (p - t) / (p * (1 - p)).clamped(1e-12)
    }
  }

  /// The binary cross-entropy of each logit x and its target in 0...1, without overflow:
  /// max(x, 0) - x t + log(1 + exp(-|x|)); infinite where x is and t is on the other side.
  ///
  /// The gradient is `dy * (sigmoid(x) - t)`. The target gets none.
  public final func binaryCrossEntropyWithLogits(_ target: Tensor) -> Tensor {
    binaryLoss(
      "BinaryCrossEntropyWithLogits", target, ck_bce_logits, ck_bce_logits_backward
    ) { x, t, dy in
      dy * (x.sigmoid() - t)
    }
  }

  private func binaryLoss(
    _ name: StaticString, _ target: Tensor, _ kernel: BackwardKernel,
    _ backward: @escaping LossBackwardKernel,
    composed: @escaping (_ x: Tensor, _ t: Tensor, _ dy: Tensor) -> Tensor
  ) -> Tensor {
    requireFloatingPoint(name, self, target)
    if dataType == .bfloat16 || target.dataType == .bfloat16 {
      return widened.binaryLoss(name, target.widened, kernel, backward, composed: composed)
    }
    require(
      shape == target.shape, "\(name): an input of shape \(shape), a target of \(target.shape)")
    let saved = Saved(self, by: name)
    let savedTarget = Saved(target.contiguousUnrecorded().detached(), by: name)
    return mapped(kernel, target).recorded(name, from: self) { dy in
      let (x, t) = (saved(), savedTarget())
      return fused {
        let x = x.contiguousUnrecorded()
        let dx = Tensor(uninitialized: x.shape, x.dataType)
        let (dy, stride) = dy.flatWithStride()
        backward(x.dataType.kernelType, dx.bytes, dy.bytes, stride, x.bytes, t.bytes, x.count)
        return [dx]
      } composed: {
        [composed(x, t, dy)]
      }
    }
  }

  /// The elements and the stride between them, which is 0 if all are the same one, as in the gradient of
  /// `mean()`.
  final func flatWithStride() -> (Tensor, Int) {
    strides.allSatisfy { $0 == 0 } && shape.count > 0 ? (self, 0) : (contiguousUnrecorded(), 1)
  }

  /// One-hot vectors of these int32 indices: `[...]` becomes `[..., classes]`.
  public final func oneHot(_ classes: Int, _ dataType: DataType = .float32) -> Tensor {
    require(self.dataType.isInteger, "oneHot: integer indices are needed, not \(self.dataType)")
    for index in asIndices().array(of: Int32.self) {
      require(
        index >= 0 && index < classes,
        "oneHot: index \(index) of \(shape) is out of range for \(classes) classes")
    }
    return (unsqueezed(axis: -1) .== Tensor.arange(classes, .int32)).converted(to: dataType)
  }
}
