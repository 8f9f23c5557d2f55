// All that can be said about a run, with defaults; `ConfigurationKey` documents each value.
import Base
import Checkpointing
public import DataLoading
public import DataParallel

/// What to train, on what, and how; the same configuration is the same run on any number of ranks.
public struct TrainingConfiguration: Sendable, Equatable, Codable {
  /// The model's architecture.
  public struct Model: Sendable, Equatable, Codable {
    /// The functions that can follow a hidden layer.
    public enum Activation: String, Sendable, Codable, CaseIterable {
      case relu, tanh, sigmoid
    }

    /// The architecture.
    public var kind = "mlp"
    /// The widths of the hidden layers.
    public var hidden = [128, 64]
    /// What follows each hidden layer.
    public var activation = Activation.relu
    /// The probability of dropping a hidden unit.
    public var dropout = 0.0
    /// The blocks of a transformer.
    public var layers = 4
    /// The attention heads of each block.
    public var heads = 4
    /// The width of the residual stream.
    public var width = 128
    /// A safetensors file with the initial weights; empty draws them at random.
    public var weights = ""

    /// The defaults.
    public init() {}
  }

  /// The data set.
  public struct Data: Sendable, Equatable, Codable {
    /// Whether the first line of a CSV file names the columns.
    public enum Header: String, Sendable, Codable, CaseIterable {
      case auto, yes, no
    }

    /// What the targets are.
    public enum Target: String, Sendable, Codable, CaseIterable {
      case auto, classes, values
    }

    /// The embedded digits, or the format of the files.
    public var kind = DataSource.Kind.digits
    /// The file or directory.
    public var path = ""
    /// The samples at the end that are kept for testing; -1 leaves it to the data.
    public var testCount = -1
    /// The number of classes; 0 is one more than the largest label.
    public var classes = 0
    /// What the targets are.
    public var target = Target.auto
    /// The column of the target in a CSV file: a name, or a number from 1; empty is the last.
    public var labelColumn = ""
    /// Whether the first line of a CSV file names the columns.
    public var header = Header.auto
    /// The shape of a sample in a CSV file; empty is one axis.
    public var inputShape: [Int] = []
    /// What is done with the inputs.
    public var normalize = DataSource.Normalization.none
    /// The tokens of a sample of text.
    public var blockSize = 64
    /// The share of a text's last tokens that is kept for testing.
    public var testFraction = 0.1

    /// The defaults.
    public init() {}
  }

  /// The training loop.
  public struct Training: Sendable, Equatable, Codable {
    /// The losses.
    public enum Loss: String, Sendable, Codable, CaseIterable {
      case auto, crossEntropy, meanSquaredError, binaryCrossEntropyWithLogits
    }

    /// How often all samples are seen.
    public var epochs = 20
    /// The steps of the run; 0 leaves it to the epochs.
    public var steps = 0
    /// The samples of a step over all ranks.
    public var globalBatch = 64
    /// What every random choice follows from.
    public var seed = 1
    /// The parts in which a rank computes its share of a step.
    public var microBatches = 1
    /// The norm to which a longer gradient is scaled down; 0 is none.
    public var gradientClipNorm = 0.0
    /// What is minimized.
    public var loss = Loss.auto
    /// How often the test samples are evaluated; 0 is never.
    public var evaluateEveryEpochs = 1
    /// The steps between two evaluations; 0 leaves it to the epochs.
    public var evaluateEverySteps = 0
    /// The batches of test samples in each evaluation but the last; 0 is all.
    public var evaluationBatches = 0

    /// The defaults.
    public init() {}
  }

  /// The optimizer.
  public struct Optimizer: Sendable, Equatable, Codable {
    /// The rules that update parameters.
    public enum Kind: String, Sendable, Codable, CaseIterable {
      case sgd, adamw
    }

    /// The rule.
    public var kind = Kind.sgd
    /// The learning rate before the schedule.
    public var learningRate = 0.05
    /// The momentum.
    public var momentum = 0.9
    /// How much less of the gradient enters the momentum.
    public var dampening = 0.0
    /// Whether the momentum is Nesterov's.
    public var nesterov = false
    /// The factor of the parameters that is added to their gradients, or with AdamW the share of the
    /// learning rate by which they shrink.
    public var weightDecay = 0.0
    /// How much of AdamW's first moment is kept.
    public var beta1 = 0.9
    /// How much of AdamW's second moment is kept.
    public var beta2 = 0.999
    /// What is added to the root of AdamW's second moment.
    public var epsilon = 1e-8

    /// The defaults.
    public init() {}
  }

  /// How the learning rate changes.
  public struct Schedule: Sendable, Equatable, Codable {
    /// The shapes.
    public enum Kind: String, Sendable, Codable, CaseIterable {
      case constant, step, cosine
    }

    /// The shape.
    public var kind = Kind.constant
    /// The steps over which the learning rate first rises from zero.
    public var warmupSteps = 0
    /// The steps between two multiplications by `gamma`.
    public var stepSize = 0
    /// The factor of the step schedule.
    public var gamma = 0.1
    /// The learning rate at the end of the cosine schedule.
    public var minimumLearningRate = 0.0

    /// The defaults.
    public init() {}
  }

  /// When checkpoints are saved and removed.
  public struct Checkpoint: Sendable, Equatable, Codable {
    /// The steps between checkpoints; 0 is at the end of every epoch, or after the steps between
    /// two evaluations.
    public var everySteps = 0
    /// How many are kept; 0 keeps all.
    public var keep = 3

    /// The defaults.
    public init() {}
  }

  /// How ranks work together.
  public struct Distributed: Sendable, Equatable, Codable {
    /// The fixed parts of a batch that make runs on any number of ranks equal to the bit; 0 is none.
    public var shards = 0
    /// The megabytes of gradient that are summed at a time across machines; 0 is all at once.
    public var bucketMegabytes = 0.5
    /// How sums across machines get on while ranks compute.
    public var overlap = Overlap.auto
    /// Whether batch normalisation takes its statistics over the samples of all ranks.
    public var synchronizedBatchNorm = false
    /// The steps between two comparisons of the weights of all ranks; 0 is never.
    public var auditEverySteps = 100
    /// The threads of each rank; 0 is an even share of the node's cores.
    public var threadsPerRank = 0

    /// The defaults.
    public init() {}
  }

  /// What is recorded, and where.
  public struct Logging: Sendable, Equatable, Codable {
    /// The steps between records; 0 is none.
    public var everySteps = 1
    /// The directory in which runs get theirs.
    public var directory = "runs"

    /// The defaults.
    public init() {}
  }

  /// The name of the run's directory.
  public var name = "digits-mlp"
  /// The model's architecture.
  public var model = Model()
  /// The data set.
  public var data = Data()
  /// The training loop.
  public var training = Training()
  /// The optimizer.
  public var optimizer = Optimizer()
  /// How the learning rate changes.
  public var schedule = Schedule()
  /// When checkpoints are saved and removed.
  public var checkpoint = Checkpoint()
  /// How ranks work together.
  public var distributed = Distributed()
  /// What is recorded, and where.
  public var logging = Logging()

  /// The defaults.
  public init() {}

  /// The defaults, overlaid by a file, overlaid by `key.path=value` options in their order, and
  /// checked.
  public init(
    document: ConfigurationDocument? = nil, overrides: [String] = [],
    modelKinds: [String] = ModelRegistry.kinds
  ) throws(ConfigurationError) {
    var overlay = ConfigurationOverlay(keys: ConfigurationKey.all(modelKinds: modelKinds))
    if let document { try overlay.apply(document) }
    for override in overrides { try overlay.apply(override: override) }
    self = overlay.configuration
    try validate(modelKinds: modelKinds)
  }

  /// Checks every value by itself and those that must fit together.
  public func validate(modelKinds: [String] = ModelRegistry.kinds) throws(ConfigurationError) {
    for key in ConfigurationKey.all(modelKinds: modelKinds) {
      let value = key.read(self)
      guard key.accepts(value) else {
        throw ConfigurationError("'\(key.path)' is \(value.yaml); allowed: \(key.allowed)")
      }
    }
    if data.kind != .digits && data.path.isEmpty {
      throw ConfigurationError(
        "'data.kind' is \(data.kind.rawValue), so 'data.path' must name the file or directory")
    }
    let takesTokens = model.kind == "gpt"
    if (data.kind == .text) != takesTokens {
      throw ConfigurationError(
        takesTokens
          ? "'model.kind' is gpt, which is for 'data.kind' text, not \(data.kind.rawValue)"
          : "'data.kind' is text, which is for 'model.kind' gpt, not \(model.kind)")
    }
    if takesTokens && !model.width.isMultiple(of: model.heads) {
      throw ConfigurationError(
        "'model.width' is \(model.width), which does not divide into \(model.heads) heads ('model.heads')"
      )
    }
    try check(worldSize: 1)
    if optimizer.nesterov && (optimizer.momentum == 0 || optimizer.dampening != 0) {
      throw ConfigurationError(
        "'optimizer.nesterov' needs 'optimizer.momentum' above 0 and 'optimizer.dampening' 0; "
          + "they are \(optimizer.momentum) and \(optimizer.dampening)")
    }
    if schedule.kind == .step && schedule.stepSize == 0 {
      throw ConfigurationError("'schedule.kind' is step, so 'schedule.stepSize' must be at least 1")
    }
    if training.microBatches > training.globalBatch {
      throw ConfigurationError(
        "'training.microBatches' is \(training.microBatches), more than the "
          + "\(training.globalBatch) samples of 'training.globalBatch'")
    }
    if data.target == .values && training.loss == .crossEntropy {
      throw ConfigurationError(
        "'training.loss' is crossEntropy, which needs classes, but 'data.target' is values")
    }
  }

  /// Checks what depends on the number of ranks.
  func check(worldSize: Int) throws(ConfigurationError) {
    do {
      try parallelOptions.check(worldSize: worldSize)
    } catch {
      let key = error.option == "fixedSlices" ? "shards" : error.option
      throw ConfigurationError("'distributed.\(key)' \(error.problem)")
    }
  }

  /// This configuration with `key.path=value` options laid over it, checked.
  public func applying(_ overrides: [String]) throws(ConfigurationError) -> TrainingConfiguration {
    let kinds = ModelRegistry.kinds
    var overlay = ConfigurationOverlay(
      configuration: self, keys: ConfigurationKey.all(modelKinds: kinds))
    for override in overrides { try overlay.apply(override: override) }
    try overlay.configuration.validate(modelKinds: kinds)
    return overlay.configuration
  }

  /// The whole configuration as YAML, which reads back to an equal one.
  public func yaml() -> String {
    var lines: [String] = []
    var section = ""
    for key in ConfigurationKey.all(modelKinds: [model.kind]) {
      let parts = key.path.split(separator: ".", maxSplits: 1).map(String.init)
      if parts.count == 2 && parts[0] != section {
        section = parts[0]
        lines += ["", "\(section):"]
      }
      let indentation = parts.count == 2 ? "  " : ""
      lines.append("\(indentation)\(parts[parts.count - 1]): \(key.read(self).yaml)")
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// The paths at which two configurations differ, with both values.
  public func differences(
    from other: TrainingConfiguration
  ) -> [(path: String, value: ConfigurationValue, other: ConfigurationValue)] {
    ConfigurationKey.all().compactMap { key in
      let (value, otherValue) = (key.read(self), key.read(other))
      return value == otherValue ? nil : (key.path, value, otherValue)
    }
  }
}

/// Defaults with a file and options laid over them, key by key.
private struct ConfigurationOverlay {
  var configuration: TrainingConfiguration
  private let keys: [String: ConfigurationKey]
  private let paths: [String]
  private let sections: Set<String>

  init(
    configuration: TrainingConfiguration = TrainingConfiguration(), keys: [ConfigurationKey]
  ) {
    self.configuration = configuration
    self.keys = Dictionary(uniqueKeysWithValues: keys.map { ($0.path, $0) })
    paths = keys.map(\.path)
    sections = Set(
      paths.compactMap { path in path.firstIndex(of: ".").map { String(path[..<$0]) } })
  }

  mutating func apply(_ document: ConfigurationDocument) throws(ConfigurationError) {
    guard case .mapping(let entries, _) = document.root else {
      throw ConfigurationError(
        "expected keys with values, like 'training:', and found \(document.root.summary)",
        place: "\(document.path):\(document.root.line)")
    }
    var lines: [String: Int] = [:]
    try apply(entries, prefix: "", file: document.path, lines: &lines)
  }

  private mutating func apply(
    _ entries: [ConfigurationNode.Entry], prefix: String, file: String, lines: inout [String: Int]
  ) throws(ConfigurationError) {
    for entry in entries {
      let path = prefix + entry.key
      let place = "\(file):\(entry.line)"
      if let first = lines.updateValue(entry.line, forKey: path) {
        throw ConfigurationError(
          "'\(path)' is set twice, on lines \(first) and \(entry.line)", place: place)
      }
      if sections.contains(path) {
        switch entry.value {
        case .mapping(let inner, _):
          try apply(inner, prefix: path + ".", file: file, lines: &lines)
        case .scalar("", false, _):
          continue  // A section whose keys are all commented out.
        default:
          throw ConfigurationError(
            "'\(path)' is a section and needs keys on the lines below it; found "
              + entry.value.summary, place: place)
        }
      } else {
        try set(path, to: entry.value, place: place)
      }
    }
  }

  mutating func apply(override: String) throws(ConfigurationError) {
    let place = "--set \(override.prefix(200))"
    guard let equals = override.firstIndex(of: "=") else {
      throw ConfigurationError(
        "expected key=value, for example training.epochs=5", place: place, exitStatus: .usage)
    }
    let path = String(override[..<equals])
    let text = String(override[override.index(after: equals)...])
    if sections.contains(path) {
      throw ConfigurationError(
        "'\(path)' is a section; name one of its keys: \(keyNames(in: path))", place: place)
    }
    let isList = if case .integers = keys[path]?.kind { true } else { false }
    try set(path, to: isList ? list(text) : scalar(text, path: path), place: place)
  }

  private func scalar(_ text: String, path: String) -> ConfigurationNode {
    // On the command line an empty text needs no quotes: the shell has removed them.
    let isText = if case .text = keys[path]?.kind { true } else { false }
    return .scalar(text: text, isQuoted: isText, line: 1)
  }

  private func list(_ text: String) -> ConfigurationNode {
    let isBracketed = text.hasPrefix("[") && text.hasSuffix("]") && text.count >= 2
    let inner = isBracketed ? text.dropFirst().dropLast() : text[...]
    if inner.allSatisfy(\.isWhitespace) && isBracketed { return .sequence([], line: 1) }
    let elements = inner.split(separator: ",", omittingEmptySubsequences: false).map { piece in
      let words = piece.split(whereSeparator: \.isWhitespace)
      return ConfigurationNode.scalar(
        text: words.joined(separator: " "), isQuoted: false, line: 1)
    }
    return .sequence(elements, line: 1)
  }

  private mutating func set(
    _ path: String, to node: ConfigurationNode, place: String
  ) throws(ConfigurationError) {
    guard let key = keys[path] else { throw unknownKey(path, place: place) }
    guard let value = key.value(of: node) else {
      let unit = key.unit.map { " (\($0))" } ?? ""
      throw ConfigurationError(
        "'\(path)'\(unit) cannot be \(node.summary)\(hint(for: node, key)); "
          + "allowed: \(key.allowed); default: \(key.defaultValue.yaml)",
        place: place)
    }
    key.write(&configuration, value)
  }

  /// Explains refusals of what other readers of YAML would accept.
  private func hint(for node: ConfigurationNode, _ key: ConfigurationKey) -> String {
    guard case .scalar(let text, let isQuoted, _) = node else { return "" }
    switch key.kind {
    case .integer where isQuoted, .number where isQuoted, .boolean where isQuoted:
      return ", which quotes make a text"
    case .integer where text.contains("."), .integer where text.lowercased().contains("e"):
      return ", which is not written as an integer"
    case .integer where text.hasPrefix("0"), .number where text.hasPrefix("0"):
      return ", whose meaning differs between readers of YAML"
    default: return ""
    }
  }

  private func unknownKey(_ path: String, place: String) -> ConfigurationError {
    let name = path.prefix(100)
    if let nearest = ConfigurationKey.nearest(to: path, among: paths + sections.sorted()) {
      let detail = keys[nearest].map { " (\($0.type), default \($0.defaultValue.yaml))" }
      return ConfigurationError(
        "unknown key '\(name)'; did you mean '\(nearest)'\(detail ?? "")?", place: place)
    }
    let section = path.firstIndex(of: ".").map { String(path[..<$0]) } ?? ""
    return ConfigurationError(
      "unknown key '\(name)'; known here: \(keyNames(in: section))", place: place)
  }

  /// The names that a section, or with an unknown section the whole file, may hold.
  private func keyNames(in section: String) -> String {
    guard sections.contains(section) else {
      return (["name"] + sections.sorted()).joined(separator: ", ")
    }
    return paths.filter { $0.hasPrefix(section + ".") }
      .map { String($0.dropFirst(section.count + 1)) }.joined(separator: ", ")
  }
}
