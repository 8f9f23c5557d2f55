internal import CKernels

// Activation functions: each with a fused backward kernel.

/// How `gelu` is computed.
public enum GELUApproximation: Sendable {
  /// With the error function.
  case none
  /// With the hyperbolic tangent, as in GPT-2.
  case tanh
}

extension Tensor {
  /// The larger of each element and 0.
  ///
  /// The gradient is `dy` where x > 0 or NaN, else 0.
  public final func relu() -> Tensor {
    mapped("relu", ck_relu).recorded(
      "Relu", from: self,
      withResult: { dy, y in
        fused {
          [dy.mapped(ck_relu_backward, y)]
        } composed: {
          [Tensor.where(y .<= 0, 0, dy)]
        }
      })
  }

  /// The logistic function of each element, 1 / (1 + e^-x).
  ///
  /// The gradient is `dy * y * (1 - y)`.
  public final func sigmoid() -> Tensor {
    mapped("sigmoid", ck_sigmoid).recorded(
      "Sigmoid", from: self,
      withResult: { dy, y in
        fused {
          [dy.mapped(ck_sigmoid_backward, y)]
        } composed: {
          [dy * y * (1 - y)]
        }
      })
  }

  /// The hyperbolic tangent of each element.
  ///
  /// The gradient is `dy * (1 - tanh(x)^2)`.
  public final func tanh() -> Tensor {
    mapped("tanh", ck_tanh).recorded(
      "Tanh", from: self,
      withResult: { dy, y in
        fused {
          [dy.mapped(ck_tanh_backward, y)]
        } composed: {
          [dy * (1 - y * y)]
        }
      })
  }

  /// The error function of each element.
  ///
  /// The gradient is `dy * 2 / sqrt(pi) * exp(-x^2)`.
  public final func erf() -> Tensor {
    let x = Saved(self, by: "Erf")
    return mapped("erf", ck_erf).recorded("Erf", from: self) { dy in
      [dy * (2 / Double.pi.squareRoot()) * (-x().squared()).exp()]
    }
  }

  /// Each element times the probability that a standard normal variable is smaller, PyTorch's
  /// `gelu`.
  ///
  /// The gradient is `dy * (P(x) + x p(x))`, where P is that probability and p the density.
  public final func gelu(approximate: GELUApproximation = .none) -> Tensor {
    switch approximate {
    case .none:
      activated("Gelu", ck_gelu, ck_gelu_backward) { x in
        let density = (-0.5 * x.squared()).exp() * (1 / (2 * Double.pi).squareRoot())
        return 0.5 * (1 + (x * 0.5.squareRoot()).erf()) + x * density
      }
    case .tanh:
      activated("GeluTanh", ck_gelu_tanh, ck_gelu_tanh_backward) { x in
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
    activated("Silu", ck_silu, ck_silu_backward) { x in
      let s = x.sigmoid()
      return s * (1 + x * (1 - s))
    }
  }

  /// log(1 + e^x) of each element, without overflow.
  ///
  /// The gradient is `dy / (1 + e^-x)`. PyTorch returns x itself above 20; this is exact.
  public final func softplus() -> Tensor {
    activated("Softplus", ck_softplus, ck_softplus_backward) { x in x.sigmoid() }
  }

  /// Each element where it is positive, else `slope` times it.
  ///
  /// The gradient is `dy` where x > 0, else `slope * dy`.
  public final func leakyRelu(slope: Double = 0.01) -> Tensor {
    requireFloatingPoint("leakyRelu", self)
    let saved = Saved(self, by: "LeakyRelu")
    return mapped { ck_leaky_relu($0, $1, $2, $3, slope) }.recorded("LeakyRelu", from: self) { dy in
      let x = saved()
      return fused {
        [dy.mapped(with: x) { ck_leaky_relu_backward($0, $1, $2, $3, $4, slope) }]
      } composed: {
        [Tensor.where(x .> 0, dy, slope * dy)]
      }
    }
  }

  /// Each element where it is positive, else `alpha * (e^x - 1)`.
  ///
  /// The gradient is `dy` where x > 0, else `alpha * e^x * dy`.
  public final func elu(alpha: Double = 1) -> Tensor {
    requireFloatingPoint("elu", self)
    let saved = Saved(self, by: "Elu")
    return mapped { ck_elu($0, $1, $2, $3, alpha) }.recorded("Elu", from: self) { dy in
      let x = saved()
      return fused {
        [dy.mapped(with: x) { ck_elu_backward($0, $1, $2, $3, $4, alpha) }]
      } composed: {
        // Positive elements are kept out of the exponential, which might overflow.
        [Tensor.where(x .> 0, dy, alpha * x.clamped(-.infinity, 0).exp() * dy)]
      }
    }
  }

  /// A function of each element with a fused backward kernel; `slope` is its derivative, composed
  /// of tensor operations.
  private func activated(
    _ name: StaticString, _ forward: UnaryKernel, _ backward: @escaping BackwardKernel,
    slope: @escaping (Tensor) -> Tensor
  ) -> Tensor {
    let saved = Saved(self, by: name)
    return mapped(name, forward).recorded(name, from: self) { dy in
      let x = saved()
      return fused {
        [dy.mapped(backward, x)]
      } composed: {
        [dy * slope(x)]
      }
    }
  }
}
