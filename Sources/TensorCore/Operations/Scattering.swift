// Writing elements at indices, counting and searching.

extension Tensor {
  /// These elements with those of `source` added at int32 `indices` along an axis, PyTorch's
  /// `scatter_add`.
  ///
  /// The gradients are `dy` and `dy` at the indices.
  public final func scatterAdd(_ indices: Tensor, _ source: Tensor, axis: Int) -> Tensor {
    let axis = shape.normalized(axis: axis, operation: "scatterAdd")
    let values = source.shape == indices.shape ? source : source.corner(indices.shape)
    return self + values.scattered(indices, in: shape, axis: axis)
  }

  /// These elements, but those of `source` at int32 `indices` along an axis, PyTorch's `scatter`.
  ///
  /// For axis 0, y[indices[i, j], j] = source[i, j]. If an index occurs several times, the last value
  /// stays.
  ///
  /// The gradients are `dy`, 0 where elements were replaced, and `dy` at the indices.
  public final func scatter(_ indices: Tensor, _ source: Tensor, axis: Int) -> Tensor {
    let axis = shape.normalized(axis: axis, operation: "scatter")
    let fits =
      indices.shape.count == shape.count
      && shape.indices.allSatisfy { $0 == axis || indices.shape[$0] <= shape[$0] }
    require(
      fits && !indices.dataType.isFloatingPoint,
      "scatter: indices \(indices.dataType) \(indices.shape) for axis \(axis) of \(shape)")
    let values = source.shape.count == 0 ? source : source.corner(indices.shape)
    let places = shape.indices.map { other -> (axis: Int, index: Tensor) in
      if other == axis { return (other, indices) }
      var along = TensorShape(repeating: 1, count: shape.count)
      along[other] = indices.shape[other]
      return (other, Tensor.arange(indices.shape[other], .int32).reshaped(to: along))
    }
    return replacing(IndexTensors(places, in: shape, "scatter"), by: values)
  }

  /// These elements, but `value` at int32 `indices` along an axis.
  public final func scatter(_ indices: Tensor, _ value: Double, axis: Int) -> Tensor {
    scatter(indices, scalar(value), axis: axis)
  }

  /// The part of this tensor that begins in its first corner and has a given shape.
  private func corner(_ target: TensorShape) -> Tensor {
    require(
      shape.count == target.count && shape.indices.allSatisfy { target[$0] <= shape[$0] },
      "scatter: indices \(target) for elements \(shape)")
    var x = self
    for axis in shape.indices where target[axis] != shape[axis] {
      x = x.sliced(0..<target[axis], axis: axis)
    }
    return x
  }

  /// These elements with the slices of `source` added at int32 `indices` `[n]` along an axis.
  ///
  /// The gradients are `dy` and `dy` at the indices.
  public final func indexAdd(_ indices: Tensor, _ source: Tensor, axis: Int, scale: Double = 1)
    -> Tensor
  {
    let axis = shape.normalized(axis: axis, operation: "indexAdd")
    let (places, target) = places(indices, source.shape, axis, "indexAdd")
    let values = scale == 1 ? source : source * scale
    return self + values.expanded(to: target).scattered(places, in: shape, axis: axis)
  }

  /// These elements, but the slices of `source` at int32 `indices` `[n]` along an axis.
  ///
  /// The gradients are `dy`, 0 where slices were replaced, and `dy` at the indices.
  public final func indexCopy(_ indices: Tensor, _ source: Tensor, axis: Int) -> Tensor {
    let axis = shape.normalized(axis: axis, operation: "indexCopy")
    _ = places(indices, source.shape, axis, "indexCopy")
    return replacing(IndexTensors([(axis, indices)], in: shape, "indexCopy"), by: source)
  }

  /// These elements, but `value` in the slices at int32 `indices` `[n]` along an axis.
  public final func indexFill(_ indices: Tensor, _ value: Double, axis: Int) -> Tensor {
    let axis = shape.normalized(axis: axis, operation: "indexFill")
    return replacing(IndexTensors([(axis, indices)], in: shape, "indexFill"), by: scalar(value))
  }

  /// Indices `[n]` along an axis, expanded to the shape of the slices.
  private func places(
    _ indices: Tensor, _ source: TensorShape, _ axis: Int, _ name: StaticString
  ) -> (Tensor, TensorShape) {
    var target = shape
    target[axis] = indices.count
    require(
      indices.shape.count == 1 && TensorShape.broadcast(source, target) == target,
      "\(name): slices \(source) at indices \(indices.shape) of axis \(axis) of \(shape)")
    var ones = TensorShape(repeating: 1, count: shape.count)
    ones[axis] = indices.count
    return (withoutGrad { indices.reshaped(to: ones).expanded(to: target) }, target)
  }

  /// The distinct elements in ascending order, the index of each element's in that order (int32, in the
  /// shape of this tensor), and how often each occurs (int32).
  ///
  /// Not differentiable. NaN is equal to nothing, so each is listed.
  public final func unique() -> (values: Tensor, inverse: Tensor, counts: Tensor) {
    withoutGrad {
      let flat = flattened()
      let order = flat.argsort()
      let sorted = flat.gathered(order, axis: 0).doubles()
      var (firsts, counts): ([Int32], [Int32]) = ([], [])
      var inverse = [Int32](repeating: 0, count: sorted.count)
      for (rank, position) in order.array(of: Int32.self).enumerated() {
        if rank == 0 || sorted[rank] != sorted[rank - 1] {
          firsts.append(position)
          counts.append(0)
        }
        counts[counts.count - 1] += 1
        inverse[Int(position)] = Int32(firsts.count - 1)
      }
      return (
        flat.indexSelected(Tensor(firsts)), Tensor.of(inverse, shape: shape), Tensor(counts)
      )
    }
  }

  /// How often each of the integers 0, 1, … occurs in this vector, at least `minimumLength` of them:
  /// int32, or the sums of `weights` of its places.
  ///
  /// Not differentiable.
  public final func bincount(weights: Tensor? = nil, minimumLength: Int = 0) -> Tensor {
    require(
      shape.count == 1 && !dataType.isFloatingPoint,
      "bincount: an integer vector is needed, not \(dataType) \(shape)")
    return withoutGrad {
      let indices = converted(to: .int32)
      let numbers = indices.array(of: Int32.self)
      require(numbers.allSatisfy { $0 >= 0 }, "bincount: \(numbers.min() ?? 0) is negative")
      let length = Swift.max(minimumLength, Int(numbers.max() ?? -1) + 1)
      let values = weights ?? Tensor.ones([count], .int32)
      require(values.shape == shape, "bincount: weights \(values.shape) for \(shape)")
      return values.scattered(indices, in: [length], axis: 0)
    }
  }

  /// For each of `values`, the int32 index at which it belongs into the last axis of this tensor, which
  /// must be sorted.
  ///
  /// Before equal elements, or behind them if `right`. A vector serves all values; else all but the
  /// last axis agree.
  ///
  /// Not differentiable.
  public final func searchSorted(_ values: Tensor, right: Bool = false) -> Tensor {
    require(
      shape.count == 1
        || shape.count > 1 && values.shape.count == shape.count
          && shape.dropLast().elementsEqual(values.shape.dropLast()),
      "searchSorted: values \(values.shape) for a sorted \(shape)")
    let (sorted, wanted) = (doubles(), values.doubles())
    let length = shape.last!
    let width = shape.count == 1 ? wanted.count : values.shape.last!
    let places = wanted.enumerated().map { index, value -> Int32 in
      let row = shape.count == 1 ? 0 : index / width * length
      var (low, high) = (0, length)
      while low < high {
        let middle = (low + high) / 2
        let element = sorted[row + middle]
        let isBefore = right ? !(element > value) : element < value || value.isNaN
        if isBefore { low = middle + 1 } else { high = middle }
      }
      return Int32(low)
    }
    return .of(places, shape: values.shape)
  }

  /// For each element, the int32 index of the interval between sorted `boundaries` that it is in:
  /// PyTorch's `bucketize`.
  ///
  /// Not differentiable.
  public final func bucketized(_ boundaries: Tensor, right: Bool = false) -> Tensor {
    boundaries.searchSorted(self, right: right)
  }
}
