public import TensorCore

/// A table of vectors, looked up by int32 indices: `[...]` becomes `[..., width]`.
public struct Embedding: Layer {
  /// The vectors, `[count, width]` as in PyTorch.
  public let weight: Parameter
  /// The index that stands for padding, whose vector gets no gradient.
  public let paddingIndex: Int?

  /// A table with PyTorch's default initialization, the standard normal distribution.
  ///
  /// The vector of `paddingIndex` starts as zeros and gets no gradient; an index below 0 counts from the
  /// end.
  public init(_ count: Int, _ width: Int, paddingIndex: Int? = nil) {
    let vectors = Initializer.normal([count, width], std: 1)
    self.paddingIndex = Embedding.checked(paddingIndex, count)
    if let index = self.paddingIndex, ShapesOnly.current == nil {
      withoutGrad { vectors[index].assign(.zeros([width])) }
    }
    weight = Parameter(vectors)
  }

  /// A table with the given vectors, `[count, width]`; that of `paddingIndex` gets no gradient.
  public init(weight: Tensor, paddingIndex: Int? = nil) {
    self.weight = Parameter(weight)
    self.paddingIndex = Embedding.checked(paddingIndex, weight.shape[0])
  }

  private static func checked(_ paddingIndex: Int?, _ count: Int) -> Int? {
    guard let paddingIndex else { return nil }
    require(
      -count..<count ~= paddingIndex,
      "Embedding: the padding index \(paddingIndex) is out of range for \(count) vectors")
    return paddingIndex < 0 ? paddingIndex + count : paddingIndex
  }

  /// The vectors at `indices`.
  public func callAsFunction(_ indices: Tensor) -> Tensor {
    let y = weight.embedding(indices)
    guard let paddingIndex else { return y }
    let isPadding = withoutGrad { (indices .== Double(paddingIndex)).unsqueezed(axis: -1) }
    return Tensor.where(isPadding, y.detached(), y)
  }
}
