internal import CKernels

// Selecting elements by integer indices, and sorting.

extension Tensor {
  /// These integer indices as int32.
  final func asIndices() -> Tensor {
    dataType == .int64 ? withoutGrad { converted(to: .int32) } : self
  }

  /// The slices at integer `indices` `[n]` along an axis; an index may occur several times.
  ///
  /// The gradient of a slice is the sum over its occurrences.
  public final func indexSelected(_ indices: Tensor, axis: Int = 0) -> Tensor {
    let axis = shape.normalized(axis: axis, operation: "indexSelected")
    let indices = indices.asIndices()
    require(
      indices.shape.count == 1 && indices.dataType == .int32,
      "indexSelected: integer indices [n] are needed, not \(indices.dataType) \(indices.shape)")
    var target = shape
    target[axis] = indices.count
    let wide = withoutGrad {
      var ones = TensorShape(repeating: 1, count: shape.count)
      ones[axis] = indices.count
      return indices.reshaped(to: ones).expanded(to: target)
    }
    return gathered(wide, axis: axis)
  }

  /// The elements at integer `indices` along `axis`, PyTorch's `gather`: y[i, j] = x[indices[i, j], j] for
  /// axis 0.
  ///
  /// `indices` has as many axes as this tensor and may be smaller along the others. The gradient of an
  /// element is the sum over its occurrences.
  public final func gathered(_ indices: Tensor, axis: Int) -> Tensor {
    let axis = shape.normalized(axis: axis, operation: "gathered")
    let indices = indices.asIndices()
    checkIndices(indices, axis, "gathered")
    let (x, places) = (contiguousUnrecorded(), indices.contiguousUnrecorded())
    let y = Tensor(uninitialized: places.shape, dataType)
    let from = x.shape
    let size = dataType.byteCount
    forEachBlock(of: places, in: from, axis) { block, first, offset in
      ck_gather(
        dataType.kernelType, y.bytes + first * size, x.bytes + offset * size,
        places.pointer(Int32.self) + first, block)
    }
    let saved = Saved(places, by: "Gather")
    return y.recorded("Gather", from: self) { dy in
      [dy.scattered(saved(), in: from, axis: axis)]
    }
  }

  /// A tensor of zeros of shape `target` with the elements of this tensor added at `indices` along
  /// `axis`: the transpose of `gathered`.
  public final func scattered(_ indices: Tensor, in target: TensorShape, axis: Int) -> Tensor {
    let axis = target.normalized(axis: axis, operation: "scattered")
    if dataType == .bfloat16 { return widened.scattered(indices, in: target, axis: axis) }
    let indices = indices.asIndices()
    require(
      indices.shape == shape, "scattered: indices \(indices.shape) for elements \(shape)")
    let y = Tensor.zeros(target, dataType)
    y.checkIndices(indices, axis, "scattered")
    let (x, places) = (contiguousUnrecorded(), indices.contiguousUnrecorded())
    let size = dataType.byteCount
    forEachBlock(of: places, in: target, axis) { block, first, offset in
      ck_scatter_add(
        dataType.kernelType, y.bytes + offset * size, x.bytes + first * size,
        places.pointer(Int32.self) + first, block)
    }
    let saved = Saved(places, by: "Scatter")
    return y.recorded("Scatter", from: self) { dy in [dy.gathered(saved(), axis: axis)] }
  }

  private func checkIndices(_ indices: Tensor, _ axis: Int, _ name: StaticString) {
    let fits =
      indices.shape.count == shape.count
      && shape.indices.allSatisfy { $0 == axis || indices.shape[$0] <= shape[$0] }
    require(
      fits && indices.dataType == .int32,
      "\(name): indices \(indices.dataType) \(indices.shape) for axis \(axis) of \(shape)")
    let dense = indices.contiguousUnrecorded()
    for element in 0..<dense.count {
      let index = Int(dense.pointer(Int32.self)[element])
      require(
        index >= 0 && index < shape[axis],
        "\(name): index \(index) is out of range for axis \(axis) of \(shape)")
    }
  }

  /// The cumulative sum along an axis: each element plus all elements before it.
  ///
  /// The gradient is the cumulative sum of `dy` from the end.
  public final func cumulativeSum(axis: Int) -> Tensor { cumulativeSum(axis: axis, fromEnd: false) }

  final func cumulativeSum(axis: Int, fromEnd: Bool) -> Tensor {
    if shape.count == 0 { return onOneAxis(axis) { $0.cumulativeSum(axis: 0) } }
    let axis = shape.normalized(axis: axis, operation: "cumulativeSum")
    return widened.summedUp(axis, fromEnd: fromEnd)
  }

  private func summedUp(_ axis: Int, fromEnd: Bool) -> Tensor {
    let x = contiguousUnrecorded()
    let y = Tensor(uninitialized: shape, dataType)
    ck_cumulative_sum(
      dataType.kernelType, y.bytes, x.bytes, shape.prefix(axis).reduce(1, *), shape[axis],
      shape.dropFirst(axis + 1).reduce(1, *), fromEnd)
    return y.recorded("CumulativeSum", from: self, savesNothing: true) { dy in
      [dy.summedUp(axis, fromEnd: !fromEnd)]
    }
  }

  /// The int32 indices that sort the elements along an axis; the order is stable, and NaN is the
  /// largest.
  public final func argsort(axis: Int = -1, descending: Bool = false) -> Tensor {
    if shape.count == 0 { return withoutGrad { onOneAxis(axis) { $0.argsort(axis: 0) } } }
    let axis = shape.normalized(axis: axis, operation: "argsort")
    let length = shape[axis]
    require(length <= Int(Int32.max), "argsort: axis \(axis) of \(shape) is too long")
    let rows = withoutGrad { transposed(axis, -1).contiguousUnrecorded() }
    let order = Tensor(uninitialized: rows.shape, .int32)
    let scratch = Storage(byteCount: 32 * length)
    ck_argsort(
      dataType.kernelType, order.pointer(), rows.bytes, scratch.pointer,
      count / Swift.max(length, 1), length, descending)
    return withoutGrad { order.transposed(axis, -1) }
  }

  /// The elements in ascending or descending order along an axis.
  ///
  /// The gradient is permuted back.
  public final func sorted(axis: Int = -1, descending: Bool = false) -> Tensor {
    if shape.count == 0 { return onOneAxis(axis) { $0.sorted(axis: 0) } }
    return gathered(argsort(axis: axis, descending: descending), axis: axis)
  }

  /// The `k` largest elements along an axis, largest first, and their int32 indices; the smallest if not
  /// `largest`.
  public final func topK(_ k: Int, axis: Int = -1, largest: Bool = true) -> (
    values: Tensor, indices: Tensor
  ) {
    let axis = shape.normalized(axis: axis, operation: "topK")
    require(k >= 0 && k <= shape[axis], "topK: \(k) of axis \(axis) of \(shape)")
    let indices = argsort(axis: axis, descending: largest).sliced(0..<k, axis: axis).contiguous()
    return (gathered(indices, axis: axis), indices)
  }
}

/// Calls `body` for the blocks of contiguous `indices` along `axis` of a contiguous tensor of shape
/// `shape`: with the block, the index of its first element, and the offset in the other tensor of its
/// element with index 0.
private func forEachBlock(
  of indices: Tensor, in shape: TensorShape, _ axis: Int, _ body: (ck_indexed, Int, Int) -> Void
) {
  var others = shape.contiguousStrides
  let step = others[axis]
  others[axis] = 0
  let loop = StridedLoop(shape: indices.shape, others, indices.shape.contiguousStrides)
  loop.forEachBlock { rows, cols, offsets in
    let block = ck_indexed(
      rows: rows, cols: cols, row: loop.rowStride(0), col: loop.columnStride(0), step: step)
    body(block, offsets[2], offsets[0])
  }
}
