public import TensorCore

/// Merges all axes but the first: `[N, C, H, W]` becomes `[N, C * H * W]`.
public struct Flatten: Layer {
  /// The first of the axes that are merged.
  public let axis: Int
  /// A flattening layer.
  public init(from axis: Int = 1) { self.axis = axis }
  /// Applies the layer.
  public func callAsFunction(_ x: Tensor) -> Tensor { x.flattened(from: axis) }
}
