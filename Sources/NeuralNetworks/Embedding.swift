public import TensorCore

/// A table of vectors, looked up by int32 indices: `[...]` becomes `[..., width]`.
public struct Embedding: Layer {
  /// The vectors, `[count, width]` as in PyTorch.
  public let weight: Parameter

  /// A table with PyTorch's default initialization, the standard normal distribution.
  public init(_ count: Int, _ width: Int) {
    weight = Parameter(Initializer.normal([count, width], std: 1))
  }

  /// A table with the given vectors, `[count, width]`.
  public init(weight: Tensor) { self.weight = Parameter(weight) }

  /// The vectors at `indices`.
  public func callAsFunction(_ indices: Tensor) -> Tensor { weight.embedding(indices) }
}
