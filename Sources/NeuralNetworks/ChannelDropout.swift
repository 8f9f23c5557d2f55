public import TensorCore

private func check(_ probability: Double, _ name: String) {
  require(
    probability >= 0 && probability < 1, "\(name): the probability \(probability) is not in 0..<1")
}

/// Zeroes channels of samples `[N, C, ...]` with probability p in training mode and scales the others by
/// 1 / (1 - p); does nothing in evaluation mode.
///
/// This is PyTorch's `Dropout1d`, `Dropout2d` and `Dropout3d` in one. As with `Dropout`, the mask of a sample does not depend on the rank that processes it.
public struct Dropout2d: Layer {
  /// The probability that a channel is zeroed, in 0..<1.
  public let probability: Double

  /// A dropout layer; PyTorch's default is 0.5.
  public init(_ probability: Double = 0.5) {
    check(probability, "Dropout2d")
    self.probability = probability
  }

  /// Applies the layer.
  public func callAsFunction(_ x: Tensor) -> Tensor { x.channelDropout(probability) }
}

/// `Dropout2d` for samples `[N, C, L]`.
public typealias Dropout1d = Dropout2d
/// `Dropout2d` for samples `[N, C, D, H, W]`.
public typealias Dropout3d = Dropout2d

/// Dropout that keeps mean and variance of activations behind `SELU`.
public struct AlphaDropout: Layer {
  /// The probability that an element is dropped, in 0..<1.
  public let probability: Double

  /// A dropout layer; PyTorch's default is 0.5.
  public init(_ probability: Double = 0.5) {
    check(probability, "AlphaDropout")
    self.probability = probability
  }

  /// Applies the layer.
  public func callAsFunction(_ x: Tensor) -> Tensor { x.alphaDropout(probability) }
}
