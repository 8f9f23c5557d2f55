// swift-format-ignore-file: AlwaysUseLowerCamelCase

// Overwriting elements at indices and under masks, in place.

extension Tensor {
  /// Overwrites the elements at index tensors, one for each of the first axes, in place.
  ///
  /// The indices are broadcast together. With `accumulate`, the values are added instead, also at an
  /// index that occurs several times.
  @discardableResult
  public final func indexPut_(_ indices: [Tensor], _ values: Tensor, accumulate: Bool = false)
    -> Tensor
  {
    require(
      !indices.isEmpty && indices.count <= shape.count,
      "indexPut_: \(indices.count) indices for the axes of \(shape)")
    let places = IndexTensors(ViewSelection(indices, in: shape), in: shape)
    guard accumulate else {
      replaceElements(values, at: places)
      return self
    }
    let size = places.axes.reduce(1) { $0 * shape[$1] }
    let width = places.others.reduce(1) { $0 * shape[$1] }
    let rows = values.converted(to: dataType).expanded(to: places.movedShape(in: shape))
      .reshaped(to: [places.count, width])
    let flat = places.flat(in: shape).unsqueezed(axis: 1).expanded(to: [places.count, width])
    return add_(rows.scattered(flat, in: [size, width], axis: 0).reshaped(to: shape))
  }

  /// Overwrites the elements where `mask`, which may broadcast, is true.
  @discardableResult
  public final func maskedFill_(_ mask: Tensor, _ value: Double) -> Tensor {
    copy_(maskedFill(mask, value))
  }
}
