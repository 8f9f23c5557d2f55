// Medians and quantiles, which sort.

extension Tensor {
  /// The median of all elements: the lower of the two in the middle of an even number, as in PyTorch;
  /// NaN if there is one.
  ///
  /// The gradient flows to that element.
  public final func median() -> Tensor { flattened().median(axis: 0).values }

  /// The median along an axis, the lower of the two in the middle of an even number, and its int32
  /// index; NaN if there is one.
  ///
  /// The gradient flows to that element.
  public final func median(axis: Int, keepingAxes: Bool = false) -> (
    values: Tensor, indices: Tensor
  ) {
    let axis = shape.normalized(axis: axis, operation: "median")
    let n = shape[axis]
    require(n > 0, "median: axis \(axis) of \(shape) is empty")
    let indices = withoutGrad {
      let order = argsort(axis: axis)
      let middle = order.sliced((n - 1) / 2..<(n - 1) / 2 + 1, axis: axis)
      guard dataType.isFloatingPoint else { return middle.contiguous() }
      // NaN is last in the order.
      let last = order.sliced(n - 1..<n, axis: axis)
      let largest = gathered(last.contiguous(), axis: axis)
      return Tensor.where(largest .== largest, middle, last)
    }
    let values = gathered(indices, axis: axis)
    if keepingAxes { return (values, indices) }
    return (values.squeezed(axis: axis), withoutGrad { indices.squeezed(axis: axis) })
  }

  /// The value below which the fraction `q` of the elements along an axis lies, interpolated linearly
  /// between neighbors.
  ///
  /// Without an axis, of all elements. NaN if there is one.
  ///
  /// The gradient flows to the two neighbors.
  public final func quantile(_ q: Double, axis: Int? = nil, keepingAxes: Bool = false) -> Tensor {
    requireFloatingPoint("quantile", self)
    require(q >= 0 && q <= 1, "quantile: \(q) is not in 0...1")
    guard let axis else {
      let y = flattened().quantile(q, axis: 0)
      return keepingAxes ? y.reshaped(to: TensorShape(shape.map { _ in 1 })) : y
    }
    let normal = shape.normalized(axis: axis, operation: "quantile")
    let n = shape[normal]
    require(n > 0, "quantile: axis \(normal) of \(shape) is empty")
    let sorted = widened.sorted(axis: normal)
    let position = q * Double(n - 1)
    let below = Int(position.rounded(.down))
    let above = Swift.min(below + 1, n - 1)
    func at(_ index: Int) -> Tensor { sorted.sliced(index..<index + 1, axis: normal) }
    let y = at(below).lerp(at(above), position - Double(below))
    let largest = withoutGrad { at(n - 1) }
    let result = Tensor.where(largest .== largest, y, .nan)
    return keepingAxes ? result : result.squeezed(axis: normal)
  }
}
