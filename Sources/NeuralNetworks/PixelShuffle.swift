public import TensorCore

/// Images `[N, C r², H, W]` as `[N, C, H r, W r]`, for a factor r.
public struct PixelShuffle: Layer {
  /// The factor by which rows and columns grow.
  public let factor: Int
  /// A layer with a factor.
  public init(_ factor: Int) { self.factor = factor }
  /// Applies the layer.
  public func callAsFunction(_ x: Tensor) -> Tensor { x.pixelShuffled(factor) }
}

/// Images `[N, C, H r, W r]` as `[N, C r², H, W]`, for a factor r.
public struct PixelUnshuffle: Layer {
  /// The factor by which rows and columns shrink.
  public let factor: Int
  /// A layer with a factor.
  public init(_ factor: Int) { self.factor = factor }
  /// Applies the layer.
  public func callAsFunction(_ x: Tensor) -> Tensor { x.pixelUnshuffled(factor) }
}
