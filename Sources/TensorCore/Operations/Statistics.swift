internal import CKernels

// Reductions that are composed of others: variance, products, norms, logical ones. Those of bfloat16
// give float32.

extension Tensor {
  /// The variance over `axes`, by default over all: the sum of squared distances from the mean, divided
  /// by n - 1, or by n if not `unbiased`.
  ///
  /// The gradient is `2 (x - mean) dy / (n - 1)`. Of one element the unbiased variance is NaN, as in
  /// PyTorch.
  public final func variance(
    axes: [Int]? = nil, unbiased: Bool = true, keepingAxes: Bool = false
  ) -> Tensor {
    requireFloatingPoint("variance", self)
    let mask = shape.mask(of: axes, operation: "variance")
    let n = (0..<shape.count).reduce(1) { mask[$1] ? $0 * shape[$1] : $0 }
    let x = widened
    let deviation = x - x.mean(axes: axes, keepingAxes: true)
    let sum = deviation.squared().sum(axes: axes, keepingAxes: keepingAxes)
    return sum / Double(Swift.max(unbiased ? n - 1 : n, 0))
  }

  /// The standard deviation over `axes`: the square root of `variance`.
  ///
  /// The gradient is `(x - mean) dy / ((n - 1) std)`, 0 where the deviation is 0.
  public final func std(axes: [Int]? = nil, unbiased: Bool = true, keepingAxes: Bool = false)
    -> Tensor
  {
    variance(axes: axes, unbiased: unbiased, keepingAxes: keepingAxes).sqrtWithoutCorner()
  }

  /// The square root, with the gradient 0 at 0.
  final func sqrtWithoutCorner() -> Tensor {
    let isZero = withoutGrad { self .== 0 }
    return Tensor.where(isZero, 0, Tensor.where(isZero, 1, self).sqrt())
  }

  /// log(sum(exp(x))) over `axes`, by default over all, without overflow.
  ///
  /// The gradient is `dy * exp(x - y)`: the softmax. It is 0 where all elements are minus infinity.
  public final func logSumExp(axes: [Int]? = nil, keepingAxes: Bool = false) -> Tensor {
    requireFloatingPoint("logSumExp", self)
    let x = widened
    let mask = shape.mask(of: axes, operation: "logSumExp")
    let y = withoutGrad {
      let largest = x.extremeOrLowest(axes)
      let shift = Tensor.where(largest.abs() .== Double.infinity, 0, largest)
      return (x - shift).exp().sum(axes: axes, keepingAxes: true).log() + shift
    }
    let saved = Saved(x, by: "LogSumExp")
    return x.finish("LogSumExp", y, mask, keepingAxes) { dy, y in
      let shift = Tensor.where(withoutGrad { y .== -Double.infinity }, 0, y)
      return dy * (saved() - shift).exp()
    }
  }

  /// The largest elements over `axes`, which are kept; minus infinity where there are none.
  private func extremeOrLowest(_ axes: [Int]?) -> Tensor {
    let mask = shape.mask(of: axes, operation: "logSumExp")
    var target = shape
    for axis in 0..<shape.count where mask[axis] { target[axis] = 1 }
    if count == 0 { return .full(target, -.infinity, dataType) }
    return max(axes: axes, keepingAxes: true)
  }

  /// The product over `axes`; by default, over all.
  ///
  /// An empty product is 1.
  ///
  /// The gradient of an element is `dy` times the product of the others, also where elements are 0.
  public final func prod(axes: [Int]? = nil, keepingAxes: Bool = false) -> Tensor {
    let x = widened
    let mask = shape.mask(of: axes, operation: "prod")
    let y = x.reduced(mask, ck_prod)
    let kept = y.shape
    let saved = Saved(x, by: "Product")
    let reduced = (0..<shape.count).filter { mask[$0] }
    return x.withoutAxes(y, mask, keepingAxes).recorded("Product", from: x) { dy in
      [dy.reshaped(to: kept) * saved().productOfOthers(reduced)]
    }
  }

  /// For each element, the product of the others over `axes`.
  private func productOfOthers(_ axes: [Int]) -> Tensor {
    let isZero = self .== 0
    let zeros = withoutGrad { isZero.converted(to: dataType).sum(axes: axes, keepingAxes: true) }
    if withoutGrad({ zeros.count == 0 || zeros.max().item() == 0 }) {
      return prod(axes: axes, keepingAxes: true) / self
    }
    return fused {
      // A zero among the others makes the product 0.
      let rest = Tensor.where(isZero, 1, self).prod(axes: axes, keepingAxes: true)
      return Tensor.where(
        zeros .== 0, rest / Tensor.where(isZero, 1, self),
        Tensor.where(zeros .== 1, Tensor.where(isZero, rest, 0), 0))
    } composed: {
      // Each element in turn replaced by 1, because also the gradient of a product 0 is wanted.
      let others = (0..<shape.count).filter { !axes.contains($0) }
      let n = axes.reduce(1) { $0 * shape[$1] }
      let moved = permuted(others + axes)
      let rows = moved.reshaped(to: TensorShape(others.map { shape[$0] } + [1, n]))
      let isSelf = Tensor.identity(n, dataType) .== 1
      let products = Tensor.where(isSelf, 1, rows).prod(axes: [-1])
      let order = others + axes
      return products.reshaped(to: moved.shape)
        .permuted((0..<shape.count).map { order.firstIndex(of: $0)! })
    }
  }

  /// The p-norm over `axes`, by default over all: the sum of |x|^p to the power of 1/p, the largest |x|
  /// for infinity, the smallest for minus infinity, the number of elements that are not 0 for 0.
  ///
  /// The gradient is 0 where the norm is 0.
  public final func norm(_ p: Double, axes: [Int]? = nil, keepingAxes: Bool = false) -> Tensor {
    requireFloatingPoint("norm", self)
    if p == 2 { return norm(axes: axes, keepingAxes: keepingAxes) }
    let x = widened
    let size = x.abs()
    if p == .infinity { return size.max(axes: axes, keepingAxes: keepingAxes) }
    if p == -.infinity { return size.min(axes: axes, keepingAxes: keepingAxes) }
    if p == 1 { return size.sum(axes: axes, keepingAxes: keepingAxes) }
    if p == 0 {
      return Tensor.where(x .== 0, 0 * x, 0 * x + 1).sum(axes: axes, keepingAxes: keepingAxes)
    }
    // Zeros are kept out of powers, whose slope there may be infinite.
    let isZero = withoutGrad { size .== 0 }
    let powers = Tensor.where(isZero, 0, Tensor.where(isZero, 1, size).pow(p))
    let sum = powers.sum(axes: axes, keepingAxes: keepingAxes)
    let isNone = withoutGrad { sum .== 0 }
    return Tensor.where(isNone, 0, Tensor.where(isNone, 1, sum).pow(1 / p))
  }

  /// Whether any element over `axes`, by default of all, is not 0.
  ///
  /// Not differentiable.
  public final func any(axes: [Int]? = nil, keepingAxes: Bool = false) -> Tensor {
    withoutGrad {
      count == 0
        ? sum(axes: axes, keepingAxes: keepingAxes) .> 0
        : isNotZero().max(axes: axes, keepingAxes: keepingAxes) .> 0
    }
  }

  /// Whether all elements over `axes`, by default all, are not 0.
  ///
  /// Not differentiable.
  public final func all(axes: [Int]? = nil, keepingAxes: Bool = false) -> Tensor {
    withoutGrad {
      count == 0
        ? sum(axes: axes, keepingAxes: keepingAxes) .== 0
        : isNotZero().min(axes: axes, keepingAxes: keepingAxes) .> 0
    }
  }

  /// How many elements over `axes`, by default of all, are not 0, as int64.
  ///
  /// Not differentiable.
  public final func countNonzero(axes: [Int]? = nil) -> Tensor {
    withoutGrad { isNotZero().sum(axes: axes) }
  }

  /// 1 where an element is not 0, else 0, as int32.
  private func isNotZero() -> Tensor { 1 - (self .== 0).converted(to: .int32) }
}

// MARK: - One axis

extension Tensor {
  /// The sum along an axis.
  public final func sum(axis: Int, keepingAxes: Bool = false) -> Tensor {
    sum(axes: [axis], keepingAxes: keepingAxes)
  }
  /// The mean along an axis.
  public final func mean(axis: Int, keepingAxes: Bool = false) -> Tensor {
    mean(axes: [axis], keepingAxes: keepingAxes)
  }
  /// The largest element along an axis; `argmax` gives its index.
  public final func max(axis: Int, keepingAxes: Bool = false) -> Tensor {
    max(axes: [axis], keepingAxes: keepingAxes)
  }
  /// The smallest element along an axis; `argmin` gives its index.
  public final func min(axis: Int, keepingAxes: Bool = false) -> Tensor {
    min(axes: [axis], keepingAxes: keepingAxes)
  }
  /// The Euclidean norm along an axis.
  public final func norm(axis: Int, keepingAxes: Bool = false) -> Tensor {
    norm(axes: [axis], keepingAxes: keepingAxes)
  }
  /// The p-norm along an axis.
  public final func norm(_ p: Double, axis: Int, keepingAxes: Bool = false) -> Tensor {
    norm(p, axes: [axis], keepingAxes: keepingAxes)
  }
  /// The variance along an axis.
  public final func variance(axis: Int, unbiased: Bool = true, keepingAxes: Bool = false) -> Tensor
  {
    variance(axes: [axis], unbiased: unbiased, keepingAxes: keepingAxes)
  }
  /// The standard deviation along an axis.
  public final func std(axis: Int, unbiased: Bool = true, keepingAxes: Bool = false) -> Tensor {
    std(axes: [axis], unbiased: unbiased, keepingAxes: keepingAxes)
  }
  /// log(sum(exp(x))) along an axis.
  public final func logSumExp(axis: Int, keepingAxes: Bool = false) -> Tensor {
    logSumExp(axes: [axis], keepingAxes: keepingAxes)
  }
  /// The product along an axis.
  public final func prod(axis: Int, keepingAxes: Bool = false) -> Tensor {
    prod(axes: [axis], keepingAxes: keepingAxes)
  }
  /// Whether any element along an axis is not 0.
  public final func any(axis: Int, keepingAxes: Bool = false) -> Tensor {
    any(axes: [axis], keepingAxes: keepingAxes)
  }
  /// Whether all elements along an axis are not 0.
  public final func all(axis: Int, keepingAxes: Bool = false) -> Tensor {
    all(axes: [axis], keepingAxes: keepingAxes)
  }
}
