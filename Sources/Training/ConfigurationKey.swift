// The one table of all keys. Reading, checking, writing and documenting a configuration all go by
// it.
import Base
import Checkpointing

/// A value of the configuration.
public enum ConfigurationValue: Sendable, Equatable {
  case text(String)
  case word(String)
  case integer(Int)
  case number(Double)
  case boolean(Bool)
  case integers([Int])

  /// The value as YAML that reads back to it, here and in readers with other rules for numbers.
  public var yaml: String {
    switch self {
    case .text(let text):
      var quoted = ""
      JSONValue.writeQuoted(text, to: &quoted)
      return quoted
    case .word(let word):
      // Other readers take these two for truth values.
      return ["yes", "no"].contains(word) ? "\"\(word)\"" : word
    case .integer(let value): return String(value)
    case .number(let value):
      let digits = value.description
      guard let e = digits.firstIndex(of: "e"), !digits.contains(".") else { return digits }
      return digits[..<e] + ".0" + digits[e...]
    case .boolean(let value): return value ? "true" : "false"
    case .integers(let values): return "[" + values.map(String.init).joined(separator: ", ") + "]"
    }
  }
}

/// A key of the configuration: where it is, what it may be, and what it is for.
public struct ConfigurationKey: Sendable {
  /// What values a key takes.
  enum Kind: Sendable {
    case text
    case fileName
    case word([String])
    case integer(ClosedRange<Int>)
    case number(Range<Double>)
    case boolean
    case integers(ClosedRange<Int>)
  }

  /// The section and the name, with a dot between.
  public let path: String
  /// The unit of a quantity.
  public let unit: String?
  /// What the key is for, in one line.
  public let summary: String
  let kind: Kind
  let read: @Sendable (TrainingConfiguration) -> ConfigurationValue
  let write: @Sendable (inout TrainingConfiguration, ConfigurationValue) -> Void

  /// The value before a file or an option says otherwise.
  public var defaultValue: ConfigurationValue { read(TrainingConfiguration()) }

  /// The value in a configuration.
  public func value(in configuration: TrainingConfiguration) -> ConfigurationValue {
    read(configuration)
  }

  /// The type's name.
  public var type: String {
    switch kind {
    case .text, .fileName: "text"
    case .word: "word"
    case .integer: "integer"
    case .number: "number"
    case .boolean: "boolean"
    case .integers: "list of integers"
    }
  }

  /// The allowed values in words.
  public var allowed: String {
    switch kind {
    case .text: "any text"
    case .fileName: "letters, digits, '.', '_' and '-', not beginning with '.'"
    case .word(let words): words.joined(separator: ", ")
    case .integer(let range): "an integer " + ConfigurationKey.bounds(range)
    case .number(let range):
      range.upperBound == .infinity
        ? "a number of at least \(range.lowerBound)"
        : "a number of at least \(range.lowerBound) and below \(range.upperBound)"
    case .boolean: "true, false"
    case .integers(let range): "a list like [128, 64], each " + ConfigurationKey.bounds(range)
    }
  }

  private static func bounds(_ range: ClosedRange<Int>) -> String {
    range.upperBound == .max
      ? "of at least \(range.lowerBound)"
      : "from \(range.lowerBound) to \(range.upperBound)"
  }

  /// Whether a value of the right type is also in range.
  func accepts(_ value: ConfigurationValue) -> Bool {
    switch (kind, value) {
    case (.text, .text(let text)): !text.unicodeScalars.contains("\0")
    case (.fileName, .text(let text)): text.isPlainFileName
    case (.word(let words), .word(let word)): words.contains(word)
    case (.integer(let range), .integer(let value)): range.contains(value)
    case (.number(let range), .number(let value)): range.contains(value)
    case (.boolean, .boolean): true
    case (.integers(let range), .integers(let values)): values.allSatisfy(range.contains)
    default: false
    }
  }

  /// The value that a node of a file stands for, if it has the right type and is in range.
  func value(of node: ConfigurationNode) -> ConfigurationValue? {
    let value: ConfigurationValue?
    switch (kind, node) {
    case (.text, .scalar(let text, let isQuoted, _)),
      (.fileName, .scalar(let text, let isQuoted, _)):
      value = isQuoted || !["", "~", "null"].contains(text) ? .text(text) : nil
    case (.word, .scalar(let text, _, _)): value = .word(text)
    case (.integer, .scalar(let text, false, _)):
      value = ConfigurationKey.integer(text).map { .integer($0) }
    case (.number, .scalar(let text, false, _)):
      value = ConfigurationKey.number(text).map { .number($0) }
    case (.boolean, .scalar("true", false, _)): value = .boolean(true)
    case (.boolean, .scalar("false", false, _)): value = .boolean(false)
    case (.integers, .sequence(let elements, _)):
      let values = elements.compactMap { element -> Int? in
        guard case .scalar(let text, false, _) = element else { return nil }
        return ConfigurationKey.integer(text)
      }
      value = values.count == elements.count ? .integers(values) : nil
    default: value = nil
    }
    return value.flatMap { accepts($0) ? $0 : nil }
  }

  /// A decimal integer; `010`, `0x10` and `1_000` mean different things to different readers.
  private static func integer(_ text: String) -> Int? {
    text.wholeMatch(of: /-?(0|[1-9][0-9]*)/) == nil ? nil : Int(text)
  }

  /// A finite decimal number, such as `3`, `0.5`, `.5` or `1e-4`.
  private static func number(_ text: String) -> Double? {
    guard
      text.wholeMatch(of: /[-+]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?/) != nil,
      let value = Double(text), value.isFinite
    else { return nil }
    return value
  }
}

extension ConfigurationKey {
  private typealias Field<Value> = any WritableKeyPath<TrainingConfiguration, Value> & Sendable

  /// All keys, in the order in which they are written.
  public static func all(modelKinds: [String] = ModelRegistry.kinds) -> [ConfigurationKey] {
    [
      name("name", \.name, "names the run's directory"),

      word("model.kind", modelKinds, \.model.kind, "the architecture"),
      integers(
        "model.hidden", \.model.hidden, 1...(1 << 20), unit: "units",
        "mlp: the widths of the hidden layers, first to last"),
      word("model.activation", \.model.activation, "mlp: what follows each hidden layer"),
      number(
        "model.dropout", \.model.dropout, 0..<1,
        "the probability with which a hidden unit is dropped in training"),
      integer("model.layers", \.model.layers, 1...1024, "gpt: the number of blocks"),
      integer("model.heads", \.model.heads, 1...1024, "gpt: the attention heads of a block"),
      integer(
        "model.width", \.model.width, 1...(1 << 20), unit: "units",
        "gpt: the width of the residual stream"),
      text(
        "model.weights", \.model.weights,
        "a safetensors file with the initial weights, PyTorch's names; empty draws them at random"),

      word("data.kind", \.data.kind, "the embedded digits, or the format of the files"),
      text("data.path", \.data.path, "the file or directory of the data; digits need none"),
      integer(
        "data.testCount", \.data.testCount, -1...(.max), unit: "samples",
        "how many samples at the end are for testing; -1 leaves it to the data, 0 tests on none"),
      integer(
        "data.classes", \.data.classes, 0...100_000,
        "how many classes, or tokens in .bin files, there are; 0 is one more than the largest"),
      word("data.target", \.data.target, "csv and npy: whether to learn classes or values"),
      text(
        "data.labelColumn", \.data.labelColumn,
        "csv: the column to learn, by its name or its number from 1; empty is the last"),
      word("data.header", \.data.header, "csv: whether the first line names the columns"),
      integers(
        "data.inputShape", \.data.inputShape, 1...(1 << 20),
        "csv: the shape of a sample, as [1, 28, 28]; empty is one axis"),
      word(
        "data.normalize", \.data.normalize,
        "whether inputs get mean 0 and deviation 1: all together, or each or each channel by itself"
      ),
      integer(
        "data.blockSize", \.data.blockSize, 1...(1 << 20), unit: "tokens",
        "text: how many tokens a sample has"),
      number(
        "data.testFraction", \.data.testFraction, 0..<1,
        "text: the share of the last tokens that is for testing"),

      integer(
        "training.epochs", \.training.epochs, 1...(.max), unit: "epochs",
        "how often all samples are seen"),
      integer(
        "training.steps", \.training.steps, 0...(.max), unit: "steps",
        "how many steps the run has, whatever the epochs; 0 leaves it to training.epochs"),
      integer(
        "training.globalBatch", \.training.globalBatch, 1...(.max), unit: "samples",
        "the samples of a step over all ranks"),
      integer(
        "training.seed", \.training.seed, 0...(.max),
        "what initial weights, sample order and dropout follow from"),
      integer(
        "training.microBatches", \.training.microBatches, 1...(.max),
        "the parts in which a rank computes its share of a step, to save memory"),
      number(
        "training.gradientClipNorm", \.training.gradientClipNorm, 0..<(.infinity),
        "the norm to which a longer gradient is scaled down; 0 leaves it alone"),
      word("training.loss", \.training.loss, "what is minimized; auto fits the targets"),
      integer(
        "training.evaluateEveryEpochs", \.training.evaluateEveryEpochs, 0...(.max), unit: "epochs",
        "how often the test samples are evaluated; 0 is never"),
      integer(
        "training.evaluateEverySteps", \.training.evaluateEverySteps, 0...(.max), unit: "steps",
        "the same in steps, and how often a line is printed; 0 leaves it to evaluateEveryEpochs"),
      integer(
        "training.evaluationBatches", \.training.evaluationBatches, 0...(.max), unit: "batches",
        "how much of the test samples, spread evenly, all evaluations but the last take; 0 is all"),

      word("optimizer.kind", \.optimizer.kind, "the rule that updates the parameters"),
      number(
        "optimizer.learningRate", \.optimizer.learningRate, 0..<(.infinity),
        "the learning rate, before the schedule"),
      number(
        "optimizer.momentum", \.optimizer.momentum, 0..<(.infinity), "sgd: the momentum; 0 is none"),
      number(
        "optimizer.dampening", \.optimizer.dampening, 0..<(.infinity),
        "sgd: how much less of the gradient enters the momentum"),
      boolean(
        "optimizer.nesterov", \.optimizer.nesterov, "sgd: whether the momentum is Nesterov's"),
      number(
        "optimizer.weightDecay", \.optimizer.weightDecay, 0..<(.infinity),
        "the factor of the parameters that is added to their gradients (adamw: that they shrink by)"
      ),
      number(
        "optimizer.beta1", \.optimizer.beta1, 0..<1, "adamw: how much of the first moment stays"),
      number(
        "optimizer.beta2", \.optimizer.beta2, 0..<1, "adamw: how much of the second moment stays"),
      number(
        "optimizer.epsilon", \.optimizer.epsilon, 1e-30..<1,
        "adamw: what is added to the root of the second moment"),

      word("schedule.kind", \.schedule.kind, "how the learning rate changes"),
      integer(
        "schedule.warmupSteps", \.schedule.warmupSteps, 0...(.max), unit: "steps",
        "over how many first steps the learning rate rises from zero"),
      integer(
        "schedule.stepSize", \.schedule.stepSize, 0...(.max), unit: "steps",
        "step: after how many steps the learning rate is multiplied by gamma"),
      number("schedule.gamma", \.schedule.gamma, 0..<(.infinity), "step: that factor"),
      number(
        "schedule.minimumLearningRate", \.schedule.minimumLearningRate, 0..<(.infinity),
        "cosine: the learning rate at the end"),

      integer(
        "checkpoint.everySteps", \.checkpoint.everySteps, 0...(.max), unit: "steps",
        "how often a checkpoint is saved; 0 is at the end of every epoch or evaluateEverySteps"),
      integer(
        "checkpoint.keep", \.checkpoint.keep, 0...(.max),
        "how many checkpoints are kept; 0 keeps all"),

      integer(
        "distributed.shards", \.distributed.shards, 0...4096, unit: "shards",
        "fixed parts of a batch, a power of two: 1, 2, 4, ... ranks then get the same bits; 0 is none"
      ),
      number(
        "distributed.bucketMegabytes", \.distributed.bucketMegabytes, 0..<4096, unit: "MB",
        "how much gradient is summed at a time across machines; 0 sums all at once"),
      word(
        "distributed.overlap", \.distributed.overlap,
        "how sums across machines go on behind computation"),
      boolean(
        "distributed.synchronizedBatchNorm", \.distributed.synchronizedBatchNorm,
        "whether batch normalisation uses the samples of all ranks, and not of each its own"),
      integer(
        "distributed.auditEverySteps", \.distributed.auditEverySteps, 0...(.max), unit: "steps",
        "the steps between two comparisons of the ranks' weights; 0 is never"),
      integer(
        "distributed.threadsPerRank", \.distributed.threadsPerRank, 0...1024, unit: "threads",
        "the threads of each rank; 0 shares the node's cores among its ranks"),

      integer(
        "logging.everySteps", \.logging.everySteps, 0...(.max), unit: "steps",
        "how often a step is recorded in metrics.jsonl; 0 is never"),
      text("logging.directory", \.logging.directory, "the directory in which runs get theirs"),
    ]
  }

  private static func text(
    _ path: String, _ field: Field<String>, _ summary: String
  ) -> ConfigurationKey {
    ConfigurationKey(
      path: path, unit: nil, summary: summary, kind: .text,
      read: { .text($0[keyPath: field]) },
      write: { if case .text(let text) = $1 { $0[keyPath: field] = text } })
  }

  private static func name(
    _ path: String, _ field: Field<String>, _ summary: String
  ) -> ConfigurationKey {
    ConfigurationKey(
      path: path, unit: nil, summary: summary, kind: .fileName,
      read: { .text($0[keyPath: field]) },
      write: { if case .text(let text) = $1 { $0[keyPath: field] = text } })
  }

  private static func word(
    _ path: String, _ words: [String], _ field: Field<String>, _ summary: String
  ) -> ConfigurationKey {
    ConfigurationKey(
      path: path, unit: nil, summary: summary, kind: .word(words),
      read: { .word($0[keyPath: field]) },
      write: { if case .word(let word) = $1 { $0[keyPath: field] = word } })
  }

  private static func word<Word: RawRepresentable<String> & CaseIterable & SendableMetatype>(
    _ path: String, _ field: Field<Word>, _ summary: String
  ) -> ConfigurationKey {
    ConfigurationKey(
      path: path, unit: nil, summary: summary, kind: .word(Word.allCases.map(\.rawValue)),
      read: { .word($0[keyPath: field].rawValue) },
      write: {
        if case .word(let text) = $1, let word = Word(rawValue: text) { $0[keyPath: field] = word }
      })
  }

  private static func integer(
    _ path: String, _ field: Field<Int>, _ range: ClosedRange<Int>, unit: String? = nil,
    _ summary: String
  ) -> ConfigurationKey {
    ConfigurationKey(
      path: path, unit: unit, summary: summary, kind: .integer(range),
      read: { .integer($0[keyPath: field]) },
      write: { if case .integer(let value) = $1 { $0[keyPath: field] = value } })
  }

  private static func number(
    _ path: String, _ field: Field<Double>, _ range: Range<Double>, unit: String? = nil,
    _ summary: String
  ) -> ConfigurationKey {
    ConfigurationKey(
      path: path, unit: unit, summary: summary, kind: .number(range),
      read: { .number($0[keyPath: field]) },
      write: { if case .number(let value) = $1 { $0[keyPath: field] = value } })
  }

  private static func boolean(
    _ path: String, _ field: Field<Bool>, _ summary: String
  ) -> ConfigurationKey {
    ConfigurationKey(
      path: path, unit: nil, summary: summary, kind: .boolean,
      read: { .boolean($0[keyPath: field]) },
      write: { if case .boolean(let value) = $1 { $0[keyPath: field] = value } })
  }

  private static func integers(
    _ path: String, _ field: Field<[Int]>, _ range: ClosedRange<Int>, unit: String? = nil,
    _ summary: String
  ) -> ConfigurationKey {
    ConfigurationKey(
      path: path, unit: unit, summary: summary, kind: .integers(range),
      read: { .integers($0[keyPath: field]) },
      write: { if case .integers(let values) = $1 { $0[keyPath: field] = values } })
  }
}

extension ConfigurationKey {
  /// The path nearest to one that is unknown, unless all are far from it.
  static func nearest(to unknown: String, among paths: [String]) -> String? {
    let word = unknown.prefix(100).lowercased()
    let leaf = String(word.split(separator: ".").last ?? "")
    let ranked = paths.map { path -> (distance: Int, path: String) in
      let candidate = path.lowercased()
      let name = String(candidate.split(separator: ".").last ?? "")
      // A key in the wrong section is near too, but less so than the same mistake in the right one.
      return (min(editDistance(word, candidate), editDistance(leaf, name) + 1), path)
    }
    guard let best = ranked.min(by: { $0.distance < $1.distance }),
      best.distance <= max(2, leaf.count / 2)
    else { return nil }
    return best.path
  }

  /// The fewest insertions, removals and replacements that turn one text into the other.
  private static func editDistance(_ first: String, _ second: String) -> Int {
    let columns = Array(second)
    var previous = Array(0...columns.count)
    for (row, character) in first.enumerated() {
      var current = [row + 1]
      for (column, other) in columns.enumerated() {
        current.append(
          min(
            previous[column] + (character == other ? 0 : 1), previous[column + 1] + 1,
            current[column] + 1))
      }
      previous = current
    }
    return previous[columns.count]
  }
}
