public import TensorCore

/// Zeroes elements with probability p in training mode and scales the others by 1 / (1 - p); does
/// nothing in evaluation mode.
///
/// The first axis of the input counts samples. The mask of a sample does not depend on the rank that
/// processes it.
public struct Dropout: Layer {
  /// The probability that an element is zeroed, in 0..<1.
  public let probability: Double

  /// A dropout layer; PyTorch's default is 0.5.
  public init(_ probability: Double = 0.5) {
    require(
      probability >= 0 && probability < 1, "Dropout: the probability \(probability) is not in 0..<1"
    )
    self.probability = probability
  }

  /// Applies the layer.
  public func callAsFunction(_ x: Tensor) -> Tensor { x.dropout(probability) }
}
