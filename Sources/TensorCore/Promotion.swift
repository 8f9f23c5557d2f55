// The common type of two operands, by PyTorch's rules.

extension DataType {
  /// The type of the result of elements of two types, as in `torch.promote_types`: of the higher kind
  /// (bool, integer, floating point), and of two floating-point or integer types the wider.
  func promoted(with other: DataType) -> DataType {
    if self == other { return self }
    if category != other.category { return category > other.category ? self : other }
    return byteCount >= other.byteCount ? self : other
  }
}

extension Tensor {
  /// Two operands in one type.
  ///
  /// PyTorch's rule: a scalar, a tensor without axes, changes the type of one with axes only if it is of
  /// a higher kind.
  @inline(__always)
  static func promoted(_ a: Tensor, _ b: Tensor) -> (Tensor, Tensor) {
    a.dataType == b.dataType ? (a, b) : converted(a, b)
  }

  private static func converted(_ a: Tensor, _ b: Tensor) -> (Tensor, Tensor) {
    let type = resultType(a, b)
    return withoutGrad { (a.converted(to: type), b.converted(to: type)) }
  }

  /// The type of the result of an operation of two tensors.
  static func resultType(_ a: Tensor, _ b: Tensor) -> DataType {
    let (first, second) = (a.dataType, b.dataType)
    if a.shape.isEmpty != b.shape.isEmpty {
      if b.shape.isEmpty, second.category <= first.category { return first }
      if a.shape.isEmpty, first.category <= second.category { return second }
    }
    return first.promoted(with: second)
  }

  /// A number as a scalar operand beside this tensor: of its type if that holds fractions, else float32.
  final func scalar(_ value: Double) -> Tensor {
    .full([], value, dataType.isFloatingPoint ? dataType : .float32)
  }

  /// An integer as a scalar operand beside this tensor: of its type, or int64 beside truth values.
  final func scalar(_ value: Int) -> Tensor {
    switch dataType {
    case .bool: Tensor(value)
    case .int32: .full([], Double(Tensor.requireInt32(value)), .int32)
    case .int64: Tensor(value)
    default: .full([], Double(value), dataType)
    }
  }

  private static func requireInt32(_ value: Int) -> Int {
    require(
      Int32(exactly: value) != nil, "\(value) does not fit into int32; convert the tensor to int64")
    return value
  }
}
