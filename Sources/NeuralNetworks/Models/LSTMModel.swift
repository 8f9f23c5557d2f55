import Settings
public import TensorCore

/// A language model of stacked LSTM layers: an embedding, the layers, and a dense layer to logits.
///
/// Names and shapes are those of PyTorch's example `word_language_model`: `encoder.weight`,
/// `rnn.weight_ih_l0`, `decoder.bias` and so on.
public struct LSTMModel: Layer {
  /// The embedding of tokens.
  package let encoder: Embedding
  /// The LSTM layers.
  package let rnn: LSTM
  /// The layer to logits; it may share its weight with the embedding.
  package let decoder: Linear
  /// The dropout probability of embeddings, between the layers, and before the logits.
  package let dropout: Double

  /// A model whose embedding and decoder are uniform in ±0.1, as in PyTorch's example.
  ///
  /// - Parameters:
  ///   - vocabulary: The number of different tokens.
  ///   - width: The width of the embedding.
  ///   - hidden: The units of each layer; `width` if nil.
  ///   - layers: The number of LSTM layers.
  ///   - dropout: The dropout probability.
  ///   - tied: Whether the decoder has the weight of the embedding (Press and Wolf, 2017), for which
  ///     `hidden` must be `width`.
  public init(
    vocabulary: Int, width: Int, hidden: Int? = nil, layers: Int = 2, dropout: Double = 0,
    tied: Bool = false
  ) {
    let hidden = hidden ?? width
    require(
      !tied || hidden == width,
      "LSTMModel: tied weights need as many units as the width of the embedding, not \(hidden) and \(width)"
    )
    encoder = Embedding(weight: Initializer.uniform([vocabulary, width], bound: 0.1))
    rnn = LSTM(width, hidden, layers: layers, dropout: dropout)
    let bias = Initializer.zeros([vocabulary])
    decoder =
      tied
      ? Linear(sharing: encoder.weight, bias: bias)
      : Linear(weight: Initializer.uniform([vocabulary, hidden], bound: 0.1), bias: bias)
    self.dropout = dropout
  }

  /// Whether the decoder has the weight of the embedding.
  package var isTied: Bool { encoder.weight === decoder.weight }

  /// The logits `[B, T, vocabulary]` of the next token for int32 tokens `[B, T]`.
  public func callAsFunction(_ tokens: Tensor) -> Tensor {
    decoder(rnn(encoder(tokens).dropout(dropout)).output.dropout(dropout))
  }
}

/// The sizes that can be chosen for an LSTM by name; the others follow from the data.
private struct LSTMOptions: SettingsGroup {
  @Setting("number of LSTM layers", in: 1...1024) var blocks = 2
  @Setting("width of the embedding, and units of each LSTM layer", in: 1...(1 << 20), unit: "units")
  var width = 128
  @Setting(shared: .dropout) var dropout: Double
  @Setting("whether the output layer is the token embedding") var tiedHead = false
}

extension ModelKind {
  /// `LSTMModel`.
  static let lstm = ModelKind("lstm", .tokens, LSTMOptions()) { shapes, options in
    LSTMModel(
      vocabulary: shapes.outputs, width: options.width, layers: options.blocks,
      dropout: options.dropout, tied: options.tiedHead)
  }
}
