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

/// The softmax along an axis, the last one by default.
public struct Softmax: Layer {
  /// The axis whose elements sum to 1.
  public let axis: Int
  /// A softmax layer.
  public init(axis: Int = -1) { self.axis = axis }
  /// Applies the function.
  public func callAsFunction(_ x: Tensor) -> Tensor { x.softmax(axis: axis) }
}
