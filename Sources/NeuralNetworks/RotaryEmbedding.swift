import Foundation
public import TensorCore

/// Rotary position embedding (Su et al., 2021) of queries and keys; it has no parameters.
///
///     let rotary = RotaryEmbedding(64)
///     let (q, k) = (rotary(q), rotary(k))  // [B, H, T, 64]
///
/// Pair i of the channels of position p is turned by the angle `p * base^(-2 i / width)`.
public struct RotaryEmbedding: Layer {
  /// How Llama 3.1 stretches long waves to a longer context: Hugging Face's `rope_type: llama3`.
  public struct Llama3Scaling: Sendable, Equatable {
    /// By how much the longest waves are stretched.
    public var factor: Double
    /// Waves longer than the original context divided by this are stretched fully.
    public var lowFrequencyFactor: Double
    /// Waves shorter than the original context divided by this are not stretched.
    public var highFrequencyFactor: Double
    /// The context before.
    public var originalContext: Int

    /// By default, the numbers of Llama 3.1.
    public init(
      factor: Double = 8, lowFrequencyFactor: Double = 1, highFrequencyFactor: Double = 4,
      originalContext: Int = 8192
    ) {
      self.factor = factor
      self.lowFrequencyFactor = lowFrequencyFactor
      self.highFrequencyFactor = highFrequencyFactor
      self.originalContext = originalContext
    }

    fileprivate func stretched(_ frequency: Double) -> Double {
      let waves = Double(originalContext) * frequency / (2 * .pi)
      if waves < lowFrequencyFactor { return frequency / factor }
      if waves > highFrequencyFactor { return frequency }
      let smooth =
        (waves - lowFrequencyFactor) / (highFrequencyFactor - lowFrequencyFactor)
      return (1 - smooth) * frequency / factor + smooth * frequency
    }
  }

  /// The angle between neighboring positions for each pair of channels.
  public let frequencies: [Double]
  /// Which channels are a pair.
  public let pairs: RotaryPairs
  private let tables = Tables()

  /// The cosines and sines that have been computed; shared by copies of the layer.
  private final class Tables {
    var cos = Tensor.zeros([0, 0])
    var sin = Tensor.zeros([0, 0])
  }

  /// A layer for `width` channels of a head, an even number.
  ///
  /// - Parameters:
  ///   - width: The channels that are turned; a head may have more.
  ///   - base: PyTorch's and Hugging Face's `rope_theta`.
  ///   - pairs: Which channels are a pair.
  ///   - scaling: Llama 3.1's change of the frequencies.
  public init(
    _ width: Int, base: Double = 10000, pairs: RotaryPairs = .halves,
    scaling: Llama3Scaling? = nil
  ) {
    require(
      width > 0 && width.isMultiple(of: 2),
      "RotaryEmbedding: pairs of channels are turned, so \(width) must be even")
    self.pairs = pairs
    frequencies = stride(from: 0, to: width, by: 2).map { channel in
      let frequency = pow(base, -Double(channel) / Double(width))
      return scaling?.stretched(frequency) ?? frequency
    }
  }

  /// No parameters.
  public var children: [(name: String, value: Any)] { [] }

  /// Turns `[..., T, D]` at positions from 0 on.
  public func callAsFunction(_ x: Tensor) -> Tensor { self(x, offset: 0) }

  /// Turns `[..., T, D]`, whose first position is `offset`, as behind a cache of keys.
  public func callAsFunction(_ x: Tensor, offset: Int) -> Tensor {
    require(
      x.shape.count >= 2 && offset >= 0,
      "RotaryEmbedding: [..., T, D] is needed, not \(x.shape), at a position from 0, not \(offset)")
    let positions = offset..<offset + x.shape[x.shape.count - 2]
    let (cos, sin) = tables(upTo: positions.upperBound)
    return x.rotaryEmbedding(cos: cos[positions], sin: sin[positions], pairs: pairs)
  }

  /// Turns `[..., T, D]` at int32 `positions`, `[T]` or what broadcasts to `[..., T]`.
  public func callAsFunction(_ x: Tensor, positions: Tensor) -> Tensor {
    let last = positions.count == 0 ? 0 : Int(positions.max().item())
    let (cos, sin) = tables(upTo: last + 1)
    return x.rotaryEmbedding(
      cos: cos.embedding(positions), sin: sin.embedding(positions), pairs: pairs)
  }

  /// The cosines and sines of the first `count` positions or more, `[count, pairs]`.
  package func tables(upTo count: Int) -> (cos: Tensor, sin: Tensor) {
    if tables.cos.shape[0] < count {
      let rows = max(count, 2 * tables.cos.shape[0])
      let angles = (0..<rows).flatMap { row in frequencies.map { Double(row) * $0 } }
      let shape: TensorShape = [rows, frequencies.count]
      tables.cos = .of(angles.map { Float(Foundation.cos($0)) }, shape: shape)
      tables.sin = .of(angles.map { Float(Foundation.sin($0)) }, shape: shape)
    }
    return (tables.cos, tables.sin)
  }
}
