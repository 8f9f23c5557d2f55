internal import CKernels

// Functions of each element of one tensor.

typealias UnaryKernel =
  @convention(c) (
    ck_type, UnsafeMutableRawPointer, UnsafeRawPointer, Int
  ) -> Void
typealias BackwardKernel =
  @convention(c) (
    ck_type, UnsafeMutableRawPointer, UnsafeRawPointer, UnsafeRawPointer, Int
  ) -> Void

extension Tensor {
  /// The result of a kernel that `body` applies to these elements: dense, in their order if they are dense,
  /// and outside the graph.
  final func mapped(
    _ body: (_ type: ck_type, _ y: UnsafeMutableRawPointer, _ x: UnsafeRawPointer, _ count: Int)
      -> Void
  ) -> Tensor {
    let x = dense()
    let y = Tensor(uninitialized: shape, x.memoryOrder!, dataType)
    body(dataType.kernelType, y.bytes, x.bytes, count)
    return y
  }

  /// The result of a kernel for floating-point elements.
  final func mapped(_ operation: StaticString, _ kernel: UnaryKernel) -> Tensor {
    requireFloatingPoint(operation, self)
    return mapped { kernel($0, $1, $2, $3) }
  }

  /// The result of a backward kernel that `body` applies to this gradient and a saved value.
  final func mapped(
    with saved: Tensor,
    _ body: (
      _ type: ck_type, _ dx: UnsafeMutableRawPointer, _ dy: UnsafeRawPointer,
      _ saved: UnsafeRawPointer, _ count: Int
    ) -> Void
  ) -> Tensor {
    let saved = saved.dense()
    let order = saved.memoryOrder!
    let dy = ordered(order)
    let dx = Tensor(uninitialized: shape, order, dataType)
    body(dataType.kernelType, dx.bytes, dy.bytes, saved.bytes, count)
    return dx
  }

  /// The result of a backward kernel of this gradient and a saved value.
  final func mapped(_ kernel: BackwardKernel, _ saved: Tensor) -> Tensor {
    mapped(with: saved) { kernel($0, $1, $2, $3, $4) }
  }

  /// The negative of each element.
  ///
  /// The gradient is `-dy`.
  public static prefix func - (x: Tensor) -> Tensor {
    x.mapped { ck_neg($0, $1, $2, $3) }.recorded("Negate", from: x, savesNothing: true) { dy in
      [-dy]
    }
  }

  /// The absolute value of each element.
  ///
  /// The gradient is `dy * sign(x)`, 0 at 0.
  public final func abs() -> Tensor {
    let x = Saved(self, by: "Abs")
    return mapped { ck_abs($0, $1, $2, $3) }.recorded("Abs", from: self) { dy in
      [dy * x().sign()]
    }
  }

  /// The sign of each element: -1, 0 or 1.
  ///
  /// Not differentiable.
  public final func sign() -> Tensor { mapped("sign", ck_sign) }

  /// The largest integer not above each element.
  ///
  /// Not differentiable.
  public final func floor() -> Tensor { mapped("floor", ck_floor) }

  /// The nearest integer, ties to even.
  ///
  /// Not differentiable.
  public final func rounded() -> Tensor { mapped("rounded", ck_round) }

  /// The square of each element.
  ///
  /// The gradient is `2 x dy`.
  public final func squared() -> Tensor {
    let x = Saved(self, by: "Square")
    return mapped("squared", ck_square).recorded("Square", from: self) { dy in [2 * x() * dy] }
  }

  /// The square root of each element.
  ///
  /// The gradient is `dy / (2 sqrt(x))`.
  public final func sqrt() -> Tensor {
    mapped("sqrt", ck_sqrt).recorded("Sqrt", from: self, withResult: { dy, y in [dy / (2 * y)] })
  }

  /// The reciprocal of each element, 1 / x.
  ///
  /// The gradient is `-dy / x^2`.
  public final func reciprocal() -> Tensor {
    mapped("reciprocal", ck_reciprocal).recorded(
      "Reciprocal", from: self, withResult: { dy, y in [-dy * y * y] })
  }

  /// The exponential of each element.
  ///
  /// The gradient is `dy * exp(x)`.
  public final func exp() -> Tensor {
    mapped("exp", ck_exp).recorded("Exp", from: self, withResult: { dy, y in [dy * y] })
  }

  /// The natural logarithm of each element.
  ///
  /// The gradient is `dy / x`.
  public final func log() -> Tensor {
    let x = Saved(self, by: "Log")
    return mapped("log", ck_log).recorded("Log", from: self) { dy in [dy / x()] }
  }

  /// The sine of each element, in radians.
  ///
  /// The gradient is `dy * cos(x)`.
  public final func sin() -> Tensor {
    let x = Saved(self, by: "Sin")
    return mapped("sin", ck_sin).recorded("Sin", from: self) { dy in [dy * x().cos()] }
  }

  /// The cosine of each element, in radians.
  ///
  /// The gradient is `-dy * sin(x)`.
  public final func cos() -> Tensor {
    let x = Saved(self, by: "Cos")
    return mapped("cos", ck_cos).recorded("Cos", from: self) { dy in [-dy * x().sin()] }
  }

  /// Each element, limited to the range from `low` to `high`.
  ///
  /// The gradient is `dy` where low <= x <= high, else 0.
  public final func clamped(_ low: Double = -.infinity, _ high: Double = .infinity) -> Tensor {
    requireFloatingPoint("clamped", self)
    let saved = Saved(self, by: "Clamp")
    return mapped { ck_clamp($0, $1, $2, $3, low, high) }.recorded("Clamp", from: self) { dy in
      let x = saved()
      let inside = (x .>= low) * (x .<= high)
      return [Tensor.where(inside, dy, 0)]
    }
  }

  /// Each element to the power of a constant.
  ///
  /// The gradient is `exponent * x^(exponent - 1) * dy`, 0 for the exponent 0.
  public final func pow(_ exponent: Double) -> Tensor {
    if exponent == 2 { return squared() }
    requireFloatingPoint("pow", self)
    let saved = Saved(self, by: "Pow")
    return mapped { ck_pow_scalar($0, $1, $2, $3, exponent) }.recorded("Pow", from: self) { dy in
      exponent == 0 ? [dy * 0] : [exponent * saved().pow(exponent - 1) * dy]
    }
  }

  /// The elements as another type.
  ///
  /// Integers are truncated towards zero.
  ///
  /// The gradient is `dy`, converted back; none flows through integers.
  public final func converted(to target: DataType) -> Tensor {
    guard target != dataType else { return self }
    let x = dense()
    let y = Tensor(uninitialized: shape, x.memoryOrder!, target)
    ck_convert(target.kernelType, y.bytes, dataType.kernelType, x.bytes, count)
    guard target.isFloatingPoint else { return y }
    let source = dataType
    return y.recorded("Convert", from: self, savesNothing: true) { dy in [dy.converted(to: source)]
    }
  }
}
