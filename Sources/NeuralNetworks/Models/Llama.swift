import Settings
public import TensorCore

/// The transformer of Llama (Touvron et al., 2023): RMSNorm before each branch, rotary position embedding,
/// SwiGLU, and heads of queries that share keys and values.
///
/// Names and shapes are those of Hugging Face's `LlamaForCausalLM`, so that its files can be loaded:
/// `model.layers.0.self_attn.q_proj.weight` and so on.
public struct Llama: CachingLanguageModel {
  /// The sizes of a model.
  public struct Options: Sendable, Equatable {
    /// The number of different tokens.
    public var vocabulary: Int
    /// The length of the longest sequence.
    public var context: Int
    /// The number of blocks.
    public var layers: Int
    /// The heads of queries of each block.
    public var heads: Int
    /// The heads of keys and values, which divide those of queries.
    public var keyValueHeads: Int
    /// The width of the residual stream.
    public var width: Int
    /// The width inside the SwiGLU.
    public var hidden: Int
    /// The base of the rotary embedding's frequencies, `rope_theta`.
    public var ropeBase: Double
    /// How the frequencies are stretched; nil if they are not.
    public var ropeScaling: RotaryEmbedding.Llama3Scaling?
    /// The number added to the mean of the squares, `rms_norm_eps`.
    public var epsilon: Double
    /// Whether the output layer is the token embedding, `tie_word_embeddings`.
    public var tiedHead: Bool
    /// The dropout probability after the embedding and in each branch; Llama itself has none.
    public var dropout: Double
    /// Whether blocks are computed again in the backward pass; see `checkpointed`.
    public var checkpointing = false

    /// By default, the sizes of Llama 3.2 with 1 billion parameters, and as many heads of keys as of
    /// queries, a hidden width of 8/3 of the width, rounded up to a multiple of 64.
    public init(
      vocabulary: Int = 128_256, context: Int = 8192, layers: Int = 16, heads: Int = 32,
      keyValueHeads: Int? = nil, width: Int = 2048, hidden: Int? = nil, ropeBase: Double = 10000,
      ropeScaling: RotaryEmbedding.Llama3Scaling? = nil, epsilon: Double = 1e-6,
      tiedHead: Bool = false, dropout: Double = 0
    ) {
      let keyHeads = keyValueHeads ?? heads
      require(
        heads > 0 && keyHeads > 0 && heads % keyHeads == 0 && width % (2 * heads) == 0,
        "Llama: \(heads) heads with an even width each do not fit a width of \(width), or are no multiple of \(keyHeads) heads of keys"
      )
      self.vocabulary = vocabulary
      self.context = context
      self.layers = layers
      self.heads = heads
      self.keyValueHeads = keyHeads
      self.width = width
      self.hidden = hidden ?? (8 * width + 191) / 192 * 64
      self.ropeBase = ropeBase
      self.ropeScaling = ropeScaling
      self.epsilon = epsilon
      self.tiedHead = tiedHead
      self.dropout = dropout
    }
  }

  /// The sizes.
  public let options: Options
  /// The token embedding.
  package let tokens: Embedding
  /// The blocks in order.
  package let blocks: [LlamaBlock]
  /// The last normalization.
  package let normalization: RMSNorm
  /// The output layer; nil if it is the token embedding.
  package let head: Linear?

  /// A model with Hugging Face's initialization: weights are normal with the standard deviation 0.02.
  public init(_ options: Options) {
    self.options = options
    tokens = Embedding(
      weight: Initializer.normal([options.vocabulary, options.width], std: 0.02))
    let rotary = RotaryEmbedding(
      options.width / options.heads, base: options.ropeBase, scaling: options.ropeScaling)
    blocks = (0..<options.layers).map { LlamaBlock(options, rotary, index: $0) }
    normalization = RMSNorm(options.width, epsilon: options.epsilon)
    head = options.tiedHead ? nil : projection(options.width, options.vocabulary)
  }

  /// The parts with Hugging Face's names.
  public var children: [(name: String, value: Any)] {
    [
      ("model.embed_tokens", tokens), ("model.layers", blocks), ("model.norm", normalization),
      ("lm_head", head as Any),
    ]
  }

  /// Hugging Face's key, also of a file of the model without its head; nil for a copy of the token
  /// embedding and for stored frequencies.
  public func stateDictionaryKey(forForeignKey key: String) -> String? {
    if key.hasSuffix("rotary_emb.inv_freq") || key == "lm_head.weight" && options.tiedHead {
      return nil
    }
    return key.hasPrefix("model.") || key.hasPrefix("lm_head.") ? key : "model." + key
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
    require(
      indices.shape.count == 2 && indices.shape[1] + (cache?.length ?? 0) <= options.context,
      "Llama: tokens [B, T] with T up to \(options.context) are needed, not \(indices.shape) after \(cache?.length ?? 0)"
    )
    var x = tokens(indices).dropout(options.dropout)
    for block in blocks {
      if options.checkpointing, cache == nil {
        x = checkpointed(x) { block($0) }
      } else {
        x = block(x, cache)
      }
    }
    cache?.advance(indices.shape[1])
    return normalization(x).linear(weight: head?.weight ?? tokens.weight)
  }
}

/// A linear layer without bias, with Hugging Face's initialization.
private func projection(_ inputs: Int, _ outputs: Int) -> Linear {
  Linear(weight: Initializer.normal([outputs, inputs], std: 0.02))
}

/// Attention and a SwiGLU, each with a normalization before it and a residual connection.
package struct LlamaBlock: Layer {
  package let options: Llama.Options
  package let rotary: RotaryEmbedding
  /// The normalizations before the attention and before the SwiGLU.
  package let normalizations: (RMSNorm, RMSNorm)
  package let queries: Linear
  package let keys: Linear
  package let values: Linear
  /// The projection of the merged heads.
  package let merge: Linear
  package let gate: Linear
  package let up: Linear
  package let down: Linear
  private let index: Int

  init(_ options: Llama.Options, _ rotary: RotaryEmbedding, index: Int) {
    (self.options, self.rotary, self.index) = (options, rotary, index)
    let width = options.width
    let keyWidth = width / options.heads * options.keyValueHeads
    queries = projection(width, width)
    keys = projection(width, keyWidth)
    values = projection(width, keyWidth)
    merge = projection(width, width)
    gate = projection(width, options.hidden)
    up = projection(width, options.hidden)
    down = projection(options.hidden, width)
    normalizations = (
      RMSNorm(width, epsilon: options.epsilon), RMSNorm(width, epsilon: options.epsilon)
    )
  }

  package var children: [(name: String, value: Any)] {
    [
      ("self_attn.q_proj", queries), ("self_attn.k_proj", keys), ("self_attn.v_proj", values),
      ("self_attn.o_proj", merge), ("mlp.gate_proj", gate), ("mlp.up_proj", up),
      ("mlp.down_proj", down), ("input_layernorm", normalizations.0),
      ("post_attention_layernorm", normalizations.1),
    ]
  }

  package func callAsFunction(_ x: Tensor) -> Tensor { self(x, nil) }

  func callAsFunction(_ x: Tensor, _ cache: KeyValueCache?) -> Tensor {
    let x = x + attention(normalizations.0(x), cache).dropout(options.dropout)
    let y = normalizations.1(x)
    return x + down(gate(y).silu() * up(y)).dropout(options.dropout)
  }

  private func attention(_ x: Tensor, _ cache: KeyValueCache?) -> Tensor {
    func heads(_ projection: Linear, _ count: Int) -> Tensor {
      let width = options.width / options.heads
      return projection(x).reshaped(to: [x.shape[0], x.shape[1], count, width]).transposed(1, 2)
    }
    let offset = cache?.length ?? 0
    let q = rotary(heads(queries, options.heads), offset: offset)
    let k = rotary(heads(keys, options.keyValueHeads), offset: offset)
    let v = heads(values, options.keyValueHeads)
    let attended =
      cache?.attention(q, k, v, block: index)
      ?? .scaledDotProductAttention(q, k, v, causal: true)
    return merge(attended.transposed(1, 2).reshaped(to: x.shape))
  }
}

/// The sizes that can be chosen for a Llama by name; the others follow from the data.
private struct LlamaOptions: SettingsGroup {
  @Setting(shared: .blocks) var blocks: Int
  @Setting(shared: .heads) var heads: Int
  @Setting("attention heads of keys and values; null for as many as of queries", in: 1...1024)
  var keyValueHeads: Int? = nil
  @Setting(shared: .width) var width: Int
  @Setting("width inside the SwiGLU; null for 8/3 of the width", in: 1...(1 << 20), unit: "units")
  var mlpWidth: Int? = nil
  @Setting("base of the frequencies of rotary position embedding", in: 1...) var ropeBase = 10000.0
  @Setting("whether the output layer is the token embedding") var tiedHead = false
  @Setting(shared: .dropout) var dropout: Double
  @Setting(shared: .checkpointing) var checkpointing: Bool

  func check() throws(SettingError) {
    try checkHeads(heads, width: width)
    guard width.isMultiple(of: 2 * heads) else {
      throw SettingError(
        "width", "is \(width), and a head would have an odd number of channels ('heads')")
    }
    guard let keyValueHeads, !heads.isMultiple(of: keyValueHeads) else { return }
    throw SettingError(
      "keyValueHeads", "is \(keyValueHeads), which does not divide \(heads) heads ('heads')")
  }
}

extension ModelKind {
  /// `Llama`.
  static let llama = ModelKind("llama", .tokens, LlamaOptions()) { shapes, options in
    var sizes = Llama.Options(
      vocabulary: shapes.outputs, context: shapes.input[0], layers: options.blocks,
      heads: options.heads, keyValueHeads: options.keyValueHeads, width: options.width,
      hidden: options.mlpWidth, ropeBase: options.ropeBase, tiedHead: options.tiedHead,
      dropout: options.dropout)
    sizes.checkpointing = options.checkpointing
    return Llama(sizes)
  }
}
