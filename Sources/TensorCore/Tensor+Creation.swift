internal import CKernels

extension Tensor {
  /// A tensor of the given shape whose elements are `elements` in row-major order.
  public static func of<Scalar: TensorScalar>(_ elements: [Scalar], shape: TensorShape) -> Tensor {
    require(
      elements.count == shape.elementCount,
      "Tensor: \(elements.count) elements do not fill the shape \(shape)")
    let tensor = Tensor(uninitialized: shape, Scalar.dataType)
    elements.withUnsafeBytes {
      if let source = $0.baseAddress { tensor.bytes.copyMemory(from: source, byteCount: $0.count) }
    }
    return tensor
  }

  /// The same for the sizes of the axes as an array.
  public static func of<Scalar: TensorScalar>(_ elements: [Scalar], shape: [Int]) -> Tensor {
    of(elements, shape: TensorShape(shape))
  }

  /// A tensor with one axis, of the elements' own type: int64 for `[Int]`, float64 for `[Double]`.
  ///
  /// Literals such as `Tensor([1, 2.5])` are float32.
  @_disfavoredOverload
  public convenience init<Scalar: TensorScalar>(_ elements: [Scalar]) {
    self.init(elements: elements)
  }

  private convenience init<Scalar: TensorScalar>(elements: [Scalar]) {
    self.init(uninitialized: [elements.count], Scalar.dataType)
    elements.withUnsafeBytes {
      if let source = $0.baseAddress { bytes.copyMemory(from: source, byteCount: $0.count) }
    }
  }

  /// A matrix from its rows, which must have the same length.
  @_disfavoredOverload
  public convenience init<Scalar: TensorScalar>(_ rows: [[Scalar]]) { self.init(rows: rows) }

  private convenience init<Scalar: TensorScalar>(rows: [[Scalar]]) {
    let columns = rows.first?.count ?? 0
    self.init(uninitialized: [rows.count, columns], Scalar.dataType)
    for (index, row) in rows.enumerated() {
      require(
        row.count == columns,
        "Tensor: the rows differ in length: row 0 has \(columns) elements, row \(index) \(row.count)"
      )
      row.withUnsafeBytes {
        guard let source = $0.baseAddress else { return }
        (bytes + index * $0.count).copyMemory(from: source, byteCount: $0.count)
      }
    }
  }

  /// A tensor with three axes from its matrices, which must have the same shape.
  @_disfavoredOverload
  public convenience init<Scalar: TensorScalar>(_ matrices: [[[Scalar]]]) {
    self.init(matrices: matrices)
  }

  private convenience init<Scalar: TensorScalar>(matrices: [[[Scalar]]]) {
    let (rows, columns) = (matrices.first?.count ?? 0, matrices.first?.first?.count ?? 0)
    self.init(uninitialized: [matrices.count, rows, columns], Scalar.dataType)
    for (index, matrix) in matrices.enumerated() {
      let part = Tensor(rows: matrix)
      require(
        part.shape == [rows, columns],
        "Tensor: the matrices differ in shape: [\(rows), \(columns)] and \(part.shape)")
      (bytes + index * part.byteCount).copyMemory(from: part.bytes, byteCount: part.byteCount)
    }
  }

  /// A scalar, a tensor without axes, of the number's own type.
  ///
  /// Literals such as `Tensor(0.5)` are float32.
  @_disfavoredOverload
  public convenience init<Scalar: TensorScalar>(_ value: Scalar) {
    self.init(uninitialized: [], Scalar.dataType)
    pointer(Scalar.self).pointee = value
  }

  // What literals become.

  /// A float32 tensor with one axis.
  public convenience init(_ elements: [Float]) { self.init(elements: elements) }
  /// A float32 matrix from its rows.
  public convenience init(_ rows: [[Float]]) { self.init(rows: rows) }
  /// A float32 tensor with three axes.
  public convenience init(_ matrices: [[[Float]]]) { self.init(matrices: matrices) }
  /// A float32 scalar.
  public convenience init(_ value: Float) {
    self.init(uninitialized: [], .float32)
    pointer(Float.self).pointee = value
  }

  /// A tensor with every element equal to `value`.
  public static func full(_ shape: TensorShape, _ value: Double, _ dataType: DataType = .float32)
    -> Tensor
  {
    require(
      dataType.isFloatingPoint || dataType == .bool || value == value.rounded(),
      "full: \(value) is no \(dataType); use a floating-point type")
    let tensor = Tensor(uninitialized: shape, dataType)
    tensor.setAll(to: value)
    return tensor
  }

  /// A tensor of zeros.
  public static func zeros(_ shape: TensorShape, _ dataType: DataType = .float32) -> Tensor {
    full(shape, 0, dataType)
  }

  /// The same for the sizes of the axes as an array.
  public static func full(_ shape: [Int], _ value: Double, _ dataType: DataType = .float32)
    -> Tensor
  {
    full(TensorShape(shape), value, dataType)
  }
  /// The same for the sizes of the axes as an array.
  public static func zeros(_ shape: [Int], _ dataType: DataType = .float32) -> Tensor {
    full(TensorShape(shape), 0, dataType)
  }
  /// The same for the sizes of the axes as an array.
  public static func ones(_ shape: [Int], _ dataType: DataType = .float32) -> Tensor {
    full(TensorShape(shape), 1, dataType)
  }

  /// A tensor of ones.
  public static func ones(_ shape: TensorShape, _ dataType: DataType = .float32) -> Tensor {
    full(shape, 1, dataType)
  }

  /// The numbers 0, 1, …, `count - 1` along one axis.
  public static func arange(_ count: Int, _ dataType: DataType = .float32) -> Tensor {
    require(count >= 0, "arange: the count \(count) is negative")
    return withoutGrad { Tensor((0..<count).map(Double.init)).converted(to: dataType) }
  }

  /// The identity matrix of `size` rows.
  public static func identity(_ size: Int, _ dataType: DataType = .float32) -> Tensor {
    require(size >= 0, "identity: the size \(size) is negative")
    let tensor = zeros([size, size], dataType)
    let diagonal = tensor.view([size], [size + 1], 0)
    copyElements(from: ones([size], dataType), to: diagonal)
    return tensor
  }

  /// A tensor with a copy of the elements of `buffer`.
  package static func copying<Scalar: TensorScalar>(
    _ buffer: UnsafeBufferPointer<Scalar>, shape: TensorShape
  ) -> Tensor {
    require(
      buffer.count == shape.elementCount,
      "Tensor: \(buffer.count) elements do not fill the shape \(shape)")
    let tensor = Tensor(uninitialized: shape, Scalar.dataType)
    if let source = buffer.baseAddress {
      tensor.pointer(Scalar.self).update(from: source, count: buffer.count)
    }
    return tensor
  }

  /// Writes `value` to every element of this contiguous tensor.
  package final func setAll(to value: Double) {
    elements.update(repeating: dataType == .bool && value != 0 ? 1 : value, count: count)
  }
}
