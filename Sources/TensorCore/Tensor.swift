internal import CKernels

/// An n-dimensional array with automatic differentiation.
///
/// Views (`reshaped`, `transposed`, `sliced`, …) and `detached()` share memory with the original.
/// Operations on tensors that require gradients are recorded; `backward()` then adds gradients to the
/// `grad` of the leaves.
///
/// A tensor belongs to the thread that created it and is not `Sendable`.
public class Tensor {
  /// The sizes of the axes, outermost first.
  public final let shape: TensorShape
  /// The type of the elements.
  public final let dataType: DataType
  /// The distance between neighbors along each axis, in elements.
  package final let strides: TensorShape
  /// The offset of the first element in the storage, in elements.
  package final private(set) var offset: Int
  package final var storage: Storage
  /// Whether the elements are in memory in row-major order, without gaps.
  public final let isContiguous: Bool

  /// The operation that computed this tensor; nil for a leaf.
  final var operation: Operation?
  final var leafRequiresGrad = false
  /// The tensor that this one is a view of, itself no view; nil for others, for a detached tensor and for
  /// a view that was taken in `withoutGrad`.
  final var base: Tensor?
  /// For a view, the storage's `graphVersion` that its place in the graph belongs to; nil for others and
  /// for a detached tensor.
  final var viewedVersion: Int?
  /// Whether this is a view that was taken in `withoutGrad`, of a tensor that requires gradients.
  final var isViewOfGraph = false
  /// Whether `detached()` made this tensor.
  private(set) final var isDetached = false
  /// In a backward pass, for a leaf: the number of operations that have not contributed yet.
  final var pendingUses = 0
  /// The hooks of a leaf.
  final var hooks: [GradientHook] = []
  /// The gradient of a leaf with hooks, until it is complete.
  final var pendingGradient: Tensor?
  /// The tensor that becomes this leaf's `grad`, for example a view of a `ParameterArena`; nil if
  /// backward allocates one.
  package final var gradientView: Tensor?

  /// The gradient that backward passes have accumulated in this leaf; nil before the first and
  /// after `zeroGrad()`.
  ///
  /// One that is assigned must have the shape and type of this tensor. Backward adds to it in place.
  public final var grad: Tensor? {
    willSet {
      guard let newValue else { return }
      require(
        newValue.shape == shape && newValue.dataType == dataType,
        "grad: a gradient \(newValue.dataType) \(newValue.shape) for a tensor \(dataType) \(shape)")
    }
  }

  init(
    shape: TensorShape, strides: TensorShape, offset: Int, storage: Storage, dataType: DataType,
    isContiguous: Bool
  ) {
    self.shape = shape
    self.strides = strides
    self.offset = offset
    self.storage = storage
    self.dataType = dataType
    self.isContiguous = isContiguous
  }

  /// A contiguous tensor over `storage`, whose first element is the storage's element `offset`.
  package convenience init(
    shape: TensorShape, storage: Storage, offset: Int = 0, dataType: DataType
  ) {
    self.init(
      shape: shape, strides: shape.contiguousStrides, offset: offset, storage: storage,
      dataType: dataType, isContiguous: true)
  }

  /// A contiguous tensor with uninitialized elements.
  package convenience init(uninitialized shape: TensorShape, _ dataType: DataType = .float32) {
    require(!shape.contains { $0 < 0 }, "Tensor: \(shape) has a negative size")
    self.init(
      shape: shape, storage: Storage(byteCount: shape.elementCount * dataType.byteCount),
      dataType: dataType)
  }

  /// A leaf that shares the elements of `other`: the initializer of `Parameter` and `Buffer`.
  init(sharing other: Tensor) {
    shape = other.shape
    strides = other.strides
    offset = other.offset
    storage = other.storage
    dataType = other.dataType
    isContiguous = other.isContiguous
  }

  deinit {
    if let operation {
      self.operation = nil
      ReleaseQueue.release(operation)
    }
  }

  /// The number of elements.
  public final var count: Int { shape.elementCount }
  /// The size of all elements in bytes.
  final var byteCount: Int { count * dataType.byteCount }

  /// Whether backward computes a gradient for this tensor.
  ///
  /// Set it on leaves only; the result of an operation requires a gradient if an input does.
  public final var requiresGrad: Bool {
    get {
      if let base, viewedVersion != storage.graphVersion, base.storage === storage {
        followBase("requiresGrad")
      }
      return operation != nil || leafRequiresGrad
    }
    set {
      require(
        !newValue || dataType.isFloatingPoint,
        "requiresGrad: only floating-point tensors have gradients, this one is \(dataType) \(shape)"
      )
      require(
        operation == nil,
        "requiresGrad: this \(shape) is the result of \(operation!.name); detach it first")
      leafRequiresGrad = newValue
    }
  }

  /// Whether this tensor was not computed by a recorded operation.
  public final var isLeaf: Bool { operation == nil }

  /// The operation that computed this tensor, as in `AddBackward`; nil for a leaf.
  public final var gradFunction: String? { operation.map { "\($0.name)Backward" } }

  /// Sets `grad` to nil.
  public final func zeroGrad() { grad = nil }

  /// A view of the same elements outside the graph: no gradient flows through it.
  public final func detached() -> Tensor {
    let result = Tensor(
      shape: shape, strides: strides, offset: offset, storage: storage, dataType: dataType,
      isContiguous: isContiguous)
    result.isDetached = true
    return result
  }

  /// Moves this contiguous leaf to other memory; copies its elements there if `copiesElements`, and
  /// takes over the values that are there if not.
  ///
  /// Views that were taken before stay in the old memory, so operations refuse them.
  package final func move(to storage: Storage, offset: Int, copiesElements: Bool = true) {
    require(isLeaf && isContiguous, "only contiguous leaves can be moved")
    let size = dataType.byteCount
    if copiesElements {
      (storage.pointer + offset * size).copyMemory(from: bytes, byteCount: count * size)
    }
    self.storage.graphVersion += 1
    self.storage = storage
    self.offset = offset
  }

  /// A tensor over the same storage with another layout, not yet recorded.
  final func view(_ shape: TensorShape, _ strides: TensorShape, _ offset: Int, _ isContiguous: Bool)
    -> Tensor
  {
    let view = Tensor(
      shape: shape, strides: strides, offset: offset, storage: storage, dataType: dataType,
      isContiguous: isContiguous)
    view.viewedVersion = isUnrecordedView ? viewedVersion : storage.graphVersion
    if isGradientEnabled, !isUnrecordedView {
      view.base = base ?? self
    } else {
      view.isViewOfGraph = isViewOfGraph || requiresGrad
    }
    return view
  }

  /// A view with another shape and other strides.
  final func view(_ shape: TensorShape, _ strides: TensorShape, _ offset: Int) -> Tensor {
    var expected = 1
    var isContiguous = true
    if shape.elementCount > 1 {
      for axis in stride(from: shape.count - 1, through: 0, by: -1) where shape[axis] != 1 {
        if strides[axis] != expected { isContiguous = false }
        expected *= shape[axis]
      }
    }
    return view(shape, strides, offset, isContiguous)
  }
}

/// A leaf that a module owns and an optimizer updates.
public final class Parameter: Tensor {
  /// A parameter that shares the memory of `tensor`.
  public init(_ tensor: Tensor) {
    require(
      tensor.dataType.isFloatingPoint && tensor.isContiguous,
      "Parameter: a contiguous floating-point tensor is needed, not \(tensor.dataType) \(tensor.shape)"
    )
    super.init(sharing: tensor)
    leafRequiresGrad = true
  }
}

// MARK: - Element access

extension Tensor {
  /// The first element's address.
  package final var bytes: UnsafeMutableRawPointer {
    storage.pointer + offset * dataType.byteCount
  }
  /// The first element's address; the tensor must hold `Scalar`s.
  package final func pointer<Scalar: TensorScalar>(
    _: Scalar.Type = Scalar.self
  ) -> UnsafeMutablePointer<Scalar> {
    assert(Scalar.dataType == dataType)
    return bytes.assumingMemoryBound(to: Scalar.self)
  }

  /// The element of a tensor with exactly one element, as a number.
  public final func item() -> Double {
    require(count == 1, "item: a tensor of one element is needed, not \(shape)")
    return element(at: 0)
  }

  /// The element at an offset from the first, as a number.
  final func element(at offset: Int) -> Double {
    if dataType == .float32 { return Double(pointer(Float.self)[offset]) }
    var value = 0.0
    ck_convert(ck_f64, &value, dataType.kernelType, (elements + offset).address, 1)
    return value
  }

  /// The elements in row-major order.
  ///
  /// `Scalar` must be the tensor's own type.
  public final func array<Scalar: TensorScalar>(of _: Scalar.Type = Scalar.self) -> [Scalar] {
    require(
      Scalar.dataType == dataType,
      "array(of: \(Scalar.self)): the tensor \(shape) holds \(dataType)")
    let dense = contiguousUnrecorded()
    return Array(UnsafeBufferPointer(start: dense.pointer(Scalar.self), count: count))
  }

  /// The elements in row-major order, as `Double`.
  public final func doubles() -> [Double] {
    let x = contiguousUnrecorded()
    return Array(unsafeUninitializedCapacity: count) { buffer, initializedCount in
      if let base = buffer.baseAddress {
        ck_convert(ck_f64, base, dataType.kernelType, x.bytes, count)
      }
      initializedCount = count
    }
  }

  /// This tensor if it is contiguous, else a contiguous copy outside the graph.
  package final func contiguousUnrecorded() -> Tensor {
    if isContiguous { return self }
    let y = Tensor(uninitialized: shape, dataType)
    copyElements(from: self, to: y)
    return y
  }
}

/// Copies all elements of `x` to `y`, which has the same shape and may have another layout.
func copyElements(from x: Tensor, to y: Tensor) {
  let size = x.dataType.byteCount
  // In the order of the target, so that its memory is written from front to back.
  let loop =
    y.memoryOrder == .channelsLast
    ? StridedLoop(
      shape: x.shape.channelsMovedToEnd, y.strides.channelsMovedToEnd,
      x.strides.channelsMovedToEnd)
    : StridedLoop(shape: x.shape, y.strides, x.strides)
  loop.forEachBlock { rows, cols, offsets in
    ck_copy(
      x.dataType.kernelType, y.bytes + offsets[0] * size, x.bytes + offsets[1] * size, rows, cols,
      loop.rowStride(0), loop.columnStride(0), loop.rowStride(1), loop.columnStride(1))
  }
}

// MARK: - Outside the graph

extension Tensor {
  /// Overwrites the elements of this leaf with those of a tensor of the same shape and type,
  /// outside the graph.
  ///
  /// In `withoutGrad`, also those of a result or of a view of a leaf.
  public final func assign(_ values: Tensor) {
    require(
      values.shape == shape && values.dataType == dataType,
      "assign: \(values.dataType) \(values.shape) to \(dataType) \(shape)")
    require(
      operation == nil || !isGradientEnabled,
      """
      assign: this \(shape) is the result of \(operation!.name), whose gradient would be that of the old \
      elements; use copy_, or withoutGrad
      """)
    write(values, "assign")
  }

  /// Overwrites the elements with those of a tensor of the same shape and type, which may share memory
  /// with this one, outside the graph.
  final func write(_ values: Tensor, _ name: StaticString) {
    require(
      !hasRepeatedElements,
      """
      \(name): several elements of this \(shape), which is expanded or has overlapping windows, are in the same \
      place in memory, so it cannot be changed in place; change a copy()
      """)
    let values = withoutGrad {
      values.sharesMemory(with: self)
        ? values.copy() : values.converted(to: dataType)
    }
    storage.version += 1
    copyElements(from: values, to: self)
  }

  /// Whether several elements are one place in memory, as in an expanded tensor.
  private final var hasRepeatedElements: Bool {
    if isContiguous { return false }
    // From the smallest stride on, each steps over all elements of those before it.
    var span = 0
    let axes = (0..<shape.count).filter { shape[$0] > 1 }
    for axis in axes.sorted(by: { strides[$0].magnitude < strides[$1].magnitude }) {
      if Int(strides[axis].magnitude) <= span || strides[axis] == 0 { return true }
      span += (shape[axis] - 1) * Int(strides[axis].magnitude)
    }
    return false
  }

  /// Whether the memory from the first to the last element of both tensors overlaps.
  private final func sharesMemory(with other: Tensor) -> Bool {
    bytes < other.end && other.bytes < end
  }

  /// The address behind the last element in memory.
  private final var end: UnsafeMutableRawPointer {
    guard count > 0 else { return bytes }
    var last = 0
    for axis in 0..<shape.count { last += (shape[axis] - 1) * strides[axis] }
    return bytes + (last + 1) * dataType.byteCount
  }
}
