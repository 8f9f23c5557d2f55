// Concatenating and splitting tensors.

extension Tensor {
  /// Tensors concatenated along an existing axis, PyTorch's `cat`.
  ///
  /// All other axes must have equal sizes; types are brought to one. The gradient of each tensor is its
  /// slice of `dy`.
  public static func concatenated(_ tensors: [Tensor], axis: Int = 0) -> Tensor {
    require(!tensors.isEmpty, "concatenated: no tensors")
    let axis = tensors[0].shape.normalized(axis: axis, operation: "concatenated")
    var target = tensors[0].shape
    target[axis] = tensors.reduce(0) { $0 + $1.shape[axis] }
    for tensor in tensors {
      var expected = target
      expected[axis] = tensor.shape.count == target.count ? tensor.shape[axis] : 0
      require(
        tensor.shape == expected,
        "concatenated: \(tensor.shape) does not fit \(tensors[0].shape) along axis \(axis)")
    }
    let type = tensors.reduce(tensors[0].dataType) { $0.promoted(with: $1.dataType) }
    let y = Tensor(uninitialized: target, type)
    var ranges: [Range<Int>] = []
    for tensor in tensors {
      let start = ranges.last?.upperBound ?? 0
      ranges.append(start..<start + tensor.shape[axis])
      withoutGrad {
        copyElements(from: tensor.converted(to: type), to: y.sliced(ranges.last!, axis: axis))
      }
    }
    guard let operation = y.record("Concatenate", tensors) else { return y }
    operation.pullback = .returning { dy in ranges.map { dy.sliced($0, axis: axis) } }
    operation.savesNothing = true
    return y
  }

  /// Tensors of one shape stacked along a new axis.
  public static func stacked(_ tensors: [Tensor], axis: Int = 0) -> Tensor {
    require(!tensors.isEmpty, "stacked: no tensors")
    for tensor in tensors {
      require(
        tensor.shape == tensors[0].shape && tensor.dataType == tensors[0].dataType,
        "stacked: \(tensor.dataType) \(tensor.shape) and \(tensors[0].dataType) \(tensors[0].shape) differ"
      )
    }
    return concatenated(tensors.map { $0.unsqueezed(axis: axis) }, axis: axis)
  }

  /// Views of consecutive slices of `size` along an axis; the last one may be smaller.
  public final func split(_ size: Int, axis: Int = 0) -> [Tensor] {
    let axis = shape.normalized(axis: axis, operation: "split")
    require(size > 0, "split: slices of \(size) along axis \(axis) of \(shape)")
    return stride(from: 0, to: Swift.max(shape[axis], 1), by: size).map {
      sliced($0..<Swift.min($0 + size, shape[axis]), axis: axis)
    }
  }
}
