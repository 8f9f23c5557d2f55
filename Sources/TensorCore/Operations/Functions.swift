internal import CKernels

// Mathematical functions of each element of one tensor.

extension Tensor {
  /// 1 / sqrt(x) of each element.
  ///
  /// The gradient is `-dy y^3 / 2`.
  public final func rsqrt() -> Tensor {
    mapped("rsqrt", ck_rsqrt).recorded(
      "Rsqrt", from: self, withResult: { dy, y in [-0.5 * dy * y * y * y] })
  }

  /// log(1 + x) of each element, exact near 0.
  ///
  /// The gradient is `dy / (1 + x)`.
  public final func log1p() -> Tensor {
    differentiable("Log1p", ck_log1p) { dy, x in dy / (1 + x) }
  }

  /// e^x - 1 of each element, exact near 0.
  ///
  /// The gradient is `dy e^x`.
  public final func expm1() -> Tensor {
    mapped("expm1", ck_expm1).recorded(
      "Expm1", from: self, withResult: { dy, y in [dy * (y + 1)] })
  }

  /// The logarithm to base 2 of each element.
  ///
  /// The gradient is `dy / (x ln 2)`.
  public final func log2() -> Tensor {
    differentiable("Log2", ck_log2) { dy, x in dy / (x * 0.693147180559945309) }
  }

  /// The logarithm to base 10 of each element.
  ///
  /// The gradient is `dy / (x ln 10)`.
  public final func log10() -> Tensor {
    differentiable("Log10", ck_log10) { dy, x in dy / (x * 2.30258509299404568) }
  }

  /// 2^x of each element.
  ///
  /// The gradient is `dy y ln 2`.
  public final func exp2() -> Tensor { (self * 0.693147180559945309).exp() }

  /// The smallest integer not below each element.
  ///
  /// Not differentiable.
  public final func ceil() -> Tensor {
    dataType.isFloatingPoint ? mapped("ceil", ck_ceil) : self
  }

  /// Each element without its fraction: the nearest integer towards 0.
  ///
  /// Not differentiable.
  public final func trunc() -> Tensor {
    dataType.isFloatingPoint ? mapped("trunc", ck_trunc) : self
  }

  /// The fraction of each element, with its sign.
  ///
  /// The gradient is `dy`.
  public final func frac() -> Tensor { self - trunc() }

  /// The tangent of each element, in radians.
  ///
  /// The gradient is `dy (1 + y^2)`.
  public final func tan() -> Tensor {
    mapped("tan", ck_tan).recorded("Tan", from: self, withResult: { dy, y in [dy * (1 + y * y)] })
  }

  /// The angle in -pi/2...pi/2 whose sine each element is.
  ///
  /// The gradient is `dy / sqrt(1 - x^2)`.
  public final func asin() -> Tensor {
    differentiable("Asin", ck_asin) { dy, x in dy * (1 - x * x).rsqrt() }
  }

  /// The angle in 0...pi whose cosine each element is.
  ///
  /// The gradient is `-dy / sqrt(1 - x^2)`.
  public final func acos() -> Tensor {
    differentiable("Acos", ck_acos) { dy, x in -dy * (1 - x * x).rsqrt() }
  }

  /// The angle in -pi/2...pi/2 whose tangent each element is.
  ///
  /// The gradient is `dy / (1 + x^2)`.
  public final func atan() -> Tensor {
    differentiable("Atan", ck_atan) { dy, x in dy / (1 + x * x) }
  }

  /// The hyperbolic sine of each element.
  ///
  /// The gradient is `dy cosh(x)`.
  public final func sinh() -> Tensor {
    differentiable("Sinh", ck_sinh) { dy, x in dy * x.cosh() }
  }

  /// The hyperbolic cosine of each element.
  ///
  /// The gradient is `dy sinh(x)`.
  public final func cosh() -> Tensor {
    differentiable("Cosh", ck_cosh) { dy, x in dy * x.sinh() }
  }

  /// The number whose hyperbolic sine each element is.
  ///
  /// The gradient is `dy / sqrt(x^2 + 1)`.
  public final func asinh() -> Tensor {
    differentiable("Asinh", ck_asinh) { dy, x in dy * (x * x + 1).rsqrt() }
  }

  /// The positive number whose hyperbolic cosine each element is.
  ///
  /// The gradient is `dy / sqrt(x^2 - 1)`.
  public final func acosh() -> Tensor {
    differentiable("Acosh", ck_acosh) { dy, x in dy * (x * x - 1).rsqrt() }
  }

  /// The number whose hyperbolic tangent each element is.
  ///
  /// The gradient is `dy / (1 - x^2)`.
  public final func atanh() -> Tensor {
    differentiable("Atanh", ck_atanh) { dy, x in dy / (1 - x * x) }
  }

  /// 1 - erf(x) of each element, exact for large ones.
  ///
  /// The gradient is `-dy * 2 / sqrt(pi) * exp(-x^2)`.
  public final func erfc() -> Tensor {
    differentiable("Erfc", ck_erfc) { dy, x in
      dy * (-2 / Double.pi.squareRoot()) * (-x.squared()).exp()
    }
  }

  /// The number whose error function each element is.
  ///
  /// The gradient is `dy * sqrt(pi) / 2 * exp(y^2)`.
  public final func erfinv() -> Tensor {
    mapped("erfinv", ck_erfinv).recorded(
      "Erfinv", from: self,
      withResult: { dy, y in [dy * (Double.pi.squareRoot() / 2) * y.squared().exp()] })
  }

  /// log |gamma(x)| of each element.
  ///
  /// The gradient is `dy digamma(x)`.
  public final func lgamma() -> Tensor {
    differentiable("Lgamma", ck_lgamma) { dy, x in dy * x.digamma() }
  }

  /// The derivative of log gamma of each element.
  ///
  /// The gradient is `dy polygamma(1)`.
  public final func digamma() -> Tensor { polygamma(0) }

  /// The derivative of the given order of `digamma`, of each element.
  ///
  /// The gradient is `dy polygamma(order + 1)`.
  public final func polygamma(_ order: Int) -> Tensor {
    require(order >= 0, "polygamma: order \(order)")
    requireFloatingPoint("polygamma", self)
    let x = Saved(self, by: "Polygamma")
    return mapped { ck_polygamma($0, $1, $2, $3, order) }.recorded("Polygamma", from: self) { dy in
      [dy * x().polygamma(order + 1)]
    }
  }

  /// log(p / (1 - p)) of each element: the inverse of `sigmoid`.
  ///
  /// The gradient is `dy / (p (1 - p))`.
  public final func logit() -> Tensor { (self / (1 - self)).log() }

  /// sin(pi x) / (pi x) of each element, 1 at 0.
  ///
  /// The gradient is `dy (cos(pi x) - y) / x`, 0 at 0.
  public final func sinc() -> Tensor {
    let isZero = withoutGrad { self .== 0 }
    let angle = Tensor.where(isZero, 1, self * Double.pi)
    return Tensor.where(isZero, 1, angle.sin() / angle)
  }

  /// The angle in radians of each element in degrees.
  public final func degreesToRadians() -> Tensor { self * (Double.pi / 180) }

  /// The angle in degrees of each element in radians.
  public final func radiansToDegrees() -> Tensor { self * (180 / Double.pi) }

  /// These elements, but the given numbers instead of NaN and the infinities; by default the largest
  /// numbers of the type.
  ///
  /// The gradient is `dy` where an element is finite, else 0.
  public final func nanToNum(
    nan: Double = 0, positiveInfinity: Double? = nil, negativeInfinity: Double? = nil
  ) -> Tensor {
    guard dataType.isFloatingPoint else { return self }
    let largest =
      switch dataType {
      case .float64: Double.greatestFiniteMagnitude
      case .bfloat16: 0x1.FEp127
      default: Double(Float.greatestFiniteMagnitude)
      }
    let x = self
    let isNumber = withoutGrad { x .== x }
    let (isHigh, isLow) = withoutGrad { (x .== Double.infinity, x .== -Double.infinity) }
    let finite = Tensor.where(isNumber, Tensor.where(isHigh, positiveInfinity ?? largest, x), nan)
    return Tensor.where(isLow, negativeInfinity ?? -largest, finite)
  }

  /// The result of a kernel whose gradient is a function of `dy` and these elements.
  private func differentiable(
    _ name: StaticString, _ kernel: UnaryKernel,
    _ gradient: @escaping (_ dy: Tensor, _ x: Tensor) -> Tensor
  ) -> Tensor {
    let x = Saved(self, by: name)
    return mapped(name, kernel).recorded(name, from: self) { dy in [gradient(dy, x())] }
  }
}
