import Base
public import Settings
import TensorCore

/// A model that a configuration can name.
public struct ModelKind: NamedEntry {
  /// All models that can be named.
  public static let all: [ModelKind] =
    [.mlp, .perceptron, .leNet, .cnn] + VGG.kinds + ResNet.kinds + [.gpt]

  /// The inputs that a model takes.
  public enum Inputs: Sendable, Equatable {
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
  private let makeModel: @Sendable (Shapes, any SettingsGroup) -> any Layer

  /// A model of a name.
  ///
  /// - Parameters:
  ///   - name: The name.
  ///   - inputs: The inputs that it takes.
  ///   - defaults: The options that it has unless others are set.
  ///   - make: Makes it for inputs that it takes.
  public init<Options: SettingsGroup>(
    _ name: String, _ inputs: Inputs, _ defaults: Options,
    make: @escaping @Sendable (Shapes, Options) -> any Layer
  ) {
    self.name = name
    self.inputs = inputs
    settings = defaults
    makeModel = { make($0, $1 as! Options) }
  }

  /// A model of a name that has no options.
  public init(
    _ name: String, _ inputs: Inputs, make: @escaping @Sendable (Shapes) -> any Layer
  ) {
    self.init(name, inputs, NoSettings()) { shapes, _ in make(shapes) }
  }

  /// Makes the model with initial weights drawn from `seed`.
  ///
  /// Throws when it does not take such samples, or the options do not fit together.
  ///
  /// - Parameters:
  ///   - options: The options, of the type of `settings`.
  ///   - inputShape: The shape of one sample, such as `[1, 28, 28]`.
  ///   - outputs: How many numbers the model gives for a sample, or with tokens for each position.
  ///   - seed: The random seed of the initial weights.
  public func make(
    _ options: any SettingsGroup, inputShape: [Int], outputs: Int, seed: UInt64
  ) throws(SettingError) -> any Layer {
    try check(options, inputShape, outputs)
    return withRandomSource(seed: seed) {
      makeModel(Shapes(input: inputShape, outputs: outputs), options)
    }
  }

  /// The elements of all parameters and buffers of a model, which is not made; nil if there are more
  /// than an `Int` counts.
  ///
  /// Throws as `make` does.
  public func elementCount(
    _ options: any SettingsGroup, inputShape: [Int], outputs: Int
  ) throws(SettingError) -> Int? {
    try check(options, inputShape, outputs)
    return ShapesOnly.elementCount {
      makeModel(Shapes(input: inputShape, outputs: outputs), options)
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

/// Which model is trained, and from which weights.
public struct ModelChoice: SettingsGroup {
  /// The name of a `ModelKind`.
  @Setting("architecture", type: .word(ModelKind.all.names)) public var kind = "mlp"
  /// A safetensors file with the initial weights; nil draws them at random.
  @Setting(
    "safetensors file with the initial weights, under PyTorch's names; null draws them at random",
    unset: "", perRank: true)
  public var weights: String? = nil

  /// The defaults.
  public init() {}
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
