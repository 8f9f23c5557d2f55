internal import CKernels

// Functions of the elements of two tensors, which broadcast to a common shape by NumPy's rules.
// Backward sums the gradients over the broadcast axes, so the pullbacks here need not.

infix operator .== : ComparisonPrecedence
infix operator .< : ComparisonPrecedence
infix operator .<= : ComparisonPrecedence
infix operator .> : ComparisonPrecedence
infix operator .>= : ComparisonPrecedence

typealias BinaryKernel<T, Result> =
  @Sendable (
    UnsafeMutablePointer<Result>?, UnsafePointer<T>?, UnsafePointer<T>?, Int, Int, Int, Int, Int,
    Int
  ) -> Void

/// The kernels of one function for each element type; comparisons give integers.
private struct BinaryKernels<Result32, Result64>: Sendable {
  var name: StaticString
  var f32: BinaryKernel<Float, Result32>
  var f64: BinaryKernel<Double, Result64>
  var i32: BinaryKernel<Int32, Int32>?
}

private let addition = BinaryKernels(name: "add", f32: ck_add_f32, f64: ck_add_f64, i32: ck_add_i32)
private let subtraction = BinaryKernels(
  name: "subtract", f32: ck_sub_f32, f64: ck_sub_f64, i32: ck_sub_i32)
private let multiplication = BinaryKernels(
  name: "multiply", f32: ck_mul_f32, f64: ck_mul_f64, i32: ck_mul_i32)
private let division = BinaryKernels(
  name: "divide", f32: ck_div_f32, f64: ck_div_f64, i32: ck_div_i32)
private let largest = BinaryKernels(
  name: "maximum", f32: ck_maximum_f32, f64: ck_maximum_f64, i32: ck_maximum_i32)
private let smallest = BinaryKernels(
  name: "minimum", f32: ck_minimum_f32, f64: ck_minimum_f64, i32: ck_minimum_i32)
private let power = BinaryKernels(name: "pow", f32: ck_pow_f32, f64: ck_pow_f64)
private let squaredDistance = BinaryKernels(
  name: "squaredDifference", f32: ck_squared_difference_f32, f64: ck_squared_difference_f64)
private let equality = BinaryKernels(
  name: ".==", f32: ck_equal_f32, f64: ck_equal_f64, i32: ck_equal_i32)
private let less = BinaryKernels(name: ".<", f32: ck_less_f32, f64: ck_less_f64, i32: ck_less_i32)
private let lessOrEqual = BinaryKernels(
  name: ".<=", f32: ck_less_equal_f32, f64: ck_less_equal_f64, i32: ck_less_equal_i32)

/// Applies a kernel to two tensors; the result is dense and outside the graph.
private func combined<Result32, Result64>(
  _ kernels: BinaryKernels<Result32, Result64>, _ a: Tensor, _ b: Tensor
) -> Tensor {
  require(
    a.dataType == b.dataType,
    "\(kernels.name): \(a.dataType) \(a.shape) and \(b.dataType) \(b.shape); convert one with converted(to:)"
  )
  guard let shape = Shape.broadcast(a.shape, b.shape) else {
    fatalError("\(kernels.name): the shapes \(a.shape) and \(b.shape) do not broadcast")
  }
  let resultType: DataType = Result32.self == Int32.self ? .int32 : a.dataType
  let y = Tensor(uninitialized: shape, resultType)
  switch a.dataType {
  case .float32: run(kernels.f32, y, a, a.f32, b, b.f32)
  case .float64: run(kernels.f64, y, a, a.f64, b, b.f64)
  case .int32:
    guard let kernel = kernels.i32 else { a.notForIntegers(kernels.name) }
    run(kernel, y, a, a.i32, b, b.i32)
  }
  return y
}

private func run<T, Result>(
  _ kernel: BinaryKernel<T, Result>, _ y: Tensor, _ a: Tensor, _ aElements: UnsafePointer<T>,
  _ b: Tensor, _ bElements: UnsafePointer<T>
) {
  let result = y.bytes.assumingMemoryBound(to: Result.self)
  if a.isContiguous, b.isContiguous, a.shape == b.shape {
    return kernel(result, aElements, bElements, 1, y.count, 0, 1, 0, 1)
  }
  let loop = StridedLoop(
    shape: y.shape, a.broadcastStrides(to: y.shape), b.broadcastStrides(to: y.shape))
  loop.forEachBlock { rows, cols, offsets in
    kernel(
      result + offsets[2], aElements + offsets[0], bElements + offsets[1], rows, cols,
      loop.rowStride(0), loop.columnStride(0), loop.rowStride(1), loop.columnStride(1))
  }
}

extension Tensor {
  /// The strides with which this tensor fills a larger shape: 0 along the axes that are repeated.
  final func broadcastStrides(to target: Shape) -> Shape {
    var result = Shape(repeating: 0, count: target.count)
    let added = target.count - shape.count
    for axis in 0..<shape.count where shape[axis] != 1 || target[axis + added] == 1 {
      result[axis + added] = strides[axis]
    }
    return result
  }

  /// A scalar of this tensor's type.
  final func scalar(_ value: Double) -> Tensor { .full([], value, dataType) }

  /// The sum, element by element.
  ///
  /// Its gradients are `dy` and `dy`.
  public static func + (a: Tensor, b: Tensor) -> Tensor {
    combined(addition, a, b).recorded("Add", from: a, b) { dy in [dy, dy] }
  }

  /// The difference, element by element.
  ///
  /// Its gradients are `dy` and `-dy`.
  public static func - (a: Tensor, b: Tensor) -> Tensor {
    let needsB = b.requiresGrad
    return combined(subtraction, a, b).recorded("Subtract", from: a, b) { dy in
      [dy, needsB ? -dy : nil]
    }
  }

  /// The product, element by element.
  ///
  /// Its gradients are `dy * b` and `dy * a`.
  public static func * (a: Tensor, b: Tensor) -> Tensor {
    let x = b.requiresGrad ? Saved(a, by: "Multiply") : nil
    let w = a.requiresGrad ? Saved(b, by: "Multiply") : nil
    return combined(multiplication, a, b).recorded("Multiply", from: a, b) { dy in
      [w.map { dy * $0() }, x.map { dy * $0() }]
    }
  }

  /// The quotient, element by element.
  ///
  /// Its gradients are `dy / b` and `-dy * a / b^2`.
  public static func / (a: Tensor, b: Tensor) -> Tensor {
    let x = b.requiresGrad ? Saved(a, by: "Divide") : nil
    let w = Saved(b, by: "Divide")
    let needsA = a.requiresGrad
    return combined(division, a, b).recorded("Divide", from: a, b) { dy in
      let w = w()
      return [needsA ? dy / w : nil, x.map { -dy * $0() / (w * w) }]
    }
  }

  /// The elements of x + c.
  public static func + (x: Tensor, c: Double) -> Tensor { x + x.scalar(c) }
  /// The elements of c + x.
  public static func + (c: Double, x: Tensor) -> Tensor { x.scalar(c) + x }
  /// The elements of x - c.
  public static func - (x: Tensor, c: Double) -> Tensor { x - x.scalar(c) }
  /// The elements of c - x.
  public static func - (c: Double, x: Tensor) -> Tensor { x.scalar(c) - x }
  /// The elements of x * c.
  public static func * (x: Tensor, c: Double) -> Tensor { x * x.scalar(c) }
  /// The elements of c * x.
  public static func * (c: Double, x: Tensor) -> Tensor { x.scalar(c) * x }
  /// The elements of x / c.
  public static func / (x: Tensor, c: Double) -> Tensor { x / x.scalar(c) }
  /// The elements of c / x.
  public static func / (c: Double, x: Tensor) -> Tensor { x.scalar(c) / x }

  /// Each element to the power of the other tensor's.
  ///
  /// The gradients are `dy * b * a^(b - 1)` (0 where b = 0) and `dy * a^b * log(a)` (0 where a = 0
  /// and b >= 0).
  public final func pow(_ exponent: Tensor) -> Tensor {
    let a = Saved(self, by: "Pow")
    let b = Saved(exponent, by: "Pow")
    let (needsA, needsB) = (requiresGrad, exponent.requiresGrad)
    return combined(power, self, exponent).recorded(
      "Pow", from: self, exponent,
      withResult: { dy, y in
        let (a, b) = (a(), b())
        return [
          needsA ? Tensor.where(b .== 0, 0, dy * b * a.pow(b - 1)) : nil,
          needsB ? Tensor.where((a .== 0) * (b .>= 0), 0, dy * y * a.log()) : nil,
        ]
      })
  }

  /// (a - b)^2, element by element.
  ///
  /// The gradients are `2 (a - b) dy` and its negative.
  public final func squaredDifference(_ other: Tensor) -> Tensor {
    let a = Saved(self, by: "SquaredDifference")
    let b = Saved(other, by: "SquaredDifference")
    let (needsA, needsB) = (requiresGrad, other.requiresGrad)
    return combined(squaredDistance, self, other).recorded("SquaredDifference", from: self, other) {
      dy in
      let da = 2 * dy * (a() - b())
      return [needsA ? da : nil, needsB ? -da : nil]
    }
  }

  /// The larger of two tensors, element by element; NaN where either is.
  ///
  /// The gradient goes to the larger one, half to each where they are equal.
  public static func maximum(_ a: Tensor, _ b: Tensor) -> Tensor {
    combined(largest, a, b).recordedChoice("Maximum", a, b) { $0 .> $1 }
  }

  /// The smaller of two tensors, element by element; NaN where either is.
  ///
  /// The gradient goes to the smaller one, half to each where they are equal.
  public static func minimum(_ a: Tensor, _ b: Tensor) -> Tensor {
    combined(smallest, a, b).recordedChoice("Minimum", a, b) { $0 .< $1 }
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
  public static func .== (a: Tensor, b: Tensor) -> Tensor { combined(equality, a, b) }
  /// 1 where a < b, else 0, as int32.
  public static func .< (a: Tensor, b: Tensor) -> Tensor { combined(less, a, b) }
  /// 1 where a <= b, else 0, as int32.
  public static func .<= (a: Tensor, b: Tensor) -> Tensor { combined(lessOrEqual, a, b) }
  /// 1 where a > b, else 0, as int32.
  public static func .> (a: Tensor, b: Tensor) -> Tensor { combined(less, b, a) }
  /// 1 where a >= b, else 0, as int32.
  public static func .>= (a: Tensor, b: Tensor) -> Tensor { combined(lessOrEqual, b, a) }
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

  /// The elements of `a` where `condition` is not 0, else those of `b`; all three broadcast.
  ///
  /// The gradient goes where the element was taken from.
  public static func `where`(_ condition: Tensor, _ a: Tensor, _ b: Tensor) -> Tensor {
    require(
      condition.dataType == .int32 && a.dataType == b.dataType,
      "where: the condition must be int32 and the choices of one type, not \(condition.dataType), \(a.dataType), \(b.dataType)"
    )
    guard let choices = Shape.broadcast(a.shape, b.shape),
      let shape = Shape.broadcast(condition.shape, choices)
    else {
      fatalError(
        "where: the shapes \(condition.shape), \(a.shape) and \(b.shape) do not broadcast")
    }
    let (c, x, y) = withoutGrad {
      (
        condition.expanded(to: shape).dense(), a.expanded(to: shape).dense(),
        b.expanded(to: shape).dense()
      )
    }
    let result = Tensor(uninitialized: shape, a.dataType)
    if a.dataType.byteCount == 4 {
      ck_where_b32(result.bytes, c.i32, x.bytes, y.bytes, result.count)
    } else {
      ck_where_b64(result.bytes, c.i32, x.bytes, y.bytes, result.count)
    }
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
