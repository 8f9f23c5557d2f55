internal import CKernels

// Mathematical functions of two tensors, which are broadcast, or of a tensor and a number.

extension Tensor {
  /// The elementwise maximum; NaN where either is NaN.
  ///
  /// The gradient flows to the larger element, half to each if they are equal.
  public final func maximum(_ other: Tensor) -> Tensor { .maximum(self, other) }
  /// The larger of each element and a number.
  public final func maximum(_ other: Double) -> Tensor { .maximum(self, scalar(other)) }
  /// The larger of each element and a number.
  public static func maximum(_ a: Tensor, _ b: Double) -> Tensor { .maximum(a, a.scalar(b)) }
  /// The elementwise minimum; NaN where either is NaN.
  ///
  /// The gradient flows to the smaller element, half to each if they are equal.
  public final func minimum(_ other: Tensor) -> Tensor { .minimum(self, other) }
  /// The smaller of each element and a number.
  public final func minimum(_ other: Double) -> Tensor { .minimum(self, scalar(other)) }
  /// The smaller of each element and a number.
  public static func minimum(_ a: Tensor, _ b: Double) -> Tensor { .minimum(a, a.scalar(b)) }

  /// Each element, limited to the range from `low` to `high`, which are tensors that may broadcast.
  ///
  /// The gradient is `dy` where low <= x <= high, 0 where x is NaN; where a bound was taken, it flows
  /// to the bound.
  public final func clamped(_ low: Tensor?, _ high: Tensor?) -> Tensor {
    let x = Tensor.where(withoutGrad { self .== self }, self, detached())
    let raised = low.map { low in Tensor.where(withoutGrad { x .< low }, low, x) } ?? x
    return high.map { high in Tensor.where(withoutGrad { raised .> high }, high, raised) } ?? raised
  }

  /// The angle of the point (`x`, self) in -pi...pi, PyTorch's `atan2(y, x)`.
  ///
  /// The gradients are `dy x / (x^2 + y^2)` and `-dy y / (x^2 + y^2)`.
  public final func atan2(_ x: Tensor) -> Tensor {
    requireFloatingPoint("atan2", self, x)
    let (savedY, savedX) = (Saved(self, by: "Atan2"), Saved(x, by: "Atan2"))
    return combined("atan2", ck_atan2, self, x).recorded("Atan2", from: self, x) { d in
      let (y, x) = (savedY(), savedX())
      let scaled = d / (x * x + y * y)
      return [scaled * x, -scaled * y]
    }
  }

  /// sqrt(a^2 + b^2), elementwise, without overflow.
  ///
  /// The gradients are `dy a / y` and `dy b / y`, 0 where y is 0.
  public final func hypot(_ other: Tensor) -> Tensor {
    requireFloatingPoint("hypot", self, other)
    let (a, b) = (Saved(self, by: "Hypot"), Saved(other, by: "Hypot"))
    return combined("hypot", ck_hypot, self, other).recorded(
      "Hypot", from: self, other,
      withResult: { dy, y in
        let scaled = dy / Tensor.where(withoutGrad { y .== 0 }, 1, y)
        return [scaled * a(), scaled * b()]
      })
  }

  /// The rest of the division by `divisor`, with the sign of the divisor: PyTorch's and Python's `%`.
  ///
  /// The gradients are `dy` and `-dy floor(a / b)`.
  public final func remainder(_ divisor: Tensor) -> Tensor {
    rest("Remainder", divisor, ck_remainder) { $0.floorDivided(by: $1) }
  }

  /// The rest of the division by a number, with the number's sign.
  public final func remainder(_ divisor: Double) -> Tensor { remainder(scalar(divisor)) }

  /// The rest of the division by `divisor`, with the sign of the dividend: PyTorch's and C's `fmod`.
  ///
  /// The gradients are `dy` and `-dy trunc(a / b)`.
  public final func fmod(_ divisor: Tensor) -> Tensor {
    rest("Fmod", divisor, ck_fmod) { ($0 / $1).trunc() }
  }

  /// The rest of the division by a number, with the dividend's sign.
  public final func fmod(_ divisor: Double) -> Tensor { fmod(scalar(divisor)) }

  private func rest(
    _ name: StaticString, _ divisor: Tensor, _ kernel: BinaryKernel,
    _ quotient: @escaping (Tensor, Tensor) -> Tensor
  ) -> Tensor {
    if !divisor.dataType.isFloatingPoint {
      require(
        withoutGrad { (divisor .== 0).converted(to: .int32).sum().item() } == 0,
        "\(name): an integer divisor is 0")
    }
    let (a, b) = (Saved(self, by: name), Saved(divisor, by: name))
    return combined(name, kernel, self, divisor).recorded(name, from: self, divisor) { dy in
      [dy, -dy * withoutGrad { quotient(a(), b()) }]
    }
  }

  /// The quotient rounded down to an integer, PyTorch's `//`.
  ///
  /// Not differentiable.
  public final func floorDivided(by divisor: Tensor) -> Tensor {
    withoutGrad {
      let rest = fmod(divisor)
      let isBelow = (rest .!= 0) .& ((divisor .< 0) .!= (rest .< 0))
      let towardsZero = (self - rest) / divisor
      let quotient = Tensor.where(isBelow, towardsZero - 1, towardsZero)
      return rest.dataType.isFloatingPoint
        ? quotient.rounded() : quotient.rounded().converted(to: rest.dataType)
    }
  }

  /// a + weight (b - a): on the way from these elements to those of `end`.
  ///
  /// The gradients are `(1 - weight) dy` and `weight dy`.
  public final func lerp(_ end: Tensor, _ weight: Double) -> Tensor {
    // As in PyTorch, exact at both ends.
    weight < 0.5 ? self + weight * (end - self) : end - (end - self) * (1 - weight)
  }

  /// a + weight (b - a), with a weight for each element.
  ///
  /// The gradients are `(1 - weight) dy`, `weight dy` and `(b - a) dy`.
  public final func lerp(_ end: Tensor, _ weight: Tensor) -> Tensor { self + weight * (end - self) }

  /// x + scale * a * b.
  public final func addcmul(_ a: Tensor, _ b: Tensor, scale: Double = 1) -> Tensor {
    self + (scale == 1 ? a * b : scale * a * b)
  }

  /// x + scale * a / b.
  public final func addcdiv(_ a: Tensor, _ b: Tensor, scale: Double = 1) -> Tensor {
    self + (scale == 1 ? a / b : scale * a / b)
  }

  /// x log(y), 0 where x is 0 (unless y is NaN).
  ///
  /// The gradients are `dy log(y)`, 0 where x is 0, and `dy x / y`.
  public final func xlogy(_ other: Tensor) -> Tensor {
    let isZero = withoutGrad {
      Tensor.where(self .== 0, (other .== other).converted(to: .int32), 0) .== 1
    }
    let y = Tensor.where(isZero, 1, other)
    return Tensor.where(isZero, 0, self * y.log())
  }

  /// log(e^a + e^b), without overflow.
  ///
  /// The gradients are `dy e^(a - y)` and `dy e^(b - y)`.
  public final func logAddExp(_ other: Tensor) -> Tensor {
    let (a, b) = (Saved(self, by: "LogAddExp"), Saved(other, by: "LogAddExp"))
    let y = withoutGrad {
      let largest = Tensor.maximum(self, other)
      let distance = Tensor.where(self .== other, 0, -(self - other).abs())
      return largest + distance.exp().log1p()
    }
    return y.recorded(
      "LogAddExp", from: self, other,
      withResult: { dy, y in
        func share(_ x: Tensor) -> Tensor {
          let isSame = withoutGrad { x .== y }  // both may be infinite
          return dy * Tensor.where(isSame, 0, x - y).exp()
        }
        return [share(a()), share(b())]
      })
  }

  /// 0 where x < 0, `value` where x is 0, 1 where x > 0: PyTorch's `heaviside`.
  ///
  /// Not differentiable.
  public final func heaviside(_ value: Tensor) -> Tensor {
    withoutGrad { Tensor.where(self .== 0, value, (self .> 0).converted(to: dataType)) }
  }

  /// The size of each element with the sign of the other's.
  ///
  /// The gradient is `dy` or `-dy`, 0 at 0.
  public final func copysign(_ other: Tensor) -> Tensor {
    let isNegative = withoutGrad { Tensor.where(other .== 0, 1 / other, other) .< 0 }
    return Tensor.where(isNegative, -abs(), abs())
  }
}

// MARK: - Comparing numbers

extension Tensor {
  /// Where elements are NaN.
  public final func isNaN() -> Tensor { withoutGrad { (self .== self) .== 0 } }

  /// Where elements are infinite.
  public final func isInfinite() -> Tensor {
    withoutGrad { dataType.isFloatingPoint ? abs() .== Double.infinity : self .< self }
  }

  /// Where elements are neither NaN nor infinite.
  public final func isFinite() -> Tensor {
    withoutGrad { dataType.isFloatingPoint ? abs() .< Double.infinity : self .== self }
  }

  /// Where |a - b| <= absolute + relative * |b|, or both are equal; with `equalNaN`, or both are NaN.
  public final func isClose(
    to other: Tensor, relative: Double = 1e-5, absolute: Double = 1e-8, equalNaN: Bool = false
  ) -> Tensor {
    withoutGrad {
      let type: DataType =
        dataType == .float64 || other.dataType == .float64 || !dataType.isFloatingPoint
        ? .float64 : .float32
      let (a, b) = (converted(to: type), other.converted(to: type))
      let limit = absolute + relative * b.abs()
      let isNear = Tensor.where(b.abs() .< Double.infinity, ((a - b).abs() .<= limit), a .== b)
      return equalNaN ? Tensor.where(b .== b, isNear, a.isNaN()) : isNear
    }
  }

  /// Whether all elements are close to those of `other`, as by `isClose`.
  public final func allClose(
    to other: Tensor, relative: Double = 1e-5, absolute: Double = 1e-8, equalNaN: Bool = false
  ) -> Bool {
    let isNear = isClose(
      to: other, relative: relative, absolute: absolute, equalNaN: equalNaN)
    return isNear.count == 0 || isNear.converted(to: .int32).min().item() == 1
  }

  /// Whether shape, type and all elements are equal; NaN is not equal to itself.
  public final func isEqual(to other: Tensor) -> Bool {
    guard shape == other.shape, dataType == other.dataType else { return false }
    return withoutGrad {
      count == 0 || (self .== other).converted(to: .int32).min().item() == 1
    }
  }
}
