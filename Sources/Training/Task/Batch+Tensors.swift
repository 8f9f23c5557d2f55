import DataLoading
import TensorCore

extension Batch {
  /// The inputs of some of this batch's samples: float32 numbers or int32 tokens,
  /// `[samples] + inputShape`.
  ///
  /// Samples are named by their positions in the epoch, which lie in `positions`.
  func inputs(_ positions: Range<Int>) -> Tensor {
    switch inputKind {
    case .numbers: withInputs { tensor($0, inputShape, positions) }
    case .tokens: withTokens { tensor($0, inputShape, positions) }
    }
  }

  /// The targets of some of this batch's samples: int32 labels or float32 values.
  func targets(_ positions: Range<Int>) -> Tensor {
    switch targetKind {
    case .classes, .tokens: withLabels { tensor($0, targetShape, positions) }
    case .values: withValues { tensor($0, targetShape, positions) }
    }
  }

  /// The second labels of mixed samples, and the shares of the first ones; nil unless labels are mixed.
  func mixedTargets(_ positions: Range<Int>) -> (labels: Tensor, shares: Tensor)? {
    guard mixesLabels else { return nil }
    return (
      withMixedLabels { tensor($0, [count], positions) },
      withLabelShares { tensor($0, [count], positions) }
    )
  }

  private func tensor<Scalar: TensorScalar>(
    _ buffer: UnsafeBufferPointer<Scalar>, _ shape: [Int], _ positions: Range<Int>
  ) -> Tensor {
    require(
      self.positions.lowerBound <= positions.lowerBound
        && positions.upperBound <= self.positions.upperBound,
      "Batch: samples \(positions) are needed, this batch has \(self.positions)")
    let size = shape.dropFirst().reduce(1, *)
    let first = (positions.lowerBound - self.positions.lowerBound) * size
    return .copying(
      buffer.extracting(first..<first + positions.count * size),
      shape: TensorShape([positions.count] + shape.dropFirst()))
  }
}
