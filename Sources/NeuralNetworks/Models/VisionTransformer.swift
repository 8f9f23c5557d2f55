import Settings
public import TensorCore

/// The vision transformer (Dosovitskiy et al., 2020): an image is a sequence of patches, behind a class
/// token whose last state is classified.
///
/// Names, shapes and initialization are torchvision's, so that the files of `vit_b_16` and others can be
/// loaded.
public struct VisionTransformer: Layer {
  /// The sizes of a network.
  public struct Options: Sendable, Equatable {
    /// The rows and columns of images.
    public var size: Int
    /// The rows and columns of a patch.
    public var patch: Int
    /// The channels of images.
    public var channels: Int
    /// The number of classes.
    public var classes: Int
    /// The number of blocks.
    public var layers: Int
    /// The attention heads of each block.
    public var heads: Int
    /// The width of the residual stream.
    public var width: Int
    /// The width inside the MLPs.
    public var hidden: Int
    /// The dropout probability after the embedding and in each branch.
    public var dropout: Double
    /// Whether blocks are computed again in the backward pass; see `checkpointed`.
    public var checkpointing = false

    /// By default, the sizes of `vit_b_16`; `hidden` is four times the width.
    public init(
      size: Int = 224, patch: Int = 16, channels: Int = 3, classes: Int = 1000, layers: Int = 12,
      heads: Int = 12, width: Int = 768, hidden: Int? = nil, dropout: Double = 0
    ) {
      require(
        patch > 0 && size % patch == 0,
        "VisionTransformer: images of \(size) rows do not divide into patches of \(patch)")
      self.size = size
      self.patch = patch
      self.channels = channels
      self.classes = classes
      self.layers = layers
      self.heads = heads
      self.width = width
      self.hidden = hidden ?? 4 * width
      self.dropout = dropout
    }
  }

  /// The sizes.
  public let options: Options
  /// The state of the class token before the first block, `[1, 1, width]`.
  package let classToken: Parameter
  /// The embedding of patches.
  package let patches: Conv2d
  /// The embedding of positions, `[1, 1 + patches, width]`.
  package let positions: Parameter
  /// The blocks in order.
  package let blocks: [VisionBlock]
  /// The last normalization.
  package let normalization: LayerNorm
  /// The last layer.
  package let output: Linear

  /// A network with torchvision's initialization.
  public init(_ options: Options = Options()) {
    self.options = options
    let (width, patch) = (options.width, options.patch)
    let fanIn = Double(options.channels * patch * patch)
    classToken = Parameter(Initializer.zeros([1, 1, width]))
    patches = Conv2d(
      weight: Initializer.normal(
        [width, options.channels, patch, patch], std: 1 / fanIn.squareRoot()),
      bias: Initializer.zeros([width]), stride: Size2d(patch))
    let side = options.size / patch
    positions = Parameter(Initializer.normal([1, 1 + side * side, width], std: 0.02))
    blocks = (0..<options.layers).map { _ in VisionBlock(options) }
    normalization = LayerNorm(width, epsilon: 1e-6)
    output = Linear(
      weight: Initializer.zeros([options.classes, width]),
      bias: Initializer.zeros([options.classes]))
  }

  /// The parts with torchvision's names.
  public var children: [(name: String, value: Any)] {
    [("class_token", classToken), ("conv_proj", patches), ("encoder.pos_embedding", positions)]
      + blocks.enumerated().map { ("encoder.layers.encoder_layer_\($0.offset)", $0.element) }
      + [("encoder.ln", normalization), ("heads.head", output)]
  }

  /// torchvision's key, also of its earlier files.
  public func stateDictionaryKey(forForeignKey key: String) -> String? {
    key.replacing(".mlp.linear_1.", with: ".mlp.0.").replacing(".mlp.linear_2.", with: ".mlp.3.")
  }

  /// Applies the network to images `[N, channels, size, size]`.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    require(
      x.shape.count == 4 && x.shape[2] == options.size && x.shape[3] == options.size,
      "VisionTransformer: images [N, \(options.channels), \(options.size), \(options.size)] are needed, not \(x.shape)"
    )
    let (count, width) = (x.shape[0], options.width)
    let embedded = patches(x).reshaped(to: [count, width, positions.shape[1] - 1])
      .transposed(1, 2)
    let token = classToken.expanded(to: [count, 1, width]).converted(to: embedded.dataType)
    var y = (Tensor.concatenated([token, embedded], axis: 1) + positions).dropout(options.dropout)
    for block in blocks {
      y = options.checkpointing ? checkpointed(y) { block($0) } : block(y)
    }
    // Normalization is per position, so only the class token's is needed.
    return output(normalization(y.selected(0, axis: 1)))
  }
}

/// Attention and an MLP, each with a layer normalization before it and a residual connection.
package struct VisionBlock: Layer {
  /// The normalizations before the attention and before the MLP.
  package let normalizations: (LayerNorm, LayerNorm)
  package let attention: MultiHeadAttention
  package let mlp: Sequential
  private let dropout: Double

  init(_ options: VisionTransformer.Options) {
    let (width, hidden) = (options.width, options.hidden)
    dropout = options.dropout
    normalizations = (LayerNorm(width, epsilon: 1e-6), LayerNorm(width, epsilon: 1e-6))
    attention = MultiHeadAttention(width, heads: options.heads)
    // Glorot's bound, the same in both directions.
    let bound = (6 / Double(width + hidden)).squareRoot()
    func dense(_ inputs: Int, _ outputs: Int) -> Linear {
      Linear(
        weight: Initializer.uniform([outputs, inputs], bound: bound),
        bias: Initializer.normal([outputs], std: 1e-6))
    }
    mlp = Sequential(
      dense(width, hidden), GELU(), Dropout(dropout), dense(hidden, width), Dropout(dropout))
  }

  package var children: [(name: String, value: Any)] {
    [
      ("ln_1", normalizations.0), ("self_attention", attention), ("ln_2", normalizations.1),
      ("mlp", mlp),
    ]
  }

  package func callAsFunction(_ x: Tensor) -> Tensor {
    let x = x + attention(normalizations.0(x)).dropout(dropout)
    return x + mlp(normalizations.1(x))
  }
}

/// The sizes that can be chosen for a vision transformer by name; the others follow from the data.
private struct VisionOptions: SettingsGroup {
  @Setting("rows and columns of a patch of an image", in: 1...1024, unit: "pixels") var patch = 4
  @Setting(shared: .blocks) var blocks: Int
  @Setting(shared: .heads) var heads: Int
  @Setting(shared: .width) var width: Int
  @Setting(shared: .dropout) var dropout: Double
  @Setting(shared: .checkpointing) var checkpointing: Bool

  func check() throws(SettingError) { try checkHeads(heads, width: width) }
}

extension ModelKind {
  /// `VisionTransformer`.
  static let vit = ModelKind("vit", .squareImages(atLeast: 4), VisionOptions()) {
    shapes, options throws(SettingError) in
    guard shapes.rows.isMultiple(of: options.patch) else {
      throw SettingError(
        "patch", "is \(options.patch), which does not divide images of \(shapes.rows) rows")
    }
    var sizes = VisionTransformer.Options(
      size: shapes.rows, patch: options.patch, channels: shapes.channels, classes: shapes.outputs,
      layers: options.blocks, heads: options.heads, width: options.width, dropout: options.dropout)
    sizes.checkpointing = options.checkpointing
    return VisionTransformer(sizes)
  }
}
