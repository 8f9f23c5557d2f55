import Foundation
public import TensorCore

/// A block of a transformer that reads: self-attention and two dense layers, each with a residual connection
/// and a layer normalization.
///
/// PyTorch's `nn.TransformerEncoderLayer` with `batch_first`, with its names and initialization.
public struct TransformerEncoderLayer: Layer {
  /// The self-attention.
  public let attention: MultiHeadAttention
  /// The dense layers.
  public let dense: (Linear, Linear)
  /// The normalizations of the attention and of the dense layers.
  public let normalizations: (LayerNorm, LayerNorm)
  /// What is applied between the dense layers.
  public let activation: any Layer
  /// The dropout probability in both branches.
  public let dropout: Double
  /// Whether branches normalize their input, not the sum behind them.
  public let normFirst: Bool

  /// A layer for sequences `[B, T, width]`.
  public init(
    _ width: Int, heads: Int, hidden: Int = 2048, dropout: Double = 0.1,
    activation: any Layer = ReLU(), epsilon: Double = 1e-5, normFirst: Bool = false
  ) {
    attention = MultiHeadAttention(width, heads: heads, dropout: dropout)
    dense = (Linear(width, hidden), Linear(hidden, width))
    normalizations = (LayerNorm(width, epsilon: epsilon), LayerNorm(width, epsilon: epsilon))
    self.activation = activation
    self.dropout = dropout
    self.normFirst = normFirst
  }

  /// The parts with PyTorch's names.
  public var children: [(name: String, value: Any)] {
    [
      ("self_attn", attention), ("linear1", dense.0), ("linear2", dense.1),
      ("norm1", normalizations.0), ("norm2", normalizations.1),
    ]
  }

  /// Applies the layer to sequences `[B, T, width]`.
  public func callAsFunction(_ x: Tensor) -> Tensor { self(x, mask: nil) }

  /// Applies the layer; the masks are those of `MultiHeadAttention`: `mask` says where a position **attends**,
  /// `paddingMask` `[B, T]` what is **ignored**.
  public func callAsFunction(_ x: Tensor, mask: Tensor?, paddingMask: Tensor? = nil) -> Tensor {
    let y = branch(x, normalizations.0) {
      attention($0, mask: mask, paddingMask: paddingMask).dropout(dropout)
    }
    return branch(y, normalizations.1, network)
  }

  private func network(_ x: Tensor) -> Tensor {
    dense.1(activation(dense.0(x)).dropout(dropout)).dropout(dropout)
  }

  private func branch(_ x: Tensor, _ norm: LayerNorm, _ body: (Tensor) -> Tensor) -> Tensor {
    normFirst ? x + body(norm(x)) : norm(x + body(x))
  }
}

/// A block of a transformer that writes: causal self-attention, attention to what was read, and two dense
/// layers, each with a residual connection and a layer normalization.
///
/// PyTorch's `nn.TransformerDecoderLayer` with `batch_first`, with its names and initialization. Unlike
/// PyTorch's, the self-attention is causal unless `causal` is false.
public struct TransformerDecoderLayer: Module {
  /// The self-attention.
  public let attention: MultiHeadAttention
  /// The attention to what was read.
  public let crossAttention: MultiHeadAttention
  /// The dense layers.
  public let dense: (Linear, Linear)
  /// The normalizations of the attentions and of the dense layers.
  public let normalizations: (LayerNorm, LayerNorm, LayerNorm)
  /// What is applied between the dense layers.
  public let activation: any Layer
  /// The dropout probability in all branches.
  public let dropout: Double
  /// Whether branches normalize their input, not the sum behind them.
  public let normFirst: Bool

  /// A layer for sequences `[B, T, width]`.
  public init(
    _ width: Int, heads: Int, hidden: Int = 2048, dropout: Double = 0.1,
    activation: any Layer = ReLU(), epsilon: Double = 1e-5, normFirst: Bool = false,
    causal: Bool = true
  ) {
    attention = MultiHeadAttention(width, heads: heads, dropout: dropout, causal: causal)
    crossAttention = MultiHeadAttention(width, heads: heads, dropout: dropout)
    dense = (Linear(width, hidden), Linear(hidden, width))
    func norm() -> LayerNorm { LayerNorm(width, epsilon: epsilon) }
    normalizations = (norm(), norm(), norm())
    self.activation = activation
    self.dropout = dropout
    self.normFirst = normFirst
  }

  /// The parts with PyTorch's names.
  public var children: [(name: String, value: Any)] {
    [
      ("self_attn", attention), ("multihead_attn", crossAttention), ("linear1", dense.0),
      ("linear2", dense.1), ("norm1", normalizations.0), ("norm2", normalizations.1),
      ("norm3", normalizations.2),
    ]
  }

  /// Applies the layer to sequences `[B, T, width]` with what was read, `memory` `[B, S, width]`.
  ///
  /// The masks are those of `MultiHeadAttention`: a `mask` says where a position **attends**, a padding mask
  /// what is **ignored**.
  public func callAsFunction(
    _ x: Tensor, memory: Tensor, mask: Tensor? = nil, paddingMask: Tensor? = nil,
    memoryMask: Tensor? = nil, memoryPaddingMask: Tensor? = nil
  ) -> Tensor {
    var y = branch(x, normalizations.0) {
      attention($0, mask: mask, paddingMask: paddingMask).dropout(dropout)
    }
    y = branch(y, normalizations.1) {
      crossAttention(
        query: $0, key: memory, value: memory, mask: memoryMask, paddingMask: memoryPaddingMask
      ).dropout(dropout)
    }
    return branch(y, normalizations.2) {
      dense.1(activation(dense.0($0)).dropout(dropout)).dropout(dropout)
    }
  }

  private func branch(_ x: Tensor, _ norm: LayerNorm, _ body: (Tensor) -> Tensor) -> Tensor {
    normFirst ? x + body(norm(x)) : norm(x + body(x))
  }
}

/// Adds sines and cosines of positions (Vaswani et al., 2017) to sequences `[B, T, width]`; it has no
/// parameters.
///
/// Channel 2i of position p gets sin(p / 10000^(2i / width)), channel 2i + 1 the cosine.
public struct SinusoidalPositions: Layer {
  /// The numbers that are added, `[context, width]`.
  public let table: Tensor
  /// The dropout probability of the sum.
  public let dropout: Double

  /// A layer for `width` channels, an even number, and at most `context` positions.
  public init(_ width: Int, context: Int, dropout: Double = 0) {
    require(
      width > 0 && width.isMultiple(of: 2), "SinusoidalPositions: \(width) channels are not even")
    self.dropout = dropout
    let numbers = (0..<context).flatMap { position in
      (0..<width).map { channel -> Float in
        let angle =
          Double(position) * pow(10000, -Double(channel / 2 * 2) / Double(width))
        return Float(channel.isMultiple(of: 2) ? sin(angle) : cos(angle))
      }
    }
    table = .of(numbers, shape: TensorShape([context, width]))
  }

  /// No parameters.
  public var children: [(name: String, value: Any)] { [] }

  /// Applies the layer.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    require(
      x.shape.count == 3 && x.shape[1] <= table.shape[0] && x.shape[2] == table.shape[1],
      "SinusoidalPositions: [B, T, \(table.shape[1])] with T up to \(table.shape[0]) is needed, not \(x.shape)"
    )
    return (x + table[0..<x.shape[1]]).dropout(dropout)
  }
}
