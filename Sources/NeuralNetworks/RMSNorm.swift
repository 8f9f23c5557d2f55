public import TensorCore

/// Divides each sample by its root mean square over its last axes (Zhang and Sennrich, 2019).
///
/// PyTorch's `nn.RMSNorm`, and that of Llama.
public struct RMSNorm: Layer {
  /// The factor of each element; nil if not affine.
  public let weight: Parameter?
  /// The sizes of the axes that are normalized.
  public let normalizedShape: TensorShape
  /// The number added to the mean of the squares; nil for the distance from 1 to the next number.
  public let epsilon: Double?

  /// A layer over the last axes, whose sizes are `normalizedShape`, with weight 1.
  public init(_ normalizedShape: TensorShape, epsilon: Double? = nil, affine: Bool = true) {
    self.normalizedShape = normalizedShape
    self.epsilon = epsilon
    weight = affine ? Parameter(Initializer.ones(normalizedShape)) : nil
  }

  /// A layer over the last axis, of size `width`.
  public init(_ width: Int, epsilon: Double? = nil, affine: Bool = true) {
    self.init([width], epsilon: epsilon, affine: affine)
  }

  /// Applies the layer.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    x.rmsNorm(normalizedShape, weight: weight, epsilon: epsilon)
  }
}
