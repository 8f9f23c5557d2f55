internal import CKernels

// Running sums, products and extrema along an axis.

extension Tensor {
  /// The cumulative product along an axis: each element times all elements before it.
  ///
  /// The gradient of element k is the sum over i >= k of `dy[i]` times the product of the others up to
  /// i, also where elements are 0.
  public final func cumulativeProduct(axis: Int) -> Tensor {
    if shape.count == 0 { return onOneAxis(axis) { $0.cumulativeProduct(axis: 0) } }
    let axis = shape.normalized(axis: axis, operation: "cumulativeProduct")
    if dataType == .bfloat16 { return widened.cumulativeProduct(axis: axis) }
    let x = contiguousUnrecorded()
    let y = Tensor(uninitialized: shape, dataType)
    ck_cumulative_product(
      dataType.kernelType, y.bytes, x.bytes, shape.prefix(axis).reduce(1, *), shape[axis],
      shape.dropFirst(axis + 1).reduce(1, *))
    let saved = Saved(self, by: "CumulativeProduct")
    return y.recorded("CumulativeProduct", from: self) { dy in
      [saved().cumulativeProductGradient(dy, axis)]
    }
  }

  private func cumulativeProductGradient(_ dy: Tensor, _ axis: Int) -> Tensor {
    func fromEnd(_ x: Tensor) -> Tensor { x.cumulativeSum(axis: axis, fromEnd: true) }
    let isZero = withoutGrad { self .== 0 }
    let zeros = withoutGrad { isZero.converted(to: dataType).cumulativeSum(axis: axis) }
    if withoutGrad({ zeros.count == 0 || zeros.max().item() == 0 }) {
      return fromEnd(dy * cumulativeProduct(axis: axis)) / self
    }
    return fused {
      // Products after the first zero are 0, but in the gradient of that zero itself.
      let filled = Tensor.where(isZero, 1, self)
      let before = fromEnd(dy * cumulativeProduct(axis: axis)) / filled
      let isFirst = Tensor.where(zeros .== 1, isZero.converted(to: dataType), 0) .== 1
      let atFirst = fromEnd(
        dy * Tensor.where(isFirst, 1, self).cumulativeProduct(axis: axis))
      return Tensor.where(zeros .== 0, before, Tensor.where(isFirst, atFirst, 0))
    } composed: {
      // Each element in turn replaced by 1: rows k of products up to i, for i >= k.
      let x = movedAxis(from: axis, to: -1)
      let n = shape[axis]
      let isSelf = Tensor.identity(n, dataType) .== 1
      let products = Tensor.where(isSelf, 1, x.unsqueezed(axis: -2)).cumulativeProduct(axis: -1)
      let terms = (products * dy.movedAxis(from: axis, to: -1).unsqueezed(axis: -2)).triu()
      return terms.sum(axes: [-1]).movedAxis(from: -1, to: axis)
    }
  }

  /// The largest of each element and all before it along an axis, and the int32 index of it, the last
  /// of equal ones; NaN stays.
  ///
  /// The gradient flows to the elements of the indices.
  public final func cumulativeMax(axis: Int) -> (values: Tensor, indices: Tensor) {
    cumulativeExtreme("cumulativeMax", axis, ck_cumulative_argmax)
  }

  /// The smallest of each element and all before it along an axis, and the int32 index of it, the last
  /// of equal ones; NaN stays.
  ///
  /// The gradient flows to the elements of the indices.
  public final func cumulativeMin(axis: Int) -> (values: Tensor, indices: Tensor) {
    cumulativeExtreme("cumulativeMin", axis, ck_cumulative_argmin)
  }

  private func cumulativeExtreme(
    _ name: StaticString, _ axis: Int,
    _ kernel: (ck_type, UnsafeMutablePointer<Int32>, UnsafeRawPointer, Int, Int, Int) -> Void
  ) -> (values: Tensor, indices: Tensor) {
    let axis = shape.normalized(axis: axis, operation: name)
    let x = withoutGrad { widened.contiguousUnrecorded() }
    let indices = Tensor(uninitialized: shape, .int32)
    kernel(
      x.dataType.kernelType, indices.pointer(), x.bytes, shape.prefix(axis).reduce(1, *),
      shape[axis], shape.dropFirst(axis + 1).reduce(1, *))
    return (gathered(indices, axis: axis), indices)
  }

  /// A function of tensors with axes applied to this scalar, which has axes 0 and -1 here, as in
  /// PyTorch.
  final func onOneAxis(_ axis: Int, _ body: (Tensor) -> Tensor) -> Tensor {
    require(axis == 0 || axis == -1, "axis \(axis) of a scalar, which only has axis 0")
    return body(reshaped(to: [1])).reshaped(to: [])
  }
}
