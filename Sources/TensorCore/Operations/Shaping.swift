internal import CKernels

// Views. Only `contiguous`, `copy` and, if no view is possible, `reshaped` copy elements.

extension Tensor {
  /// The same elements in row-major order with another shape; one size may be -1 and is inferred.
  ///
  /// A view where the strides allow it, as in PyTorch, else a copy. The gradient is reshaped back.
  public final func reshaped(to newShape: TensorShape) -> Tensor {
    var target = newShape
    if let wild = newShape.firstIndex(of: -1) {
      target[wild] = 1
      let rest = target.elementCount
      require(
        rest > 0 && count % rest == 0,
        "reshaped: \(shape) to \(newShape): the number of elements is not divisible")
      target[wild] = count / rest
    }
    require(
      target.allSatisfy { $0 >= 0 } && target.elementCount == count,
      "reshaped: \(shape) to \(newShape): the numbers of elements differ, or a size is negative")
    let from = shape
    let result =
      if let strides = strides(viewedAs: target) {
        isContiguous
          ? view(target, target.contiguousStrides, offset, true) : view(target, strides, offset)
      } else {
        contiguousUnrecorded().view(target, target.contiguousStrides, 0, true)
      }
    return result.recorded("Reshape", from: self, savesNothing: true) { dy in
      [dy.reshaped(to: from)]
    }
  }

  /// The same for the sizes of the axes as an array.
  public final func reshaped(to newShape: [Int]) -> Tensor {
    reshaped(to: TensorShape(newShape))
  }

  /// The strides with which a view of another shape shows these elements in row-major order; nil if
  /// there are none.
  ///
  /// Axes that follow each other in memory are taken together, as one run of elements with one stride;
  /// each run must be made of whole axes of the new shape. PyTorch's `computeStride`.
  private final func strides(viewedAs target: TensorShape) -> TensorShape? {
    if isContiguous || count == 0 { return target.contiguousStrides }
    var result = TensorShape(repeating: 1, count: target.count)
    var axis = target.count - 1
    var (step, run, filled) = (strides[shape.count - 1], 1, 1)
    for d in stride(from: shape.count - 1, through: 0, by: -1) {
      run *= shape[d]
      guard d == 0 || (shape[d - 1] != 1 && strides[d - 1] != run * step) else { continue }
      while axis >= 0, filled < run || target[axis] == 1 {
        result[axis] = filled * step
        filled *= target[axis]
        axis -= 1
      }
      if filled != run { return nil }
      if d > 0 { (step, run, filled) = (strides[d - 1], 1, 1) }
    }
    return axis == -1 ? result : nil
  }

  /// The axes permuted: axis `i` of the result is axis `axes[i]` of this tensor.
  ///
  /// The gradient is permuted back.
  public final func permuted(_ axes: [Int]) -> Tensor {
    require(
      axes.count == shape.count, "permuted: \(axes) does not name every axis of \(shape) once")
    let order = axes.map { shape.normalized(axis: $0, operation: "permuted") }
    var inverse = [Int](repeating: -1, count: order.count)
    for (index, axis) in order.enumerated() { inverse[axis] = index }
    require(
      !inverse.contains(-1), "permuted: \(axes) does not name every axis of \(shape) once")
    return view(
      TensorShape(order.map { shape[$0] }), TensorShape(order.map { strides[$0] }), offset
    )
    .recorded("Permute", from: self, savesNothing: true) { dy in [dy.permuted(inverse)] }
  }

  /// Two axes exchanged; by default, the last two.
  ///
  /// The gradient is transposed back.
  public final func transposed(_ first: Int = -2, _ second: Int = -1) -> Tensor {
    let i = shape.normalized(axis: first, operation: "transposed")
    let j = shape.normalized(axis: second, operation: "transposed")
    var (newShape, newStrides) = (shape, strides)
    newShape.swapAt(i, j)
    newStrides.swapAt(i, j)
    return view(newShape, newStrides, offset).recorded("Transpose", from: self, savesNothing: true)
    { dy in
      [dy.transposed(i, j)]
    }
  }

  /// Every `step`-th element of a range along an axis.
  ///
  /// The gradient is `dy` in the slice and 0 elsewhere.
  public final func sliced(_ range: Range<Int>, axis: Int = 0, step: Int = 1) -> Tensor {
    let axis = shape.normalized(axis: axis, operation: "sliced")
    require(
      range.lowerBound >= 0 && range.upperBound <= shape[axis] && step > 0,
      "sliced: \(range) by \(step) is not within axis \(axis) of \(shape)")
    var (newShape, newStrides) = (shape, strides)
    newShape[axis] = (range.count + step - 1) / step
    newStrides[axis] *= step
    let from = shape
    return view(newShape, newStrides, offset + range.lowerBound * strides[axis])
      .recorded("Slice", from: self, savesNothing: true) { dy in
        [dy.embedded(in: from, range, axis: axis, step: step)]
      }
  }

  /// A tensor of zeros with this tensor in a slice of it: the transpose of `sliced`.
  final func embedded(in target: TensorShape, _ range: Range<Int>, axis: Int, step: Int) -> Tensor {
    let y = Tensor.zeros(target, dataType)
    copyElements(from: self, to: withoutGrad { y.sliced(range, axis: axis, step: step) })
    return y.recorded("Embed", from: self, savesNothing: true) { dy in
      [dy.sliced(range, axis: axis, step: step)]
    }
  }

  /// The slice at one index along an axis, without that axis.
  ///
  /// The gradient is `dy` in the slice and 0 elsewhere.
  public final func selected(_ index: Int, axis: Int = 0) -> Tensor {
    let axis = shape.normalized(axis: axis, operation: "selected")
    let position = index < 0 ? index + shape[axis] : index
    require(
      position >= 0 && position < shape[axis],
      "selected: index \(index) is out of range for axis \(axis) of \(shape)")
    let y = view(
      shape.removing(axis), strides.removing(axis), offset + position * strides[axis])
    guard mayRecord("Select") else { return y }
    let from = shape
    return y.recorded("Select", from: self) { dy in
      let slice = dy.unsqueezed(axis: axis)
      return [slice.embedded(in: from, position..<position + 1, axis: axis, step: 1)]
    }
  }

  /// The slice of a range along the first axis.
  public final subscript(range: Range<Int>) -> Tensor {
    get { sliced(range) }
    set { self[range, .ellipsis] = newValue }
  }

  /// The elements broadcast to a larger shape, without copying.
  ///
  /// The gradient is summed over the broadcast axes.
  public final func expanded(to target: TensorShape) -> Tensor {
    guard target != shape else { return self }
    require(
      TensorShape.broadcast(shape, target) == target,
      "expanded: \(shape) does not broadcast to \(target)"
    )
    return view(target, broadcastStrides(to: target), offset).recorded(
      "Expand", from: self, savesNothing: true
    ) { dy in
      [dy]
    }
  }

  /// The same for the sizes of the axes as an array.
  public final func expanded(to target: [Int]) -> Tensor { expanded(to: TensorShape(target)) }

  /// Without an axis of size one.
  public final func squeezed(axis: Int) -> Tensor {
    let axis = shape.normalized(axis: axis, operation: "squeezed")
    require(shape[axis] == 1, "squeezed: axis \(axis) of \(shape) is not of size 1")
    return view(shape.removing(axis), strides.removing(axis), offset)
      .recorded("Squeeze", from: self, savesNothing: true) { dy in [dy.unsqueezed(axis: axis)] }
  }

  /// With a new axis of size one before `axis`; -1 adds it at the end.
  public final func unsqueezed(axis: Int) -> Tensor {
    let position = axis < 0 ? axis + shape.count + 1 : axis
    require(
      position >= 0 && position <= shape.count,
      "unsqueezed: axis \(axis) is out of range for \(shape)")
    return view(shape.inserting(1, at: position), strides.inserting(1, at: position), offset)
      .recorded("Unsqueeze", from: self, savesNothing: true) { dy in [dy.squeezed(axis: position)] }
  }

  /// The axes from `axis` to the last merged into one: `[N, C, H, W]` becomes `[N, C * H * W]` from axis 1.
  public final func flattened(from axis: Int = 0) -> Tensor {
    if shape.count == 0 { return reshaped(to: [1]) }
    let axis = shape.normalized(axis: axis, operation: "flattened")
    var target = TensorShape(shape.prefix(axis))
    target.append(shape.dropFirst(axis).reduce(1, *))
    return target == shape ? self : reshaped(to: target)
  }

  /// This tensor if it is contiguous, else a contiguous copy.
  public final func contiguous() -> Tensor {
    isContiguous
      ? self
      : contiguousUnrecorded().recorded("Contiguous", from: self, savesNothing: true) { dy in [dy] }
  }

  /// A copy with memory of its own, in the order of this tensor if it is dense.
  public final func copy() -> Tensor {
    let y = Tensor(uninitialized: shape, memoryOrder ?? .rowMajor, dataType)
    copyElements(from: self, to: y)
    return y.recorded("Copy", from: self, savesNothing: true) { dy in [dy] }
  }
}
