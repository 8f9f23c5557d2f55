// Indexing with integer tensors and masks.

/// Index tensors for some axes of a tensor, broadcast together.
struct IndexTensors {
  /// The operation, for messages.
  fileprivate let name: StaticString
  /// The axes that are indexed, in order.
  let axes: [Int]
  /// The other axes.
  let others: [Int]
  /// The shape that the indices broadcast to.
  let shape: TensorShape
  /// For each axis, the indices in row-major order, none negative.
  private let positions: [[Int32]]
  /// The axis of the result at which those of `shape` begin.
  let resultAxis: Int

  /// The index tensors of a selection, for a tensor of shape `target`.
  init(_ selection: ViewSelection, in target: TensorShape) {
    var indices: [(axis: Int, index: Tensor)] = []
    for (axis, index) in selection.tensors {
      guard index.isMask else {
        indices.append((axis, index))
        continue
      }
      let masked = TensorShape(target.dropFirst(axis).prefix(index.shape.count))
      require(
        index.shape == masked,
        "subscript: a mask \(index.shape) for axes \(masked) of \(target)")
      let places = index.nonzero()
      for i in 0..<index.shape.count {
        indices.append((axis + i, places.sliced(i..<i + 1, axis: 1).reshaped(to: [-1])))
      }
    }
    self.init(indices, in: target)
  }

  /// Index tensors for axes, in ascending order, for an operation.
  init(
    _ indices: [(axis: Int, index: Tensor)], in target: TensorShape,
    _ operation: StaticString = "subscript"
  ) {
    name = operation
    axes = indices.map(\.axis)
    let isIndexed = axes
    others = (0..<target.count).filter { !isIndexed.contains($0) }
    let areAdjacent = axes.last! - axes[0] == axes.count - 1
    resultAxis = areAdjacent ? axes[0] : 0
    var common = TensorShape()
    for (_, index) in indices {
      guard let next = TensorShape.broadcast(common, index.shape) else {
        fatalError("\(operation): indices \(indices.map(\.index.shape)) do not broadcast")
      }
      common = next
    }
    shape = common
    positions = indices.map { axis, index in
      require(
        !index.dataType.isFloatingPoint,
        "\(operation): an integer tensor or a mask is needed, not \(index.dataType) \(index.shape)")
      let size = Int32(target[axis])
      let values = withoutGrad { index.expanded(to: common).converted(to: .int32) }.array(
        of: Int32.self)
      return values.map { value in
        let position = value < 0 ? value + size : value
        require(
          position >= 0 && position < size,
          "\(operation): index \(value) is out of range for axis \(axis) of \(target)")
        return position
      }
    }
  }

  /// The number of elements (or slices) that are selected.
  var count: Int { shape.elementCount }

  /// The indices in the indexed axes taken as one, in row-major order.
  func flat(in target: TensorShape) -> Tensor {
    let size = axes.reduce(1) { $0 * target[$1] }
    require(size <= Int(Int32.max), "\(name): axes \(axes) of \(target) have too many elements")
    var flat = positions[0]
    for (axis, next) in zip(axes, positions).dropFirst() {
      let size = Int32(target[axis])
      for i in flat.indices { flat[i] = flat[i] * size + next[i] }
    }
    return Tensor(flat)
  }

  /// Where each selected element (or slice) begins, for these strides.
  func offsets(_ strides: TensorShape) -> [Int] {
    var offsets = [Int](repeating: 0, count: count)
    for (axis, next) in zip(axes, positions) {
      for i in offsets.indices { offsets[i] += Int(next[i]) * strides[axis] }
    }
    return offsets
  }

  /// The order of axes that moves those of `shape`, which stand first, to where they belong.
  var resultOrder: [Int] {
    let rest = Array(shape.count..<shape.count + others.count)
    return Array(rest[..<resultAxis]) + Array(0..<shape.count) + Array(rest[resultAxis...])
  }

  /// The shape of the result, the axes of `shape` first.
  func movedShape(in target: TensorShape) -> TensorShape {
    var moved = shape
    for axis in others { moved.append(target[axis]) }
    return moved
  }
}

extension Tensor {
  /// Whether this tensor stands for places, as an index: a mask.
  final var isMask: Bool { dataType == .bool }

  /// The elements at index tensors.
  ///
  /// The gradient of an element is the sum over its occurrences.
  final func gathered(_ indices: IndexTensors) -> Tensor {
    let size = indices.axes.reduce(1) { $0 * shape[$1] }
    let rows = permuted(indices.axes + indices.others)
      .reshaped(to: [size, indices.others.reduce(1) { $0 * shape[$1] }])
    let y = rows.embedding(indices.flat(in: shape)).reshaped(to: indices.movedShape(in: shape))
    return indices.resultAxis == 0 ? y : y.permuted(indices.resultOrder)
  }

  /// Overwrites the elements at index tensors in place.
  final func replaceElements(_ value: Tensor, at indices: IndexTensors) {
    if isGradientEnabled { followBase("IndexPut") }
    if isGradientEnabled, requiresGrad || value.requiresGrad || isViewOfGraph {
      copy_(replacing(indices, by: value))
    } else {
      withoutGrad { write(value, at: indices) }
    }
  }

  /// A copy with the elements at index tensors replaced.
  ///
  /// The gradient is `dy`, 0 where elements were replaced; that of the values is `dy` there.
  final func replacing(_ indices: IndexTensors, by value: Tensor) -> Tensor {
    let y = withoutGrad { copy() }
    withoutGrad { y.write(value, at: indices) }
    let zero = scalar(0)
    return y.recorded("IndexPut", from: self, value) { dy in
      [dy.replacing(indices, by: zero.converted(to: dy.dataType)), dy.gathered(indices)]
    }
  }

  private func write(_ value: Tensor, at indices: IndexTensors) {
    require(
      !self.shape.indices.contains { self.strides[$0] == 0 && self.shape[$0] > 1 },
      """
      \(indices.name): several elements of this expanded \(self.shape) are in the same place in memory, so it \
      cannot be changed in place; change a copy()
      """)
    let moved = indices.movedShape(in: self.shape)
    let isMoved = indices.resultAxis > 0
    let target = isMoved ? TensorShape(indices.resultOrder.map { moved[$0] }) : moved
    require(
      TensorShape.broadcast(value.shape, target) == target,
      "\(indices.name): \(value.shape) does not broadcast to \(target), which is assigned to")
    var rows = value.converted(to: dataType).expanded(to: target)
    if isMoved {
      let order = indices.resultOrder
      rows = rows.permuted(order.indices.map { order.firstIndex(of: $0)! })
    }
    rows = rows.contiguousUnrecorded()
    if rows.storage === storage { rows = rows.copy() }
    let shape = TensorShape(indices.others.map { self.shape[$0] })
    let strides = TensorShape(indices.others.map { self.strides[$0] })
    let (width, size) = (shape.elementCount, dataType.byteCount)
    storage.version += 1
    if width == 0 { return }
    let isDense = view(shape, strides, offset).isContiguous
    for (row, place) in indices.offsets(self.strides).enumerated() {
      if isDense {
        (bytes + place * size).copyMemory(
          from: rows.bytes + row * width * size, byteCount: width * size)
      } else {
        copyElements(
          from: rows.view(shape, shape.contiguousStrides, row * width, true),
          to: view(shape, strides, offset + place, false))
      }
    }
  }
}
