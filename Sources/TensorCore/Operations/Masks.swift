// Masks, and the elements where they are true.

extension Tensor {
  /// The elements at indices of the flattened tensor, in the shape of `indices`.
  public final func take(_ indices: Tensor) -> Tensor { flattened()[indices] }

  /// The elements where `mask`, which may broadcast, is true, in row-major order along one axis.
  public final func maskedSelected(_ mask: Tensor) -> Tensor {
    require(
      TensorShape.broadcast(shape, mask.shape) != nil,
      "maskedSelected: a mask \(mask.shape) for \(shape)")
    let target = TensorShape.broadcast(shape, mask.shape)!
    return expanded(to: target).flattened().indexSelected(mask.truePositions(in: target))
  }

  /// These elements, but `value` where `mask`, which may broadcast, is true.
  public final func maskedFill(_ mask: Tensor, _ value: Double) -> Tensor {
    .where(mask, Tensor.full([], value, dataType), self)
  }

  /// These elements, but `value` where `mask` is true; both may broadcast.
  public final func maskedFill(_ mask: Tensor, _ value: Tensor) -> Tensor {
    .where(mask, value, self)
  }

  /// These elements, but the next of `source` wherever `mask`, which may broadcast, is true, both in
  /// row-major order.
  public final func maskedScatter(_ mask: Tensor, _ source: Tensor) -> Tensor {
    let places = mask.truePositions(in: shape)
    require(
      places.count <= source.count,
      "maskedScatter: \(source.count) elements for \(places.count) places of \(shape)")
    let values = source.flattened().sliced(0..<places.count)
    return flattened().replacing(
      IndexTensors([(0, places)], in: [count], "maskedScatter"), by: values
    )
    .reshaped(to: shape)
  }

  /// The indices of the elements that are not 0, in row-major order: int32 `[n, axes]`.
  public final func nonzero() -> Tensor {
    let flat = truePositions(in: shape).array(of: Int32.self)
    let sizes = shape.array
    var indices = [Int32](repeating: 0, count: flat.count * sizes.count)
    for (row, position) in flat.enumerated() {
      var rest = Int(position)
      for axis in stride(from: sizes.count - 1, through: 0, by: -1) {
        indices[row * sizes.count + axis] = Int32(rest % sizes[axis])
        rest /= sizes[axis]
      }
    }
    return .of(indices, shape: [flat.count, sizes.count])
  }

  /// The row-major positions in `target` of what is not 0 in this tensor, expanded to that shape.
  private func truePositions(in target: TensorShape) -> Tensor {
    require(
      TensorShape.broadcast(shape, target) == target,
      "a mask of shape \(shape) does not broadcast to \(target)")
    let values = withoutGrad { expanded(to: target) }.doubles()
    require(values.count <= Int(Int32.max), "a mask of shape \(target) has too many elements")
    var positions: [Int32] = []
    for (index, value) in values.enumerated() where value != 0 { positions.append(Int32(index)) }
    return Tensor(positions)
  }
}
