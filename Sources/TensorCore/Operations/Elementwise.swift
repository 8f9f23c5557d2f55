internal import CKernels

// Functions of each element of one tensor.

typealias UnaryKernel<T> = (UnsafeMutablePointer<T>?, UnsafePointer<T>?, Int) -> Void
typealias BackwardKernel<T> = (
  UnsafeMutablePointer<T>?, UnsafePointer<T>?, UnsafePointer<T>?, Int
) -> Void

extension Tensor {
  /// A kernel applied to every element; the result is dense and outside the graph.
  final func mapped(
    _ name: StaticString, _ f32Kernel: UnaryKernel<Float>, _ f64Kernel: UnaryKernel<Double>,
    _ i32Kernel: UnaryKernel<Int32>? = nil
  ) -> Tensor {
    let x = dense()
    let y = Tensor(uninitialized: shape, dataType)
    switch dataType {
    case .float32: f32Kernel(y.f32, x.f32, count)
    case .float64: f64Kernel(y.f64, x.f64, count)
    case .int32:
      guard let i32Kernel else { notForIntegers(name) }
      i32Kernel(y.i32, x.i32, count)
    }
    return y
  }

  /// A fused backward kernel of dy = self and the saved value, outside the graph.
  final func mapped(
    _ saved: Tensor, _ f32Kernel: BackwardKernel<Float>, _ f64Kernel: BackwardKernel<Double>
  ) -> Tensor {
    let dy = dense()
    let s = saved.dense()
    let dx = Tensor(uninitialized: shape, dataType)
    if dataType == .float32 {
      f32Kernel(dx.f32, dy.f32, s.f32, count)
    } else {
      f64Kernel(dx.f64, dy.f64, s.f64, count)
    }
    return dx
  }

  final func notForIntegers(_ name: StaticString) -> Never {
    fatalError(
      "\(name): a floating-point tensor is needed, this \(shape) is int32; convert it first")
  }

  /// The negative of each element.
  ///
  /// The gradient is `-dy`.
  public static prefix func - (x: Tensor) -> Tensor {
    x.mapped("negate", ck_neg_f32, ck_neg_f64, ck_neg_i32).recorded("Negate", from: x) { dy in
      [-dy]
    }
  }

  /// The magnitude of each element.
  ///
  /// The gradient is `dy * sign(x)`, 0 at 0.
  public final func abs() -> Tensor {
    let x = Saved(self, by: "Abs")
    return mapped("abs", ck_abs_f32, ck_abs_f64, ck_abs_i32).recorded("Abs", from: self) { dy in
      [dy * x().sign()]
    }
  }

  /// The sign of each element: -1, 0 or 1.
  ///
  /// Not differentiable.
  public final func sign() -> Tensor { mapped("sign", ck_sign_f32, ck_sign_f64) }

  /// The largest whole number not above each element.
  ///
  /// Not differentiable.
  public final func floor() -> Tensor { mapped("floor", ck_floor_f32, ck_floor_f64) }

  /// The nearest whole number, halves to even.
  ///
  /// Not differentiable.
  public final func rounded() -> Tensor { mapped("rounded", ck_round_f32, ck_round_f64) }

  /// The square of each element.
  ///
  /// The gradient is `2 x dy`.
  public final func squared() -> Tensor {
    let x = Saved(self, by: "Square")
    return mapped("squared", ck_square_f32, ck_square_f64).recorded("Square", from: self) { dy in
      [2 * x() * dy]
    }
  }

  /// The square root of each element.
  ///
  /// The gradient is `dy / (2 sqrt(x))`.
  public final func sqrt() -> Tensor {
    mapped("sqrt", ck_sqrt_f32, ck_sqrt_f64).recorded(
      "Sqrt", from: self,
      withResult: { dy, y in
        [dy / (2 * y)]
      })
  }

  /// The reciprocal of each element, 1 / x.
  ///
  /// The gradient is `-dy / x^2`.
  public final func reciprocal() -> Tensor {
    mapped("reciprocal", ck_reciprocal_f32, ck_reciprocal_f64).recorded(
      "Reciprocal", from: self, withResult: { dy, y in [-dy * y * y] })
  }

  /// The exponential of each element.
  ///
  /// The gradient is `dy * exp(x)`.
  public final func exp() -> Tensor {
    mapped("exp", ck_exp_f32, ck_exp_f64).recorded(
      "Exp", from: self,
      withResult: { dy, y in
        [dy * y]
      })
  }

  /// The natural logarithm of each element.
  ///
  /// The gradient is `dy / x`.
  public final func log() -> Tensor {
    let x = Saved(self, by: "Log")
    return mapped("log", ck_log_f32, ck_log_f64).recorded("Log", from: self) { dy in [dy / x()] }
  }

  /// The sine of each element, in radians.
  ///
  /// The gradient is `dy * cos(x)`.
  public final func sin() -> Tensor {
    let x = Saved(self, by: "Sin")
    return mapped("sin", ck_sin_f32, ck_sin_f64).recorded("Sin", from: self) { dy in
      [dy * x().cos()]
    }
  }

  /// The cosine of each element, in radians.
  ///
  /// The gradient is `-dy * sin(x)`.
  public final func cos() -> Tensor {
    let x = Saved(self, by: "Cos")
    return mapped("cos", ck_cos_f32, ck_cos_f64).recorded("Cos", from: self) { dy in
      [-dy * x().sin()]
    }
  }

  /// The hyperbolic tangent of each element.
  ///
  /// The gradient is `dy * (1 - tanh(x)^2)`.
  public final func tanh() -> Tensor {
    mapped("tanh", ck_tanh_f32, ck_tanh_f64).recorded(
      "Tanh", from: self,
      withResult: { dy, y in
        isGradientEnabled
          ? [dy * (1 - y * y)] : [dy.mapped(y, ck_tanh_backward_f32, ck_tanh_backward_f64)]
      })
  }

  /// The logistic function of each element, 1 / (1 + e^-x).
  ///
  /// The gradient is `dy * y * (1 - y)`.
  public final func sigmoid() -> Tensor {
    mapped("sigmoid", ck_sigmoid_f32, ck_sigmoid_f64).recorded(
      "Sigmoid", from: self,
      withResult: { dy, y in
        isGradientEnabled
          ? [dy * y * (1 - y)]
          : [dy.mapped(y, ck_sigmoid_backward_f32, ck_sigmoid_backward_f64)]
      })
  }

  /// The larger of each element and 0.
  ///
  /// The gradient is `dy` where x > 0, else 0.
  public final func relu() -> Tensor {
    mapped("relu", ck_relu_f32, ck_relu_f64).recorded(
      "Relu", from: self,
      withResult: { dy, y in
        isGradientEnabled
          ? [dy * y.sign()] : [dy.mapped(y, ck_relu_backward_f32, ck_relu_backward_f64)]
      })
  }

  /// Each element, kept between `low` and `high`.
  ///
  /// The gradient is `dy` where low <= x <= high, else 0.
  public final func clamped(_ low: Double = -.infinity, _ high: Double = .infinity) -> Tensor {
    let x = dense()
    let y = Tensor(uninitialized: shape, dataType)
    switch dataType {
    case .float32: ck_clamp_f32(y.f32, x.f32, count, Float(low), Float(high))
    case .float64: ck_clamp_f64(y.f64, x.f64, count, low, high)
    case .int32: notForIntegers("clamped")
    }
    let saved = Saved(self, by: "Clamp")
    return y.recorded("Clamp", from: self) { dy in
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
    let x = dense()
    let y = Tensor(uninitialized: shape, dataType)
    switch dataType {
    case .float32: ck_pow_scalar_f32(y.f32, x.f32, count, Float(exponent))
    case .float64: ck_pow_scalar_f64(y.f64, x.f64, count, exponent)
    case .int32: notForIntegers("pow")
    }
    let saved = Saved(self, by: "Pow")
    return y.recorded("Pow", from: self) { dy in
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
    let y = Tensor(uninitialized: shape, target)
    switch (dataType, target) {
    case (.float32, .float64): ck_convert_f32_f64(y.f64, x.f32, count)
    case (.float64, .float32): ck_convert_f64_f32(y.f32, x.f64, count)
    case (.int32, .float32): ck_convert_i32_f32(y.f32, x.i32, count)
    case (.int32, .float64): ck_convert_i32_f64(y.f64, x.i32, count)
    case (.float32, .int32): ck_convert_f32_i32(y.i32, x.f32, count)
    case (.float64, .int32): ck_convert_f64_i32(y.i32, x.f64, count)
    default: fatalError("unreachable: the types differ")
    }
    guard target.isFloatingPoint else { return y }
    let source = dataType
    return y.recorded("Convert", from: self) { dy in [dy.converted(to: source)] }
  }
}
