internal import CKernels

// Smooth relatives of `relu`.

/// How `gelu` is computed.
public enum GELUApproximation: Sendable {
  /// By the error function.
  case none
  /// By the hyperbolic tangent, as in GPT-2.
  case tanh
}

private typealias ConstantKernel<T> = (
  UnsafeMutablePointer<T>?, UnsafePointer<T>?, Int, T
) -> Void
private typealias ConstantBackwardKernel<T> = (
  UnsafeMutablePointer<T>?, UnsafePointer<T>?, UnsafePointer<T>?, Int, T
) -> Void

extension Tensor {
  /// The error function of each element.
  ///
  /// The gradient is `dy * 2 / sqrt(pi) * exp(-x^2)`.
  public final func erf() -> Tensor {
    let x = Saved(self, by: "Erf")
    return mapped("erf", ck_erf_f32, ck_erf_f64).recorded("Erf", from: self) { dy in
      [dy * (2 / Double.pi.squareRoot()) * (-x().squared()).exp()]
    }
  }

  /// Each element times the probability that a normally distributed number is smaller, PyTorch's
  /// `gelu`.
  ///
  /// The gradient is `dy * (P(x) + x p(x))`, where p is the density that belongs to P.
  public final func gelu(approximate: GELUApproximation = .none) -> Tensor {
    switch approximate {
    case .none:
      smooth("Gelu", ck_gelu_f32, ck_gelu_f64, ck_gelu_backward_f32, ck_gelu_backward_f64) { x in
        let density = (-0.5 * x.squared()).exp() * (1 / (2 * Double.pi).squareRoot())
        return 0.5 * (1 + (x * 0.5.squareRoot()).erf()) + x * density
      }
    case .tanh:
      smooth(
        "GeluTanh", ck_gelu_tanh_f32, ck_gelu_tanh_f64, ck_gelu_tanh_backward_f32,
        ck_gelu_tanh_backward_f64
      ) { x in
        let factor = (8 / Double.pi).squareRoot()
        let gate = (factor * x * (1 + 0.044715 * x.squared())).sigmoid()
        return gate + x * gate * (1 - gate) * factor * (1 + 3 * 0.044715 * x.squared())
      }
    }
  }

  /// Each element times its logistic function, x / (1 + e^-x), also called swish.
  ///
  /// The gradient is `dy * s * (1 + x (1 - s))`, where s is the logistic function.
  public final func silu() -> Tensor {
    smooth("Silu", ck_silu_f32, ck_silu_f64, ck_silu_backward_f32, ck_silu_backward_f64) { x in
      let s = x.sigmoid()
      return s * (1 + x * (1 - s))
    }
  }

  /// log(1 + e^x) of each element, without overflow.
  ///
  /// The gradient is `dy / (1 + e^-x)`. PyTorch's function is x itself above 20; here it is exact.
  public final func softplus() -> Tensor {
    smooth(
      "Softplus", ck_softplus_f32, ck_softplus_f64, ck_softplus_backward_f32,
      ck_softplus_backward_f64
    ) { x in
      x.sigmoid()
    }
  }

  /// Each element where it is positive, else `slope` times it.
  ///
  /// The gradient is `dy` where x > 0, else `slope * dy`.
  public final func leakyRelu(slope: Double = 0.01) -> Tensor {
    withConstant(
      "LeakyRelu", slope, ck_leaky_relu_f32, ck_leaky_relu_f64, ck_leaky_relu_backward_f32,
      ck_leaky_relu_backward_f64
    ) { x, dy in
      Tensor.where(x .> 0, dy, slope * dy)
    }
  }

  /// Each element where it is positive, else `alpha * (e^x - 1)`.
  ///
  /// The gradient is `dy` where x > 0, else `alpha * e^x * dy`.
  public final func elu(alpha: Double = 1) -> Tensor {
    withConstant("Elu", alpha, ck_elu_f32, ck_elu_f64, ck_elu_backward_f32, ck_elu_backward_f64) {
      x, dy in
      // Positive elements are kept out of the exponential, which might overflow.
      Tensor.where(x .> 0, dy, alpha * x.clamped(-.infinity, 0).exp() * dy)
    }
  }

  /// A function of each element with a fused backward half; `slope` is its derivative in tensor
  /// operations.
  private func smooth(
    _ name: StaticString, _ f32: UnaryKernel<Float>, _ f64: UnaryKernel<Double>,
    _ f32Backward: @escaping BackwardKernel<Float>, _ f64Backward: @escaping BackwardKernel<Double>,
    slope: @escaping (Tensor) -> Tensor
  ) -> Tensor {
    let saved = Saved(self, by: name)
    return mapped(name, f32, f64).recorded(name, from: self) { dy in
      let x = saved()
      return isGradientEnabled ? [dy * slope(x)] : [dy.mapped(x, f32Backward, f64Backward)]
    }
  }

  private func withConstant(
    _ name: StaticString, _ constant: Double, _ f32: ConstantKernel<Float>,
    _ f64: ConstantKernel<Double>, _ f32Backward: @escaping ConstantBackwardKernel<Float>,
    _ f64Backward: @escaping ConstantBackwardKernel<Double>,
    composed: @escaping (_ x: Tensor, _ dy: Tensor) -> Tensor
  ) -> Tensor {
    let x = dense()
    let y = Tensor(uninitialized: shape, dataType)
    switch dataType {
    case .float32: f32(y.f32, x.f32, count, Float(constant))
    case .float64: f64(y.f64, x.f64, count, constant)
    case .int32: notForIntegers(name)
    }
    let saved = Saved(self, by: name)
    return y.recorded(name, from: self) { dy in
      if isGradientEnabled { return [composed(saved(), dy)] }
      let (x, dy) = (saved().dense(), dy.dense())
      let dx = Tensor(uninitialized: x.shape, x.dataType)
      if x.dataType == .float32 {
        f32Backward(dx.f32, dy.f32, x.f32, x.count, Float(constant))
      } else {
        f64Backward(dx.f64, dy.f64, x.f64, x.count, constant)
      }
      return [dx]
    }
  }
}
