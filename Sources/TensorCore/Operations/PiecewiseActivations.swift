internal import CKernels

// More activation functions with PyTorch's names, most of them composed of other operations.

extension Tensor {
  /// Each element, limited to the range from `low` to `high`: PyTorch's `hardtanh`.
  ///
  /// The gradient is `dy` where low < x < high, else 0. Unlike that of `clamped`, it is 0 at the limits.
  public final func hardtanh(min low: Double = -1, max high: Double = 1) -> Tensor {
    requireFloatingPoint("hardtanh", self)
    require(low <= high, "hardtanh: the range from \(low) to \(high) is empty")
    let saved = Saved(self, by: "Hardtanh")
    return mapped { ck_clamp($0, $1, $2, $3, low, high) }.recorded("Hardtanh", from: self) { dy in
      let x = saved()
      return fused {
        [dy.mapped(with: x) { ck_hardtanh_backward($0, $1, $2, $3, $4, low, high) }]
      } composed: {
        [Tensor.where(x .<= low, 0, Tensor.where(x .>= high, 0, dy))]
      }
    }
  }

  /// Each element, limited to the range from 0 to 6 (Howard et al., 2017).
  ///
  /// The gradient is `dy` where 0 < x < 6, else 0.
  public final func relu6() -> Tensor { hardtanh(min: 0, max: 6) }

  /// A piecewise linear logistic function, `relu6(x + 3) / 6`.
  public final func hardsigmoid() -> Tensor {
    composed("hardsigmoid") { x in (x + 3).relu6() * (1 / 6.0) }
  }

  /// x relu6(x + 3) / 6, a piecewise approximation of `silu` (Howard et al., 2019).
  public final func hardswish() -> Tensor {
    composed("hardswish") { x in x * (x + 3).relu6() * (1 / 6.0) }
  }

  /// x tanh(softplus(x)) (Misra, 2019).
  public final func mish() -> Tensor {
    composed("mish") { x in x * x.softplus().tanh() }
  }

  /// `scale * elu(x, alpha)`, with the two constants for which activations keep mean 0 and variance 1
  /// (Klambauer et al., 2017).
  public final func selu() -> Tensor {
    composed("selu") { x in 1.0507009873554804934193349852946 * x.elu(alpha: seluAlpha) }
  }

  /// Each element where it is positive, else `alpha * (e^(x / alpha) - 1)` (Barron, 2017).
  public final func celu(alpha: Double = 1) -> Tensor {
    require(alpha != 0, "celu: alpha is 0")
    return composed("celu") { x in alpha * (x * (1 / alpha)).elu() }
  }

  /// The logarithm of the logistic function, -log(1 + e^-x), without overflow.
  public final func logSigmoid() -> Tensor {
    composed("logSigmoid") { x in -(-x).softplus() }
  }

  /// x / (1 + |x|).
  public final func softsign() -> Tensor {
    composed("softsign") { x in x / (1 + x.abs()) }
  }

  /// Each element, 0 where its absolute value is at most `lambda`.
  public final func hardshrink(lambda: Double = 0.5) -> Tensor {
    composed("hardshrink") { x in Tensor.where(x.detached().abs() .<= lambda, 0, x) }
  }

  /// Each element moved by `lambda` towards 0, 0 where its absolute value is at most `lambda`.
  public final func softshrink(lambda: Double = 0.5) -> Tensor {
    require(lambda >= 0, "softshrink: lambda is \(lambda), and must not be negative")
    return composed("softshrink") { x in x - x.clamped(-lambda, lambda) }
  }

  /// x - tanh(x).
  public final func tanhshrink() -> Tensor {
    composed("tanhshrink") { x in x - x.tanh() }
  }

  /// Each element where it is above `threshold`, else `value`.
  public final func threshold(_ threshold: Double, value: Double) -> Tensor {
    composed("threshold") { x in Tensor.where(x .<= threshold, value, x) }
  }

  /// The first half of an axis times the logistic function of the second half: the gated linear unit
  /// (Dauphin et al., 2017).
  public final func glu(axis: Int = -1) -> Tensor {
    requireFloatingPoint("glu", self)
    let axis = shape.normalized(axis: axis, operation: "glu")
    require(shape[axis] % 2 == 0, "glu: axis \(axis) of \(shape) does not divide into two halves")
    let half = shape[axis] / 2
    return sliced(0..<half, axis: axis) * sliced(half..<2 * half, axis: axis).sigmoid()
  }

  /// Each element where it is positive, else times a weight (He et al., 2015).
  ///
  /// The weight `[1]` is that of all elements, `[C]` has one for each channel: each index of axis 1.
  public final func prelu(_ weight: Tensor) -> Tensor {
    requireFloatingPoint("prelu", self, weight)
    let channels = shape.count > 1 ? shape[1] : 1
    require(
      weight.shape == [1] || weight.shape == [channels] || weight.shape == [],
      "prelu: a weight [1] or [\(channels)] is needed for \(shape), not \(weight.shape)")
    var w = weight
    if weight.count > 1 {
      var target = TensorShape(repeating: 1, count: shape.count)
      target[1] = channels
      w = weight.reshaped(to: target)
    } else if shape.count == 0 {
      w = weight.reshaped(to: [])
    }
    let isPositive = withoutGrad { self .> 0 }
    // Positive elements do not meet the weight, whose gradient they would spoil if they were infinite.
    return Tensor.where(isPositive, self, Tensor.where(isPositive, 0, self) * w)
  }

  /// A function of tensor operations, which computes in float32 where the elements are bfloat16.
  private func composed(_ name: StaticString, _ body: (Tensor) -> Tensor) -> Tensor {
    requireFloatingPoint(name, self)
    return body(widened).converted(to: dataType)
  }
}

/// The negated limit of `selu` for very negative x, before it is scaled.
let seluAlpha = 1.6732632423543772848170429916717
