internal import CKernels

// x[…]: reading and assigning parts of a tensor.

extension Tensor {
  /// The slice at an index along the first axis; negative indices count from the end.
  ///
  /// Assigning overwrites the elements in place; the value may broadcast. Its gradient is that of the
  /// slice, and the old elements get none.
  public final subscript(index: Int) -> Tensor {
    get { selected(index) }
    set { selected(index).replaceElements(newValue) }
  }

  /// The element or slice at an index along the first axis and one along the second.
  public final subscript(first: Int, second: Int) -> Tensor {
    get {
      let (i, j) = (position(first, 0), position(second, 1))
      let offset = offset + i * strides[0] + j * strides[1]
      let y = view(shape.removing(0).removing(0), strides.removing(0).removing(0), offset)
      guard mayRecord("Select") else { return y }
      let from = shape
      return y.recorded("Select", from: self) { dy in
        let row = dy.unsqueezed(axis: 0).embedded(in: from.removing(0), j..<j + 1, axis: 0, step: 1)
        return [row.unsqueezed(axis: 0).embedded(in: from, i..<i + 1, axis: 0, step: 1)]
      }
    }
    set { self[first, second].replaceElements(newValue) }
  }

  /// The part that indices select, one for each axis; axes without an index stay whole.
  ///
  ///     x[i, j]                 x[1..., 0]              x[.all, 2..<5]
  ///     x[.ellipsis, -1]        x[.newAxis]             x[.by(2)]
  ///     x[mask]                 x[rows]                 x[rows, columns]
  ///
  /// Without tensors among the indices, the result is a view. Index tensors are broadcast together and
  /// select one element (or slice) for each of theirs; their axes stand where the first of them does,
  /// or in front if there are others between them. A mask selects where it is true, in row-major order.
  ///
  /// Assigning overwrites the elements in place; the value may broadcast. Its gradient is that of the
  /// part, and the old elements get none. If an index occurs several times, the last value stays.
  ///
  /// Bounds outside of an axis stop the program, unlike in PyTorch.
  public final subscript(indices: any TensorIndexing...) -> Tensor {
    get {
      let selection = ViewSelection(indices, in: shape)
      let part = selection.isWhole ? self : viewed(selection)
      return selection.tensors.isEmpty
        ? part : part.gathered(IndexTensors(selection, in: part.shape))
    }
    set { assign(newValue, at: ViewSelection(indices, in: shape)) }
  }

  /// The same as a number, which may be the value that is assigned to all elements of the part.
  ///
  ///     x[1..., 0] = 0          let element: Double = x[2, 3]
  @_disfavoredOverload
  public final subscript(indices: any TensorIndexing...) -> Double {
    get {
      let selection = ViewSelection(indices, in: shape)
      let part = selection.isWhole ? self : selection.view(of: self)
      if selection.tensors.isEmpty { return part.item() }
      return withoutGrad { part.gathered(IndexTensors(selection, in: part.shape)).item() }
    }
    set { assign(scalar(newValue), at: ViewSelection(indices, in: shape)) }
  }

  /// The same as a number of any type, converted from or to the type of the tensor.
  ///
  ///     x[0, 1] = float         let isTrue: Bool = mask[0]
  @_disfavoredOverload
  public final subscript<Number: TensorScalar>(indices: any TensorIndexing...) -> Number {
    get {
      let selection = ViewSelection(indices, in: shape)
      let view = selection.isWhole ? self : selection.view(of: self)
      let part =
        selection.tensors.isEmpty
        ? view : withoutGrad { view.gathered(IndexTensors(selection, in: view.shape)) }
      require(part.count == 1, "subscript: one element is needed, not \(part.shape)")
      return withUnsafeTemporaryAllocation(of: Number.self, capacity: 1) { number in
        ck_convert(
          Number.dataType.kernelType, number.baseAddress!, dataType.kernelType, part.bytes, 1)
        return number[0]
      }
    }
    set { assign(.of([newValue], shape: []), at: ViewSelection(indices, in: shape)) }
  }

  /// An element of a tensor with two axes, as a number.
  @_disfavoredOverload
  public final subscript(first: Int, second: Int) -> Double {
    get {
      require(
        shape.count == 2, "subscript: an element of \(shape) has \(shape.count) indices, not 2")
      return element(at: position(first, 0) * strides[0] + position(second, 1) * strides[1])
    }
    set { self[first, second].replaceElements(scalar(newValue)) }
  }

  /// An element of a tensor with one axis, as a number.
  @_disfavoredOverload
  public final subscript(index: Int) -> Double {
    get {
      require(
        shape.count == 1, "subscript: an element of \(shape) has \(shape.count) indices, not 1")
      return element(at: position(index, 0) * strides[0])
    }
    set { selected(index).replaceElements(scalar(newValue)) }
  }

  /// `index` along an axis, counted from the start.
  @inline(__always)
  private func position(_ index: Int, _ axis: Int) -> Int {
    require(axis < shape.count, "subscript: \(axis + 1) indices for the axes of \(shape)")
    let size = shape[axis]
    let position = index < 0 ? index + size : index
    require(
      position >= 0 && position < size,
      "subscript: index \(index) is out of range for axis \(axis) of \(shape)")
    return position
  }

  /// Whether an operation on this tensor alone has to be recorded; a shortcut for small views.
  @inline(__always)
  final func mayRecord(_ name: StaticString) -> Bool {
    let isWatched = ExecutionContext.withCurrent { $0.isGradientEnabled || $0.profiler != nil }
    guard isWatched else { return false }
    followBase(name)
    return requiresGrad || ExecutionContext.withCurrent { $0.profiler != nil }
  }

  private func viewed(_ selection: ViewSelection) -> Tensor {
    let from = shape
    return selection.view(of: self).recorded("Index", from: self) { dy in
      [dy.embedded(selection, in: from)]
    }
  }

  /// A tensor of zeros with this tensor in a part of it: the transpose of `viewed`.
  private func embedded(_ selection: ViewSelection, in target: TensorShape) -> Tensor {
    let y = Tensor.zeros(target, dataType)
    copyElements(from: self, to: selection.view(of: y))
    return y.recorded("EmbedIndex", from: self) { dy in [dy.viewed(selection)] }
  }

  private func assign(_ value: Tensor, at selection: ViewSelection) {
    let part = selection.isWhole ? self : viewed(selection)
    if selection.tensors.isEmpty { return part.replaceElements(value) }
    part.replaceElements(value, at: IndexTensors(selection, in: part.shape))
  }

  /// Overwrites the elements of this view in place, unless `value` is the view itself, as after `x[0]
  /// += 1`.
  private func replaceElements(_ value: Tensor) {
    let isSame =
      value.storage === storage && value.offset == offset && value.shape == shape
      && value.strides == strides
    if !isSame { copy_(value) }
  }
}
