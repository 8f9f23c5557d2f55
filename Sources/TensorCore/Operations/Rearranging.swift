// Repeating, reversing and moving elements.

extension Tensor {
  /// Views of `count` consecutive parts of equal size along an axis; the last may be smaller, and there
  /// are fewer if the axis is too short, as in PyTorch.
  public final func chunk(_ count: Int, axis: Int = 0) -> [Tensor] {
    let axis = shape.normalized(axis: axis, operation: "chunk")
    require(count > 0, "chunk: \(count) parts of axis \(axis) of \(shape)")
    return split(Swift.max((shape[axis] + count - 1) / count, 1), axis: axis)
  }

  /// Views of consecutive slices of the given sizes along an axis, which they must fill.
  public final func split(_ sizes: [Int], axis: Int = 0) -> [Tensor] {
    let axis = shape.normalized(axis: axis, operation: "split")
    require(
      sizes.allSatisfy { $0 >= 0 } && sizes.reduce(0, +) == shape[axis],
      "split: sizes \(sizes) for axis \(axis) of \(shape)")
    var start = 0
    return sizes.map { size in
      defer { start += size }
      return sliced(start..<start + size, axis: axis)
    }
  }

  /// The slices along an axis, without that axis.
  public final func unbind(axis: Int = 0) -> [Tensor] {
    let axis = shape.normalized(axis: axis, operation: "unbind")
    return (0..<shape[axis]).map { selected($0, axis: axis) }
  }

  /// This tensor repeated `counts[i]` times along axis i, PyTorch's `repeat`; more counts than axes add
  /// axes in front.
  ///
  /// The gradient is the sum over the repetitions.
  public final func repeated(_ counts: [Int]) -> Tensor {
    require(
      counts.count >= shape.count && counts.allSatisfy { $0 >= 0 },
      "repeated: \(counts) for the axes of \(shape)")
    var y = self
    while y.shape.count < counts.count { y = y.unsqueezed(axis: 0) }
    let once = y.shape
    for (axis, count) in counts.enumerated() where count != 1 {
      var wide = y.shape.inserting(count, at: axis)
      y = y.unsqueezed(axis: axis).expanded(to: wide)
      wide = wide.removing(axis)
      wide[axis] = count * once[axis]
      y = y.reshaped(to: wide)
    }
    return y === self ? copy() : y
  }

  /// Each element repeated `count` times along an axis, one after the other; without an axis, of the
  /// flattened tensor.
  ///
  /// The gradient is the sum over the repetitions.
  public final func repeatInterleave(_ count: Int, axis: Int? = nil) -> Tensor {
    guard let axis else { return flattened().repeatInterleave(count, axis: 0) }
    let normal = shape.normalized(axis: axis, operation: "repeatInterleave")
    require(count >= 0, "repeatInterleave: \(count) times")
    var target = shape
    target[normal] *= count
    return unsqueezed(axis: normal + 1).expanded(to: shape.inserting(count, at: normal + 1))
      .reshaped(to: target)
  }

  /// The slices along an axis, each repeated as often as the integers `counts` `[n]` say.
  ///
  /// The gradient is the sum over the repetitions.
  public final func repeatInterleave(_ counts: Tensor, axis: Int) -> Tensor {
    let normal = shape.normalized(axis: axis, operation: "repeatInterleave")
    require(
      counts.shape == [shape[normal]] && !counts.dataType.isFloatingPoint,
      "repeatInterleave: counts \(counts.dataType) \(counts.shape) for axis \(normal) of \(shape)")
    let indices = counts.doubles().enumerated().flatMap { index, count in
      [Int32](repeating: Int32(index), count: Int(count))
    }
    return indexSelected(Tensor(indices), axis: normal)
  }

  /// The elements in reverse order along axes.
  ///
  /// The gradient is reversed.
  public final func flipped(axes: [Int]) -> Tensor {
    let mask = shape.mask(of: axes, operation: "flipped")
    var (offset, strides) = (offset, strides)
    for axis in 0..<shape.count where mask[axis] && shape[axis] > 0 {
      offset += (shape[axis] - 1) * strides[axis]
      strides[axis] = -strides[axis]
    }
    let y = Tensor(uninitialized: shape, dataType)
    copyElements(from: view(shape, strides, offset, false), to: y)
    return y.recorded("Flip", from: self) { dy in [dy.flipped(axes: axes)] }
  }

  /// The elements in reverse order along an axis.
  public final func flipped(axis: Int) -> Tensor { flipped(axes: [axis]) }

  /// The elements moved by `shift` places along an axis; those that leave it come in at the other end.
  ///
  /// Without an axis, of the flattened tensor.
  ///
  /// The gradient is moved back.
  public final func rolled(_ shift: Int, axis: Int? = nil) -> Tensor {
    guard let axis else { return flattened().rolled(shift, axis: 0).reshaped(to: shape) }
    let normal = shape.normalized(axis: axis, operation: "rolled")
    let size = shape[normal]
    guard size > 0 else { return copy() }
    let start = (size - shift % size) % size
    return .concatenated(
      [sliced(start..<size, axis: normal), sliced(0..<start, axis: normal)], axis: normal)
  }

  /// The elements rotated by `times` quarter turns, from the first of two axes towards the second.
  public final func rotated90(_ times: Int = 1, axes: (Int, Int) = (0, 1)) -> Tensor {
    switch ((times % 4) + 4) % 4 {
    case 1: flipped(axis: axes.1).transposed(axes.0, axes.1)
    case 2: flipped(axes: [axes.0, axes.1])
    case 3: flipped(axis: axes.0).transposed(axes.0, axes.1)
    default: copy()
    }
  }

  /// An axis moved to another place; the others keep their order.
  public final func movedAxis(from source: Int, to target: Int) -> Tensor {
    let from = shape.normalized(axis: source, operation: "movedAxis")
    let to = shape.normalized(axis: target, operation: "movedAxis")
    if from == to { return self }
    var order = Array(0..<shape.count)
    order.insert(order.remove(at: from), at: to)
    return permuted(order)
  }

  /// Without any axis of size one.
  public final func squeezed() -> Tensor {
    reshaped(to: TensorShape(shape.filter { $0 != 1 }))
  }

  /// An axis split into several of the given sizes, one of which may be -1.
  public final func unflattened(axis: Int, _ sizes: [Int]) -> Tensor {
    let axis = shape.normalized(axis: axis, operation: "unflattened")
    var sizes = sizes
    if let wild = sizes.firstIndex(of: -1) {
      sizes[wild] = 1
      let rest = sizes.reduce(1, *)
      require(
        rest > 0 && shape[axis] % rest == 0,
        "unflattened: axis \(axis) of \(shape) to \(sizes): not divisible")
      sizes[wild] = shape[axis] / rest
    }
    require(
      sizes.reduce(1, *) == shape[axis], "unflattened: axis \(axis) of \(shape) to \(sizes)")
    return reshaped(to: TensorShape(shape.prefix(axis) + sizes + shape.dropFirst(axis + 1)))
  }

  /// The axes from `first` to `last` merged into one.
  public final func flattened(from first: Int, to last: Int) -> Tensor {
    if shape.count == 0 { return reshaped(to: [1]) }
    let i = shape.normalized(axis: first, operation: "flattened")
    let j = shape.normalized(axis: last, operation: "flattened")
    require(i <= j, "flattened: axes \(first) to \(last) of \(shape)")
    let merged = shape[i...j].reduce(1, *)
    return reshaped(to: TensorShape(shape.prefix(i) + [merged] + shape.dropFirst(j + 1)))
  }

  /// The coordinates of a grid whose axes have the given places: one tensor for each of them.
  public static func meshgrid(_ places: [Tensor], indexing: GridIndexing = .ij) -> [Tensor] {
    require(
      places.allSatisfy { $0.shape.count <= 1 },
      "meshgrid: \(places.map(\.shape)); vectors are needed")
    var axes = Array(places.indices)
    if indexing == .xy, axes.count > 1 { axes.swapAt(0, 1) }
    var target = TensorShape(repeating: 1, count: places.count)
    for (place, axis) in zip(places, axes) { target[axis] = place.count }
    return zip(places, axes).map { place, axis in
      var shape = TensorShape(repeating: 1, count: places.count)
      shape[axis] = place.count
      return place.reshaped(to: shape).expanded(to: target)
    }
  }
}
