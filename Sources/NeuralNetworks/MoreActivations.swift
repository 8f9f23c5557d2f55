public import TensorCore

/// The input itself.
public struct Identity: Layer {
  /// A layer that does nothing.
  public init() {}
  /// Returns `x`.
  public func callAsFunction(_ x: Tensor) -> Tensor { x }
}

/// Each element, limited to the range from 0 to 6.
public struct ReLU6: Layer {
  /// A ReLU6 layer.
  public init() {}
  /// Applies the function.
  public func callAsFunction(_ x: Tensor) -> Tensor { x.relu6() }
}

/// Each element, limited to a range.
public struct Hardtanh: Layer {
  /// The smallest result.
  public let min: Double
  /// The largest result.
  public let max: Double
  /// A hardtanh layer.
  public init(min: Double = -1, max: Double = 1) { (self.min, self.max) = (min, max) }
  /// Applies the function.
  public func callAsFunction(_ x: Tensor) -> Tensor { x.hardtanh(min: min, max: max) }
}

/// relu6(x + 3) / 6.
public struct Hardsigmoid: Layer {
  /// A hardsigmoid layer.
  public init() {}
  /// Applies the function.
  public func callAsFunction(_ x: Tensor) -> Tensor { x.hardsigmoid() }
}

/// x relu6(x + 3) / 6.
public struct Hardswish: Layer {
  /// A hardswish layer.
  public init() {}
  /// Applies the function.
  public func callAsFunction(_ x: Tensor) -> Tensor { x.hardswish() }
}

/// x tanh(log(1 + e^x)).
public struct Mish: Layer {
  /// A mish layer.
  public init() {}
  /// Applies the function.
  public func callAsFunction(_ x: Tensor) -> Tensor { x.mish() }
}

/// The scaled exponential linear unit of self-normalizing networks.
public struct SELU: Layer {
  /// A SELU layer.
  public init() {}
  /// Applies the function.
  public func callAsFunction(_ x: Tensor) -> Tensor { x.selu() }
}

/// x where it is positive, else alpha (e^(x / alpha) - 1).
public struct CELU: Layer {
  /// The negated limit of the function for very negative x.
  public let alpha: Double
  /// A CELU layer.
  public init(alpha: Double = 1) { self.alpha = alpha }
  /// Applies the function.
  public func callAsFunction(_ x: Tensor) -> Tensor { x.celu(alpha: alpha) }
}

/// -log(1 + e^-x), the logarithm of the logistic function.
public struct LogSigmoid: Layer {
  /// A log-sigmoid layer.
  public init() {}
  /// Applies the function.
  public func callAsFunction(_ x: Tensor) -> Tensor { x.logSigmoid() }
}

/// x / (1 + |x|).
public struct Softsign: Layer {
  /// A softsign layer.
  public init() {}
  /// Applies the function.
  public func callAsFunction(_ x: Tensor) -> Tensor { x.softsign() }
}

/// x, 0 where |x| is at most lambda.
public struct Hardshrink: Layer {
  /// The limit below which elements become 0.
  public let lambda: Double
  /// A hardshrink layer.
  public init(lambda: Double = 0.5) { self.lambda = lambda }
  /// Applies the function.
  public func callAsFunction(_ x: Tensor) -> Tensor { x.hardshrink(lambda: lambda) }
}

/// x moved by lambda towards 0.
public struct Softshrink: Layer {
  /// The limit below which elements become 0.
  public let lambda: Double
  /// A softshrink layer.
  public init(lambda: Double = 0.5) { self.lambda = lambda }
  /// Applies the function.
  public func callAsFunction(_ x: Tensor) -> Tensor { x.softshrink(lambda: lambda) }
}

/// x - tanh(x).
public struct Tanhshrink: Layer {
  /// A tanhshrink layer.
  public init() {}
  /// Applies the function.
  public func callAsFunction(_ x: Tensor) -> Tensor { x.tanhshrink() }
}

/// x where it is above a threshold, else a constant.
public struct Threshold: Layer {
  /// The threshold.
  public let threshold: Double
  /// What elements at or below the threshold become.
  public let value: Double
  /// A threshold layer.
  public init(_ threshold: Double, value: Double) {
    (self.threshold, self.value) = (threshold, value)
  }
  /// Applies the function.
  public func callAsFunction(_ x: Tensor) -> Tensor { x.threshold(threshold, value: value) }
}

/// The first half of an axis times the logistic function of the second half.
public struct GLU: Layer {
  /// The axis that is halved.
  public let axis: Int
  /// A gated linear unit.
  public init(axis: Int = -1) { self.axis = axis }
  /// Applies the function.
  public func callAsFunction(_ x: Tensor) -> Tensor { x.glu(axis: axis) }
}

/// The logarithm of the softmax along an axis; by default, the last one.
public struct LogSoftmax: Layer {
  /// The axis.
  public let axis: Int
  /// A log-softmax layer.
  public init(axis: Int = -1) { self.axis = axis }
  /// Applies the function.
  public func callAsFunction(_ x: Tensor) -> Tensor { x.logSoftmax(axis: axis) }
}

/// x where it is positive, else a learned weight times x: one weight, or one for each channel
/// (axis 1).
public struct PReLU: Layer {
  /// The weights, `[1]` or `[channels]`.
  public let weight: Parameter
  /// A PReLU layer, whose weights start at 0.25 as in PyTorch.
  public init(_ channels: Int = 1, initial: Double = 0.25) {
    weight = Parameter(Initializer.constant([channels], initial))
  }
  /// Applies the function.
  public func callAsFunction(_ x: Tensor) -> Tensor { x.prelu(weight) }
}
