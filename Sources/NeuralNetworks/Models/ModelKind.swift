import Base
public import Settings
import TensorCore

/// A model that a configuration can name.
public struct ModelKind: NamedEntry {
  private static let registry = Registry<ModelKind>(
    [.mlp, .perceptron, .leNet, .cnn] + VGG.kinds + ResNet.kinds
      + [.mobileNetV2, .unet, .vit, .gpt, .llama, .lstm, .layers])

  /// All models that can be named, those of the program last.
  public static var all: [ModelKind] { registry.all }

  /// Adds a model of the program, which is then the default of `model.kind`.
  ///
  /// Call it before a configuration is read. Traps for a name that is taken or is no plain word.
  public static func add(_ kind: ModelKind) { registry.add(kind) }

  /// The model that a configuration has unless it names one.
  static var defaultName: String { registry.ownName ?? "mlp" }

  /// The inputs that a model takes.
  public enum Inputs: Sendable, Equatable {
    /// Numbers or tokens of any shape.
    case any
    /// Numbers of any shape.
    case numbers
    /// Images `[channels, rows, rows]` with at least `atLeast` rows, a multiple of `multipleOf`.
    case squareImages(atLeast: Int, multipleOf: Int = 1)
    /// Tokens `[length]`.
    case tokens
  }

  /// The shapes that a model is made for.
  public struct Shapes: Sendable {
    /// The shape of one sample, such as `[1, 28, 28]`.
    public let input: [Int]
    /// How many numbers the model gives for a sample, or with tokens for each position.
    public let outputs: Int
    /// The number of distinct tokens where inputs are tokens; nil where they are numbers.
    public let tokens: Int?

    /// Shapes by their values.
    public init(input: [Int], outputs: Int, tokens: Int? = nil) {
      (self.input, self.outputs, self.tokens) = (input, outputs, tokens)
    }

    /// The numbers of a sample.
    public var inputs: Int { input.reduce(1, *) }
    /// The channels of an image.
    public var channels: Int { input[0] }
    /// The rows of an image.
    public var rows: Int { input[1] }
  }

  /// The name.
  public let name: String
  /// The inputs that it takes.
  public let inputs: Inputs
  /// The options with their defaults.
  public let settings: any SettingsGroup
  private let makeModel: @Sendable (Shapes, any SettingsGroup) throws -> any Layer

  /// A model of a name.
  ///
  /// - Parameters:
  ///   - name: The name.
  ///   - inputs: The inputs that it takes.
  ///   - defaults: The options that it has unless others are set.
  ///   - make: Makes it for inputs that it takes; throws a `SettingError` when its options do not fit
  ///     them.
  public init<Options: SettingsGroup>(
    _ name: String, _ inputs: Inputs, _ defaults: Options,
    make: @escaping @Sendable (Shapes, Options) throws -> any Layer
  ) {
    self.name = name
    self.inputs = inputs
    settings = defaults
    makeModel = { try make($0, $1 as! Options) }
  }

  /// A model of a name with options, for inputs of any shape.
  ///
  /// - Parameters:
  ///   - name: The name.
  ///   - defaults: The options that it has unless others are set: keys of the configuration's section
  ///     `model`.
  ///   - inputs: The inputs that it takes; others are refused.
  ///   - make: Makes it; throws a `SettingError` when its options do not fit the shapes.
  public init<Options: SettingsGroup>(
    _ name: String, settings defaults: Options, inputs: Inputs = .any,
    make: @escaping @Sendable (Shapes, Options) throws -> any Layer
  ) {
    self.init(name, inputs, defaults, make: make)
  }

  /// A model of a name that has no options.
  public init(
    _ name: String, _ inputs: Inputs = .any,
    make: @escaping @Sendable (Shapes) throws -> any Layer
  ) {
    self.init(name, inputs, NoSettings()) { shapes, _ in try make(shapes) }
  }

  /// Makes the model with initial weights drawn from `seed`.
  ///
  /// Throws when it does not take such samples, or the options do not fit together.
  ///
  /// - Parameters:
  ///   - options: The options, of the type of `settings`.
  ///   - inputShape: The shape of one sample, such as `[1, 28, 28]`.
  ///   - outputs: How many numbers the model gives for a sample, or with tokens for each position.
  ///   - tokens: The number of distinct tokens where inputs are tokens; nil where they are numbers.
  ///   - seed: The random seed of the initial weights.
  public func make(
    _ options: any SettingsGroup, inputShape: [Int], outputs: Int, tokens: Int? = nil, seed: UInt64
  ) throws -> any Layer {
    try check(options, inputShape, outputs)
    return try withRandomSource(seed: seed) {
      try makeModel(Shapes(input: inputShape, outputs: outputs, tokens: tokens), options)
    }
  }

  /// The elements of all parameters and buffers of a model, which is not made; nil if there are more
  /// than an `Int` counts, and 0 for a model of the program, whose code may read initial values.
  ///
  /// Throws as `make` does.
  public func elementCount(
    _ options: any SettingsGroup, inputShape: [Int], outputs: Int, tokens: Int? = nil
  ) throws -> Int? {
    try check(options, inputShape, outputs)
    guard ModelKind.registry.isBuiltIn(name) else { return 0 }
    return try ShapesOnly.elementCount {
      try makeModel(Shapes(input: inputShape, outputs: outputs, tokens: tokens), options)
    }
  }

  /// The most numbers of a sample, and of what a model gives for one: layers multiply them by their
  /// options without overflow.
  private static let mostNumbers = 1 << 40

  private func check(
    _ options: any SettingsGroup, _ inputShape: [Int], _ outputs: Int
  ) throws(SettingError) {
    let inputs = inputShape.reduce(1 as Int?) { $1 > 0 ? $0?.multiplied(by: $1) : nil }
    guard let inputs, inputs <= ModelKind.mostNumbers, 1...ModelKind.mostNumbers ~= outputs else {
      throw SettingError(
        "kind",
        "is \(name), which cannot have inputs of shape \(inputShape) and \(outputs) outputs: both must be from 1 to \(ModelKind.mostNumbers)"
      )
    }
    try check(inputShape)
    try options.validate()
  }

  private func check(_ shape: [Int]) throws(SettingError) {
    if inputs == .tokens, shape.count != 1 {
      throw SettingError("kind", "is \(name), which takes tokens [length]; the data has \(shape)")
    }
    guard case .squareImages(let smallest, let divisor) = inputs else { return }
    guard shape.count == 3, shape[1] == shape[2], shape[1] >= smallest,
      shape[1].isMultiple(of: divisor)
    else {
      let multiple = divisor > 1 ? ", a multiple of \(divisor)" : ""
      throw SettingError(
        "kind",
        "is \(name), which takes square images [channels, rows, rows] of at least \(smallest) rows\(multiple); the data has \(shape)"
      )
    }
  }
}

/// Which model is trained, from which weights, and which of its parameters stay as they are.
public struct ModelChoice: SettingsGroup {
  /// The name of a `ModelKind`.
  @Setting("architecture", type: .word(ModelKind.all.names)) public var kind =
    ModelKind.defaultName
  /// Where the initial weights come from; nil draws them at random.
  @Setting(
    "initial weights: a run's directory, a checkpoint, or a safetensors file with PyTorch's names; null draws them at random",
    unset: "", perRank: true)
  public var weights: String? = nil
  /// Whether the last layer keeps its random weights where those of the file have another shape.
  @Setting("whether the last layer is new where 'weights' has it in another shape")
  public var newHead = false
  /// Shell patterns of the names of parameters that are not trained.
  @Setting(
    "parameters that are not trained, as shell patterns of their names: [features.*]; batch normalization that is frozen also keeps its running statistics"
  )
  public var freeze: [String] = []

  /// The defaults.
  public init() {}

  /// Throws when there are no weights that the last layer could differ from.
  public func check() throws(SettingError) {
    guard newHead, weights == nil else { return }
    throw SettingError("newHead", "is true, but 'weights' names no file to load: set it too")
  }
}

extension Setting<Double> {
  /// The option of models that drop hidden units.
  static var dropout: Setting {
    Setting(wrappedValue: 0, "probability of dropping a hidden unit in training", in: 0..<1)
  }
}

/// The options of a model that has dropout and nothing else.
struct DropoutOptions: SettingsGroup {
  @Setting(shared: .dropout) var dropout: Double
}
