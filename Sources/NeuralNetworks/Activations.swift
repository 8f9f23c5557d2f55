public import TensorCore

/// The larger of x and 0.
public struct ReLU: Layer {
  /// A ReLU layer.
  public init() {}
  /// Applies the function.
  public func callAsFunction(_ x: Tensor) -> Tensor { x.relu() }
}

/// The logistic function, 1 / (1 + e^-x).
public struct Sigmoid: Layer {
  /// A sigmoid layer.
  public init() {}
  /// Applies the function.
  public func callAsFunction(_ x: Tensor) -> Tensor { x.sigmoid() }
}

/// The hyperbolic tangent.
public struct Tanh: Layer {
  /// A tanh layer.
  public init() {}
  /// Applies the function.
  public func callAsFunction(_ x: Tensor) -> Tensor { x.tanh() }
}

/// The softmax along an axis; by default, the last one.
public struct Softmax: Layer {
  /// The axis whose elements sum to 1.
  public let axis: Int
  /// A softmax layer.
  public init(axis: Int = -1) { self.axis = axis }
  /// Applies the function.
  public func callAsFunction(_ x: Tensor) -> Tensor { x.softmax(axis: axis) }
}

/// Each element times the probability that a standard normal variable is smaller.
public struct GELU: Layer {
  /// The approximation.
  public let approximate: GELUApproximation
  /// A GELU layer.
  public init(approximate: GELUApproximation = .none) { self.approximate = approximate }
  /// Applies the function.
  public func callAsFunction(_ x: Tensor) -> Tensor { x.gelu(approximate: approximate) }
}

/// x / (1 + e^-x).
public struct SiLU: Layer {
  /// A SiLU layer.
  public init() {}
  /// Applies the function.
  public func callAsFunction(_ x: Tensor) -> Tensor { x.silu() }
}

/// x where it is positive, else `slope` times x.
public struct LeakyReLU: Layer {
  /// The factor for negative elements.
  public let slope: Double
  /// A leaky ReLU layer.
  public init(slope: Double = 0.01) { self.slope = slope }
  /// Applies the function.
  public func callAsFunction(_ x: Tensor) -> Tensor { x.leakyRelu(slope: slope) }
}

/// x where it is positive, else alpha (e^x - 1).
public struct ELU: Layer {
  /// The negated limit of the function for very negative x.
  public let alpha: Double
  /// An ELU layer.
  public init(alpha: Double = 1) { self.alpha = alpha }
  /// Applies the function.
  public func callAsFunction(_ x: Tensor) -> Tensor { x.elu(alpha: alpha) }
}

/// log(1 + e^x).
public struct Softplus: Layer {
  /// A softplus layer.
  public init() {}
  /// Applies the function.
  public func callAsFunction(_ x: Tensor) -> Tensor { x.softplus() }
}
