public import TensorCore

/// The sum, mean or maximum of the vectors at several int32 indices: bags `[N, count]` become `[N, width]`.
public struct EmbeddingBag: Layer {
  /// How the vectors of a bag become one.
  public enum Mode: Sendable {
    /// Their sum.
    case sum
    /// Their mean, PyTorch's default.
    case mean
    /// The largest of each component.
    case max
  }

  /// The vectors, `[count, width]`.
  public let weight: Parameter
  /// How the vectors of a bag become one.
  public let mode: Mode

  /// A table with PyTorch's default initialization, the standard normal distribution.
  public init(_ count: Int, _ width: Int, mode: Mode = .mean) {
    weight = Parameter(Initializer.normal([count, width], std: 1))
    self.mode = mode
  }

  /// The vectors of bags `[N, count]` of equal size.
  public func callAsFunction(_ indices: Tensor) -> Tensor {
    require(
      indices.shape.count == 2, "EmbeddingBag: indices [N, count] are needed, not \(indices.shape)")
    let vectors = weight.embedding(indices)
    return switch mode {
    case .sum: vectors.sum(axes: [1])
    case .mean: vectors.mean(axes: [1])
    case .max: vectors.max(axes: [1])
    }
  }
}
