import Settings
public import TensorCore

/// The transformer of GPT-2 (Radford et al., 2019), with the output layer tied to the token embedding.
///
/// Names and shapes are those of Hugging Face's GPT-2, so that its files can be loaded: `wte.weight`,
/// `h.0.attn.c_attn.weight` as `[inputs, outputs]`, and so on.
public struct GPT: CachingLanguageModel {
  /// The sizes of a transformer.
  public struct Options: Sendable, Equatable {
    /// The number of different tokens.
    public var vocabulary: Int
    /// The length of the longest sequence.
    public var context: Int
    /// The number of blocks.
    public var layers: Int
    /// The attention heads of each block.
    public var heads: Int
    /// The width of the residual stream.
    public var width: Int
    /// The dropout probability after the embedding and in each branch.
    public var dropout: Double
    /// Whether blocks are computed again in the backward pass; see `checkpointed`.
    public var checkpointing = false

    /// By default, the sizes of the smallest GPT-2.
    public init(
      vocabulary: Int = 50257, context: Int = 1024, layers: Int = 12, heads: Int = 12,
      width: Int = 768, dropout: Double = 0
    ) {
      require(width % heads == 0, "GPT: a width of \(width) is not divisible by \(heads) heads")
      self.vocabulary = vocabulary
      self.context = context
      self.layers = layers
      self.heads = heads
      self.width = width
      self.dropout = dropout
    }
  }

  /// The sizes.
  public let options: Options
  /// The token embedding.
  package let tokens: Embedding
  /// The position embedding.
  package let positions: Embedding
  /// The blocks in order.
  package let blocks: [TransformerBlock]
  /// The last normalization.
  package let normalization: LayerNorm

  /// A transformer with GPT-2's initialization: weights are normal with the standard deviation 0.02, those
  /// of projections into the residual stream with 0.02 / √(2 layers); biases are 0.
  public init(_ options: Options) {
    self.options = options
    tokens = Embedding(
      weight: Initializer.normal([options.vocabulary, options.width], std: 0.02))
    positions = Embedding(
      weight: Initializer.normal([options.context, options.width], std: 0.02))
    blocks = (0..<options.layers).map { _ in TransformerBlock(options) }
    normalization = LayerNorm(options.width)
  }

  /// The parts with Hugging Face's names.
  public var children: [(name: String, value: Any)] {
    [("wte", tokens), ("wpe", positions), ("h", blocks), ("ln_f", normalization)]
  }

  /// Hugging Face's key without the prefix of its language model; nil for its causal masks and its second
  /// copy of the token embedding.
  public func stateDictionaryKey(forForeignKey key: String) -> String? {
    let key = key.hasPrefix("transformer.") ? String(key.dropFirst("transformer.".count)) : key
    let isMask = key.hasSuffix(".attn.bias") || key.hasSuffix(".attn.masked_bias")
    return isMask || key == "lm_head.weight" ? nil : key
  }

  /// The length of the longest sequence.
  public var context: Int { options.context }

  /// The logits `[B, T, vocabulary]` of the next token for int32 tokens `[B, T]`.
  public func callAsFunction(_ indices: Tensor) -> Tensor { logits(indices, nil) }

  /// The logits of the next token for tokens that follow those in the cache.
  public func callAsFunction(_ indices: Tensor, cache: KeyValueCache) -> Tensor {
    logits(indices, cache)
  }

  private func logits(_ indices: Tensor, _ cache: KeyValueCache?) -> Tensor {
    let offset = cache?.length ?? 0
    require(
      indices.shape.count == 2 && indices.shape[1] + offset <= options.context,
      "GPT: tokens [B, T] with T up to \(options.context - offset) are needed, not \(indices.shape)"
    )
    let length = indices.shape[1]
    var x = (tokens(indices) + positions.weight.sliced(offset..<offset + length))
      .dropout(options.dropout)
    for (index, block) in blocks.enumerated() {
      if options.checkpointing, cache == nil {
        x = checkpointed(x) { block($0) }
      } else {
        x = block(x, cache, index)
      }
    }
    cache?.advance(length)
    return normalization(x).linear(weight: tokens.weight)
  }
}

/// Attention and an MLP, each with a layer normalization before it and a residual connection.
package struct TransformerBlock: Layer {
  /// The sizes.
  package let options: GPT.Options
  /// The normalizations before the attention and before the MLP.
  package let normalizations: (LayerNorm, LayerNorm)
  /// The projection to queries, keys and values.
  package let queriesKeysValues: Projection
  /// The projection of the merged heads.
  package let merge: Projection
  /// The first layer of the MLP.
  package let expansion: Projection
  /// The second layer of the MLP.
  package let contraction: Projection

  init(_ options: GPT.Options) {
    self.options = options
    let width = options.width
    let residual = 0.02 / (2 * Double(options.layers)).squareRoot()
    normalizations = (LayerNorm(width), LayerNorm(width))
    queriesKeysValues = Projection(width, 3 * width, std: 0.02)
    merge = Projection(width, width, std: residual)
    expansion = Projection(width, 4 * width, std: 0.02)
    contraction = Projection(4 * width, width, std: residual)
  }

  package var children: [(name: String, value: Any)] {
    [
      ("ln_1", normalizations.0), ("attn.c_attn", queriesKeysValues), ("attn.c_proj", merge),
      ("ln_2", normalizations.1), ("mlp.c_fc", expansion), ("mlp.c_proj", contraction),
    ]
  }

  package func callAsFunction(_ x: Tensor) -> Tensor { self(x, nil, 0) }

  func callAsFunction(_ x: Tensor, _ cache: KeyValueCache?, _ index: Int) -> Tensor {
    let packed = queriesKeysValues(normalizations.0(x))
    let attended =
      cache.map { attention(packed, $0, index) }
      ?? packed.selfAttention(heads: options.heads, causal: true)
    let x = x + merge(attended).dropout(options.dropout)
    let network = contraction(expansion(normalizations.1(x)).gelu(approximate: .tanh))
    return x + network.dropout(options.dropout)
  }

  /// Attention of new positions to all so far.
  private func attention(_ packed: Tensor, _ cache: KeyValueCache, _ index: Int) -> Tensor {
    let parts = packed.split(options.width, axis: 2).map {
      $0.reshaped(
        to: [$0.shape[0], $0.shape[1], options.heads, options.width / options.heads]
      ).transposed(1, 2)
    }
    return cache.attention(parts[0], parts[1], parts[2], block: index)
      .transposed(1, 2).reshaped(to: [packed.shape[0], packed.shape[1], options.width])
  }
}

/// A linear layer whose weight is `[inputs, outputs]`, as in GPT-2.
package struct Projection: Layer {
  /// The weight, `[inputs, outputs]`.
  package let weight: Parameter
  /// The bias, `[outputs]`.
  package let bias: Parameter

  init(_ inputs: Int, _ outputs: Int, std: Double) {
    weight = Parameter(Initializer.normal([inputs, outputs], std: std))
    bias = Parameter(Initializer.zeros([outputs]))
  }

  package func callAsFunction(_ x: Tensor) -> Tensor {
    x.matmul(weight, adding: bias)
  }
}

/// The sizes that can be chosen for a GPT by name; the others follow from the data.
private struct GPTOptions: SettingsGroup {
  @Setting(shared: .blocks) var blocks: Int
  @Setting(shared: .heads) var heads: Int
  @Setting(shared: .width) var width: Int
  @Setting(shared: .dropout) var dropout: Double
  @Setting(shared: .checkpointing) var checkpointing: Bool

  func check() throws(SettingError) { try checkHeads(heads, width: width) }
}

extension ModelKind {
  /// `GPT`.
  static let gpt = ModelKind("gpt", .tokens, GPTOptions()) { shapes, options in
    var sizes = GPT.Options(
      vocabulary: shapes.outputs, context: shapes.input[0], layers: options.blocks,
      heads: options.heads, width: options.width, dropout: options.dropout)
    sizes.checkpointing = options.checkpointing
    return GPT(sizes)
  }
}
