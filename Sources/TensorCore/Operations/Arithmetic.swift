internal import CKernels

// Elementwise functions of two tensors, which are broadcast to a common shape by NumPy's rules. Backward
// sums gradients over the broadcast axes, so the pullbacks need not.

infix operator .== : ComparisonPrecedence
infix operator .< : ComparisonPrecedence
infix operator .<= : ComparisonPrecedence
infix operator .> : ComparisonPrecedence
infix operator .>= : ComparisonPrecedence

typealias BinaryKernel =
  @convention(c) (
    ck_type, UnsafeMutableRawPointer, UnsafeRawPointer, UnsafeRawPointer,
    UnsafePointer<ck_broadcast>
  ) -> Void
private typealias ComparisonKernel =
  @convention(c) (
    ck_type, UnsafeMutablePointer<Int32>, UnsafeRawPointer, UnsafeRawPointer,
    UnsafePointer<ck_broadcast>
  ) -> Void

/// The result of a kernel of two tensors: dense and outside the graph.
func combined(
  _ operation: StaticString, _ kernel: BinaryKernel, _ a: Tensor, _ b: Tensor
) -> Tensor {
  let (a, b) = Tensor.promoted(a, b)
  let shape = broadcast(operation, a, b)
  let y = Tensor(uninitialized: shape, resultOrder(shape, a, b), a.dataType)
  forEachBlock(y, a, b) { kernel(a.dataType.kernelType, $0, $1, $2, $3) }
  return y
}

/// The result of a comparison, as int32.
private func compared(
  _ operation: StaticString, _ kernel: ComparisonKernel, _ a: Tensor, _ b: Tensor
) -> Tensor {
  let (a, b) = Tensor.promoted(a, b)
  let shape = broadcast(operation, a, b)
  let y = Tensor(uninitialized: shape, resultOrder(shape, a, b), .int32)
  forEachBlock(y, a, b) {
    kernel(a.dataType.kernelType, $0.assumingMemoryBound(to: Int32.self), $1, $2, $3)
  }
  return y
}

/// The shape that two tensors of one type broadcast to.
private func broadcast(_ operation: StaticString, _ a: Tensor, _ b: Tensor) -> TensorShape {
  require(
    a.dataType == b.dataType,
    "\(operation): \(a.dataType) \(a.shape) and \(b.dataType) \(b.shape); convert one with converted(to:)"
  )
  guard let shape = TensorShape.broadcast(a.shape, b.shape) else {
    fatalError("\(operation): the shapes \(a.shape) and \(b.shape) do not broadcast")
  }
  return shape
}

/// The order of a result of this shape: channels last if an operand of the same shape lies so.
private func resultOrder(_ shape: TensorShape, _ a: Tensor, _ b: Tensor) -> MemoryOrder {
  guard shape.count == 4 else { return .rowMajor }
  let isLast = [a, b].contains { $0.memoryOrder == .channelsLast && $0.shape == shape }
  return isLast ? .channelsLast : .rowMajor
}

/// Calls `kernel` for the blocks of rows and columns of the dense `y` and of two operands that
/// broadcast to its shape.
private func forEachBlock(
  _ y: Tensor, _ a: Tensor, _ b: Tensor,
  _ kernel: (
    UnsafeMutableRawPointer, UnsafeRawPointer, UnsafeRawPointer, UnsafePointer<ck_broadcast>
  ) -> Void
) {
  if a.shape == b.shape, let order = y.memoryOrder, a.memoryOrder == order, b.memoryOrder == order {
    var block = ck_broadcast(rows: 1, cols: y.count, a_row: 0, a_col: 1, b_row: 0, b_col: 1)
    return kernel(y.bytes, a.bytes, b.bytes, &block)
  }
  let (aStrides, bStrides) = (a.broadcastStrides(to: y.shape), b.broadcastStrides(to: y.shape))
  let loop =
    y.memoryOrder == .channelsLast
    ? StridedLoop(
      shape: y.shape.channelsMovedToEnd, aStrides.channelsMovedToEnd, bStrides.channelsMovedToEnd)
    : StridedLoop(shape: y.shape, aStrides, bStrides)
  let (resultSize, size) = (y.dataType.byteCount, a.dataType.byteCount)
  loop.forEachBlock { rows, cols, offsets in
    var block = ck_broadcast(
      rows: rows, cols: cols, a_row: loop.rowStride(0), a_col: loop.columnStride(0),
      b_row: loop.rowStride(1), b_col: loop.columnStride(1))
    kernel(
      y.bytes + offsets[2] * resultSize, a.bytes + offsets[0] * size, b.bytes + offsets[1] * size,
      &block)
  }
}

extension Tensor {
  /// The strides of this tensor expanded to a larger shape: 0 along the broadcast axes.
  final func broadcastStrides(to target: TensorShape) -> TensorShape {
    var result = TensorShape(repeating: 0, count: target.count)
    let added = target.count - shape.count
    for axis in 0..<shape.count where shape[axis] != 1 || target[axis + added] == 1 {
      result[axis + added] = strides[axis]
    }
    return result
  }

  /// A scalar of this tensor's type.
  final func scalar(_ value: Double) -> Tensor { .full([], value, dataType) }

  /// The elementwise sum.
  ///
  /// The gradients are `dy` and `dy`.
  public static func + (a: Tensor, b: Tensor) -> Tensor {
    combined("add", ck_add, a, b).recorded("Add", from: a, b) { dy in [dy, dy] }
  }

  /// The elementwise difference.
  ///
  /// The gradients are `dy` and `-dy`.
  public static func - (a: Tensor, b: Tensor) -> Tensor {
    let needsB = b.requiresGrad
    return combined("subtract", ck_sub, a, b).recorded("Subtract", from: a, b) { dy in
      [dy, needsB ? -dy : nil]
    }
  }

  /// The elementwise product.
  ///
  /// The gradients are `dy * b` and `dy * a`.
  public static func * (a: Tensor, b: Tensor) -> Tensor {
    let x = b.requiresGrad ? Saved(a, by: "Multiply") : nil
    let w = a.requiresGrad ? Saved(b, by: "Multiply") : nil
    return combined("multiply", ck_mul, a, b).recorded("Multiply", from: a, b) { dy in
      [w.map { dy * $0() }, x.map { dy * $0() }]
    }
  }

  /// The elementwise quotient.
  ///
  /// The gradients are `dy / b` and `-dy * a / b^2`.
  public static func / (a: Tensor, b: Tensor) -> Tensor {
    let x = b.requiresGrad ? Saved(a, by: "Divide") : nil
    let w = Saved(b, by: "Divide")
    let needsA = a.requiresGrad
    return combined("divide", ck_div, a, b).recorded("Divide", from: a, b) { dy in
      let w = w()
      return [needsA ? dy / w : nil, x.map { -dy * $0() / (w * w) }]
    }
  }

  /// x + c, elementwise.
  public static func + (x: Tensor, c: Double) -> Tensor { x + x.scalar(c) }
  /// c + x, elementwise.
  public static func + (c: Double, x: Tensor) -> Tensor { x.scalar(c) + x }
  /// x - c, elementwise.
  public static func - (x: Tensor, c: Double) -> Tensor { x - x.scalar(c) }
  /// c - x, elementwise.
  public static func - (c: Double, x: Tensor) -> Tensor { x.scalar(c) - x }
  /// x * c, elementwise.
  public static func * (x: Tensor, c: Double) -> Tensor { x * x.scalar(c) }
  /// c * x, elementwise.
  public static func * (c: Double, x: Tensor) -> Tensor { x.scalar(c) * x }
  /// x / c, elementwise.
  public static func / (x: Tensor, c: Double) -> Tensor { x / x.scalar(c) }
  /// c / x, elementwise.
  public static func / (c: Double, x: Tensor) -> Tensor { x.scalar(c) / x }

  /// Each element to the power of the other tensor's.
  ///
  /// The gradients are `dy * b * a^(b - 1)` (0 where b = 0) and `dy * a^b * log(a)` (0 where a = 0
  /// and b >= 0).
  public final func pow(_ exponent: Tensor) -> Tensor {
    requireFloatingPoint("pow", self, exponent)
    let a = Saved(self, by: "Pow")
    let b = Saved(exponent, by: "Pow")
    let (needsA, needsB) = (requiresGrad, exponent.requiresGrad)
    return combined("pow", ck_pow, self, exponent).recorded(
      "Pow", from: self, exponent,
      withResult: { dy, y in
        let (a, b) = (a(), b())
        return [
          needsA ? Tensor.where(b .== 0, 0, dy * b * a.pow(b - 1)) : nil,
          needsB ? Tensor.where((a .== 0) * (b .>= 0), 0, dy * y * a.log()) : nil,
        ]
      })
  }

  /// (a - b)^2, elementwise.
  ///
  /// The gradients are `2 (a - b) dy` and its negative.
  public final func squaredDifference(_ other: Tensor) -> Tensor {
    requireFloatingPoint("squaredDifference", self, other)
    let a = Saved(self, by: "SquaredDifference")
    let b = Saved(other, by: "SquaredDifference")
    let (needsA, needsB) = (requiresGrad, other.requiresGrad)
    return combined("squaredDifference", ck_squared_difference, self, other).recorded(
      "SquaredDifference", from: self, other
    ) {
      dy in
      let da = 2 * dy * (a() - b())
      return [needsA ? da : nil, needsB ? -da : nil]
    }
  }

  /// The elementwise maximum; NaN where either is NaN.
  ///
  /// The gradient flows to the larger element, half to each if they are equal.
  public static func maximum(_ a: Tensor, _ b: Tensor) -> Tensor {
    combined("maximum", ck_maximum, a, b).recordedChoice("Maximum", a, b) { $0 .> $1 }
  }

  /// The elementwise minimum; NaN where either is NaN.
  ///
  /// The gradient flows to the smaller element, half to each if they are equal.
  public static func minimum(_ a: Tensor, _ b: Tensor) -> Tensor {
    combined("minimum", ck_minimum, a, b).recordedChoice("Minimum", a, b) { $0 .< $1 }
  }

  private func recordedChoice(
    _ name: StaticString, _ a: Tensor, _ b: Tensor,
    _ isChosen: @escaping (Tensor, Tensor) -> Tensor
  ) -> Tensor {
    let savedA = Saved(a, by: name)
    let savedB = Saved(b, by: name)
    return recorded(name, from: a, b) { dy in
      let (a, b) = (savedA(), savedB())
      let halves = Tensor.where(a .== b, dy * 0.5, 0)
      return [
        Tensor.where(isChosen(a, b), dy, halves), Tensor.where(isChosen(b, a), dy, halves),
      ]
    }
  }

  /// 1 where the elements are equal, else 0, as int32.
  public static func .== (a: Tensor, b: Tensor) -> Tensor { compared(".==", ck_equal, a, b) }
  /// 1 where a < b, else 0, as int32.
  public static func .< (a: Tensor, b: Tensor) -> Tensor { compared(".<", ck_less, a, b) }
  /// 1 where a <= b, else 0, as int32.
  public static func .<= (a: Tensor, b: Tensor) -> Tensor { compared(".<=", ck_less_equal, a, b) }
  /// 1 where a > b, else 0, as int32.
  public static func .> (a: Tensor, b: Tensor) -> Tensor { compared(".>", ck_less, b, a) }
  /// 1 where a >= b, else 0, as int32.
  public static func .>= (a: Tensor, b: Tensor) -> Tensor { compared(".>=", ck_less_equal, b, a) }
  /// 1 where the elements equal a constant, else 0, as int32.
  public static func .== (a: Tensor, c: Double) -> Tensor { a .== a.scalar(c) }
  /// 1 where a < c, else 0, as int32.
  public static func .< (a: Tensor, c: Double) -> Tensor { a .< a.scalar(c) }
  /// 1 where a <= c, else 0, as int32.
  public static func .<= (a: Tensor, c: Double) -> Tensor { a .<= a.scalar(c) }
  /// 1 where a > c, else 0, as int32.
  public static func .> (a: Tensor, c: Double) -> Tensor { a .> a.scalar(c) }
  /// 1 where a >= c, else 0, as int32.
  public static func .>= (a: Tensor, c: Double) -> Tensor { a .>= a.scalar(c) }

  /// The elements of `a` where `condition`, an int32 tensor, is not 0, else those of `b`; all three are
  /// broadcast.
  ///
  /// The gradient flows to the operand that was selected.
  public static func `where`(_ condition: Tensor, _ a: Tensor, _ b: Tensor) -> Tensor {
    require(
      condition.dataType == .int32 && a.dataType == b.dataType,
      "where: an int32 condition and two operands of one type are needed, not \(condition.dataType), \(a.dataType), \(b.dataType)"
    )
    guard let choices = TensorShape.broadcast(a.shape, b.shape),
      let shape = TensorShape.broadcast(condition.shape, choices)
    else {
      fatalError(
        "where: the shapes \(condition.shape), \(a.shape) and \(b.shape) do not broadcast")
    }
    let order = resultOrder(shape, a, b)
    let (c, x, y) = withoutGrad {
      (
        condition.expanded(to: shape).ordered(order), a.expanded(to: shape).ordered(order),
        b.expanded(to: shape).ordered(order)
      )
    }
    let result = Tensor(uninitialized: shape, order, a.dataType)
    ck_where(
      a.dataType.kernelType, result.bytes, c.pointer(Int32.self), x.bytes, y.bytes, result.count)
    let saved = Saved(condition, by: "Where")
    return result.recorded("Where", from: a, b) { dy in
      [Tensor.where(saved(), dy, 0), Tensor.where(saved(), 0, dy)]
    }
  }

  /// The elements of `a` where `condition` is not 0, else a constant.
  public static func `where`(_ condition: Tensor, _ a: Tensor, _ b: Double) -> Tensor {
    .where(condition, a, a.scalar(b))
  }

  /// A constant where `condition` is not 0, else the elements of `b`.
  public static func `where`(_ condition: Tensor, _ a: Double, _ b: Tensor) -> Tensor {
    .where(condition, b.scalar(a), b)
  }
}
