/// The orders that the elements of a dense tensor can have in memory.
enum MemoryOrder {
  /// The last axis varies fastest.
  case rowMajor
  /// Images `[N, C, H, W]` lie as `[N, H, W, C]`: what convolutions compute.
  case channelsLast
}

extension TensorShape {
  /// The strides of a dense tensor of this shape, in elements.
  func strides(_ order: MemoryOrder) -> TensorShape {
    guard order == .channelsLast else { return contiguousStrides }
    let (c, h, w) = (Swift.max(self[1], 1), Swift.max(self[2], 1), Swift.max(self[3], 1))
    return [h * w * c, 1, w * c, c]
  }

  /// This shape, or strides, with the axes of images `[N, C, H, W]` in the order `[N, H, W, C]`.
  var channelsMovedToEnd: TensorShape { [self[0], self[2], self[3], self[1]] }
}

extension Tensor {
  /// A dense tensor with uninitialized elements; `channelsLast` is for four axes.
  convenience init(uninitialized shape: TensorShape, _ order: MemoryOrder, _ dataType: DataType) {
    guard order == .channelsLast else {
      self.init(uninitialized: shape, dataType)
      return
    }
    let isContiguous = shape[1] == 1 || shape[2] * shape[3] == 1
    self.init(
      shape: shape, strides: isContiguous ? shape.contiguousStrides : shape.strides(order),
      offset: 0, storage: Storage(byteCount: shape.elementCount * dataType.byteCount),
      dataType: dataType, isContiguous: isContiguous)
  }

  /// Whether these images `[N, C, H, W]` lie densely as `[N, H, W, C]`, as those with a single channel or
  /// pixel do in row-major order, too.
  package final var isChannelsLast: Bool {
    guard shape.count == 4 else { return false }
    let (n, c, h, w) = (shape[0], shape[1], shape[2], shape[3])
    return (c == 1 || strides[1] == 1) && (w == 1 || strides[3] == c)
      && (h == 1 || strides[2] == w * c) && (n == 1 || strides[0] == h * w * c)
  }

  /// The order of the elements; nil if they are not dense.
  final var memoryOrder: MemoryOrder? {
    isContiguous ? .rowMajor : isChannelsLast ? .channelsLast : nil
  }

  /// This tensor if it is dense in the given order, else a copy that is, outside the graph.
  final func ordered(_ order: MemoryOrder) -> Tensor {
    guard order == .channelsLast else { return contiguousUnrecorded() }
    if isChannelsLast { return self }
    let y = Tensor(uninitialized: shape, order, dataType)
    copyElements(from: self, to: y)
    return y
  }

  /// This tensor if it is dense in any order, else a row-major copy, outside the graph.
  final func dense() -> Tensor { memoryOrder == nil ? contiguousUnrecorded() : self }
}
