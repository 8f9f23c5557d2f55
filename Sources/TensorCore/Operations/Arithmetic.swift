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
    ck_type, UnsafeMutablePointer<UInt8>, UnsafeRawPointer, UnsafeRawPointer,
    UnsafePointer<ck_broadcast>
  ) -> Void

/// The result of a kernel of two tensors, or that of another one for bool: dense and outside the graph.
func combined(
  _ operation: StaticString, _ kernel: BinaryKernel, ofBool: BinaryKernel? = nil, _ a: Tensor,
  _ b: Tensor
) -> Tensor {
  let (a, b) = Tensor.promoted(a, b)
  let shape = broadcast(operation, a, b)
  let y = Tensor(uninitialized: shape, resultOrder(shape, a, b), a.dataType)
  let kernel = a.dataType == .bool ? ofBool ?? kernel : kernel
  forEachBlock(y, a, b) { kernel(a.dataType.kernelType, $0, $1, $2, $3) }
  return y
}

/// The result of a comparison, as bool.
private func compared(
  _ operation: StaticString, _ kernel: ComparisonKernel, _ a: Tensor, _ b: Tensor
) -> Tensor {
  let (a, b) = Tensor.promoted(a, b)
  let shape = broadcast(operation, a, b)
  let y = Tensor(uninitialized: shape, resultOrder(shape, a, b), .bool)
  forEachBlock(y, a, b) {
    kernel(a.dataType.kernelType, $0.assumingMemoryBound(to: UInt8.self), $1, $2, $3)
  }
  return y
}

/// The shape that two tensors broadcast to.
private func broadcast(_ operation: StaticString, _ a: Tensor, _ b: Tensor) -> TensorShape {
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

  /// The elementwise sum; of two bool tensors "or".
  ///
  /// The gradients are `dy` and `dy`.
  public static func + (a: Tensor, b: Tensor) -> Tensor {
    combined("add", ck_add, ofBool: ck_maximum, a, b)
      .recorded("Add", from: a, b, savesNothing: true) { dy in [dy, dy] }
  }

  /// The elementwise difference.
  ///
  /// The gradients are `dy` and `-dy`.
  public static func - (a: Tensor, b: Tensor) -> Tensor {
    require(
      !areBool(a, b),
      "subtract: bool \(a.shape) and \(b.shape) have no difference; use .!= or converted(to:)")
    let needsB = b.requiresGrad
    return combined("subtract", ck_sub, a, b).recorded("Subtract", from: a, b, savesNothing: true) {
      dy in
      [dy, needsB ? -dy : nil]
    }
  }

  /// The elementwise product; of two bool tensors "and".
  ///
  /// The gradients are `dy * b` and `dy * a`.
  public static func * (a: Tensor, b: Tensor) -> Tensor {
    let x = b.requiresGrad ? Saved(a, by: "Multiply") : nil
    let w = a.requiresGrad ? Saved(b, by: "Multiply") : nil
    return combined("multiply", ck_mul, ofBool: ck_minimum, a, b).recorded("Multiply", from: a, b) {
      dy in
      [w.map { dy * $0() }, x.map { dy * $0() }]
    }
  }

  /// The elementwise quotient; of integers as float32.
  ///
  /// The gradients are `dy / b` and `-(dy / b) * (a / b)`.
  public static func / (a: Tensor, b: Tensor) -> Tensor {
    let (a, b) = (a.dividend(beside: b), b.dividend(beside: a))
    let needsA = a.requiresGrad
    let saved = b.requiresGrad ? Saved(a, by: "Divide") : nil
    let w = Saved(b, by: "Divide")
    return combined("divide", ck_div, a, b).recorded("Divide", from: a, b) { dy in
      let w = w()
      let da = dy / w
      guard let saved else { return [da, nil] }
      return [needsA ? da : nil, -da * (saved() / w)]
    }
  }

  /// This operand of a division, as float32 if neither operand has fractions.
  private final func dividend(beside other: Tensor) -> Tensor {
    dataType.isFloatingPoint || other.dataType.isFloatingPoint ? self : converted(to: .float32)
  }

  private static func areBool(_ a: Tensor, _ b: Tensor) -> Bool {
    a.dataType == .bool && b.dataType == .bool
  }

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
  /// The gradient flows to the larger element, half to each if they are equal, and to both if one is NaN.
  public static func maximum(_ a: Tensor, _ b: Tensor) -> Tensor {
    combined("maximum", ck_maximum, a, b).recordedChoice("Maximum", a, b) { $0 .< $1 }
  }

  /// The elementwise minimum; NaN where either is NaN.
  ///
  /// The gradient flows to the smaller element, half to each if they are equal, and to both if one is NaN.
  public static func minimum(_ a: Tensor, _ b: Tensor) -> Tensor {
    combined("minimum", ck_minimum, a, b).recordedChoice("Minimum", a, b) { $0 .> $1 }
  }

  private func recordedChoice(
    _ name: StaticString, _ a: Tensor, _ b: Tensor,
    _ isLeft: @escaping (Tensor, Tensor) -> Tensor
  ) -> Tensor {
    let savedA = Saved(a, by: name)
    let savedB = Saved(b, by: name)
    return recorded(name, from: a, b) { dy in
      let (a, b) = (savedA(), savedB())
      let shares = Tensor.where(a .== b, dy * 0.5, dy)
      return [
        Tensor.where(isLeft(a, b), 0, shares), Tensor.where(isLeft(b, a), 0, shares),
      ]
    }
  }

  /// Whether the elements are equal, as bool.
  public static func .== (a: Tensor, b: Tensor) -> Tensor { compared(".==", ck_equal, a, b) }
  /// Whether a < b, as bool.
  public static func .< (a: Tensor, b: Tensor) -> Tensor { compared(".<", ck_less, a, b) }
  /// Whether a <= b, as bool.
  public static func .<= (a: Tensor, b: Tensor) -> Tensor { compared(".<=", ck_less_equal, a, b) }
  /// Whether a > b, as bool.
  public static func .> (a: Tensor, b: Tensor) -> Tensor { compared(".>", ck_less, b, a) }
  /// Whether a >= b, as bool.
  public static func .>= (a: Tensor, b: Tensor) -> Tensor { compared(".>=", ck_less_equal, b, a) }

  /// The elements of `a` where `condition` holds, else those of `b`; all three are broadcast.
  ///
  /// `condition` is bool, or integers of which those that are not 0 hold; `a` and `b` are brought to one
  /// type.
  ///
  /// The gradient flows to the operand that was selected.
  public static func `where`(_ condition: Tensor, _ a: Tensor, _ b: Tensor) -> Tensor {
    require(
      !condition.dataType.isFloatingPoint,
      "where: a bool condition is needed, not \(condition.dataType) \(condition.shape); write a comparison"
    )
    let condition = condition.converted(to: .bool)
    let sources = (a, b)
    let (a, b) = promoted(a, b)
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
      a.dataType.kernelType, result.bytes, c.bytes.assumingMemoryBound(to: UInt8.self), x.bytes,
      y.bytes, result.count)
    let saved = Saved(condition, by: "Where")
    return result.recorded("Where", from: sources.0, sources.1) { dy in
      [Tensor.where(saved(), dy, 0), Tensor.where(saved(), 0, dy)]
    }
  }
}
