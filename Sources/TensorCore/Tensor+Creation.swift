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

  /// A tensor with one axis.
  public convenience init<Scalar: TensorScalar>(_ elements: [Scalar]) {
    self.init(uninitialized: [elements.count], Scalar.dataType)
    elements.withUnsafeBytes {
      if let source = $0.baseAddress { bytes.copyMemory(from: source, byteCount: $0.count) }
    }
  }

  /// A matrix from its rows, which must have the same length.
  public convenience init<Scalar: TensorScalar>(_ rows: [[Scalar]]) {
    let columns = rows.first?.count ?? 0
    require(rows.allSatisfy { $0.count == columns }, "Tensor: the rows differ in length")
    self.init(uninitialized: [rows.count, columns], Scalar.dataType)
    for (index, element) in rows.joined().enumerated() {
      pointer(Scalar.self)[index] = element
    }
  }

  /// A scalar, a tensor without axes.
  public convenience init<Scalar: TensorScalar>(_ value: Scalar) {
    self.init(uninitialized: [], Scalar.dataType)
    pointer(Scalar.self).pointee = value
  }

  /// A tensor with every element equal to `value`.
  public static func full(_ shape: TensorShape, _ value: Double, _ dataType: DataType = .float32)
    -> Tensor
  {
    let tensor = Tensor(uninitialized: shape, dataType)
    tensor.setAll(to: value)
    return tensor
  }

  /// A tensor of zeros.
  public static func zeros(_ shape: TensorShape, _ dataType: DataType = .float32) -> Tensor {
    full(shape, 0, dataType)
  }

  /// A tensor of ones.
  public static func ones(_ shape: TensorShape, _ dataType: DataType = .float32) -> Tensor {
    full(shape, 1, dataType)
  }

  /// The numbers 0, 1, …, `count - 1` along one axis.
  public static func arange(_ count: Int, _ dataType: DataType = .float32) -> Tensor {
    withoutGrad { Tensor((0..<count).map(Double.init)).converted(to: dataType) }
  }

  /// The identity matrix of `size` rows.
  public static func identity(_ size: Int, _ dataType: DataType = .float32) -> Tensor {
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
    elements.update(repeating: value, count: count)
  }
}
