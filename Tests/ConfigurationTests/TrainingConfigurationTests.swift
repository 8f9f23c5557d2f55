import Configuration
import DataParallel
import Foundation
import NeuralNetworks
import Optimizers
import Settings
import Testing
import Training

/// A configuration of the text of a file.
func read(_ yaml: String, _ overrides: [String] = []) throws -> TrainingConfiguration {
  try TrainingConfiguration(yaml: Data(yaml.utf8), path: "run.yaml", overrides: overrides)
}

@Suite struct TrainingConfigurationTests {
  /// A file whose third line sets a key to a value, in YAML.
  private func file(_ path: String, _ value: String) -> String {
    let parts = path.split(separator: ".")
    return parts.count == 1 ? "\n\n\(path): \(value)" : "\n\(parts[0]):\n  \(parts[1]): \(value)"
  }

  private func message(_ body: () throws -> Void) -> String {
    let error = #expect(throws: ConfigurationError.self, performing: body)
    return error?.description ?? ""
  }

  @Test("without a file the defaults hold")
  func defaults() throws {
    let configuration = try TrainingConfiguration(overrides: [])
    #expect(configuration == .init())
    #expect(configuration["name"] == "digits-mlp")
    #expect(configuration["model.hidden"] == [128, 64])
    #expect(try configuration.group(Trainer.Options.self).globalBatch == 64)
    #expect(configuration["optimizer.momentum"] == 0.9)
    #expect(try configuration.group(Trainer.CheckpointOptions.self).keep == 3)
    #expect(try configuration.group(DataParallel.Options.self) == .init())
  }

  @Test("options win over the file, later options over earlier ones")
  func precedence() throws {
    let file = "training:\n  epochs: 7"
    #expect(try read(file)["training.epochs"] == 7)
    let configuration = try read(
      file, ["training.epochs=8", "training.epochs=9", "name=other"])
    #expect(configuration["training.epochs"] == 9)
    #expect(configuration["name"] == "other")
    #expect(try configuration.group(OptimizerChoice.self) == .init())
  }

  @Test("every key has a default that is allowed, a help text, and a path of its own")
  func keys() {
    let keys = ConfigurationKey.all
    #expect(Set(keys.map(\.path)).count == keys.count)
    for key in keys {
      #expect(!key.help.isEmpty && !key.declaration.allowed.isEmpty, "\(key.path)")
      for declaration in key.declarations {
        #expect(declaration.accepts(declaration.defaultValue), "\(key.path)")
      }
    }
  }

  @Test("every setting of a group is a key, and reaches the group when it is set")
  func groups() throws {
    func check<Group: SettingsGroup>(_ type: Group.Type) throws {
      for setting in Group().settings {
        let key = try #require(
          ConfigurationKey.all.first { key in
            key.name == setting.name && key.kinds.isEmpty && key.declaration.help == setting.help
          }, "\(setting.name) of \(type)")
        for value in other(setting) {
          var configuration = TrainingConfiguration()
          configuration[key.path] = value
          #expect(try configuration.group(type).value(of: setting.name) == value, "\(key.path)")
        }
      }
    }
    try check(RunName.self)
    try check(Trainer.Options.self)
    try check(Trainer.CheckpointOptions.self)
    try check(DataParallel.Options.self)
    try check(ObjectiveChoice.self)
    try check(OptimizerChoice.self)
    try check(ThreadOptions.self)
    try check(LoggingOptions.self)
  }

  /// Values that a setting takes.
  private func other(_ setting: SettingDeclaration) -> [SettingValue] {
    let values: [SettingValue] =
      switch setting.type {
      case .boolean: [true, false]
      case .integer: [1, 3]
      case .number: [0.5, 0.25]
      case .text, .fileName: ["a", "b"]
      case .word(let words): words.map { .text($0) }
      case .integers: [[2], [3, 4]]
      case .numbers: [.numbers([0.5]), .numbers([1e-30, 2])]
      case .texts: [.texts(["a b"]), .texts(["no", "3", "x: [y], \"z\"", "# é"])]
      }
    return values + (setting.isOptional ? [.null] : [])
  }

  @Test("the values of options are understood by the key's type")
  func overrides() throws {
    let configuration = try TrainingConfiguration(overrides: [
      "model.hidden=[32, 16]", "model.activation=tanh", "model.dropout=.25",
      "optimizer.learningRate=1e-4", "optimizer.nesterov=true", "data.kind=csv",
      "data.path=a=b, c", "data.header=no", "distributed.bucketMegabytes=2", "logging.directory=",
    ])
    #expect(configuration["model.hidden"] == [32, 16])
    #expect(configuration["model.activation"] == "tanh")
    #expect(configuration["model.dropout"] == 0.25)
    #expect(configuration["optimizer.learningRate"] == 1e-4)
    #expect(configuration["optimizer.nesterov"] == true)
    #expect(configuration["data.path"] == "a=b, c")
    #expect(configuration["data.header"] == "no")
    #expect(configuration["distributed.bucketMegabytes"] == 2.0)
    #expect(configuration["logging.directory"] == "")
    #expect(try TrainingConfiguration(overrides: ["model.hidden=8,9"])["model.hidden"] == [8, 9])
    #expect(try TrainingConfiguration(overrides: ["model.hidden=[]"])["model.hidden"] == [])
  }

  @Test(
    "values of the wrong type or out of range are refused",
    arguments: [
      ("training.epochs", "0"), ("training.epochs", "-1"), ("training.epochs", "1.0"),
      ("training.epochs", "1e3"), ("training.epochs", "010"), ("training.epochs", "12:30"),
      ("training.epochs", "1_000"), ("training.epochs", "0x10"), ("training.epochs", ""),
      ("training.epochs", "99999999999999999999"), ("training.epochs", "٣"),
      ("training.globalBatch", "0"), ("training.seed", "-1"),
      ("optimizer.learningRate", "-0.1"), ("optimizer.learningRate", "nan"),
      ("optimizer.learningRate", ".inf"), ("optimizer.learningRate", "1e400"),
      ("optimizer.learningRate", "010"), ("optimizer.learningRate", "12:30"),
      ("optimizer.learningRate", "."), ("optimizer.learningRate", "0x1p3"),
      ("optimizer.learningRate", "1 2"), ("model.dropout", "1"),
      ("optimizer.nesterov", "yes"), ("optimizer.nesterov", "on"), ("optimizer.nesterov", "True"),
      ("optimizer.nesterov", "1"), ("model.kind", "transformer"), ("model.activation", "ReLU"),
      ("model.hidden", "[0]"), ("model.hidden", "[a]"), ("model.hidden", "[1,,2]"),
      ("model.hidden", "[1 2]"), ("model.hidden", ""), ("name", "a/b"), ("name", ".."),
      ("name", ""), ("data.validation", "-2"), ("training.epochs", "null"), ("name", ""),
      ("model.activation", ""), ("distributed.fixedSlices", "4097"),
    ])
  func refusedValues(path: String, text: String) {
    let description = message { _ = try TrainingConfiguration(overrides: ["\(path)=\(text)"]) }
    #expect(description.contains("--set \(path)"))
    #expect(description.contains("'\(path)'"))
    #expect(description.contains("allowed: "))
  }

  @Test("a wrong value in a file is told with key, value, what is allowed, and line")
  func refusedInFile() {
    #expect(
      message { _ = try read(file("training.globalBatch", "many")) }
        == "run.yaml:3: 'training.globalBatch' (samples) cannot be 'many'; "
        + "allowed: an integer from 1 to 1000000000; default: 64")
    #expect(
      message { _ = try read(file("training.epochs", "'3'")) }
        .contains("the text \"3\", which quotes make a text"))
    for value in ["[]", "{a: 1}"] {
      #expect(
        message { _ = try read(file("training.epochs", value)) }
          .hasPrefix("run.yaml:3: 'training.epochs'"))
    }
    #expect(
      message { _ = try read(file("model.hidden", "five")) }.contains("a list like [128, 64]"))
    #expect(message { _ = try read(file("logging.directory", "")) }.contains("cannot be nothing"))
  }

  @Test(
    "an unknown key names the nearest known one",
    arguments: [
      ("training.epocs", "did you mean 'training.epochs' (integer, default 20)?"),
      ("trainer", "did you mean 'training'?"),
      ("learningRate", "did you mean 'optimizer.learningRate'"),
      ("optimizer.lerningrate", "did you mean 'optimizer.learningRate'"),
      ("training.globalbatch", "did you mean 'training.globalBatch'"),
      ("optimiser", "did you mean 'optimizer'?"),
      ("schedule.zzzzzzzz", "known here: kind, warmupSteps, stepSize, gamma, minimumLearningRate"),
      ("zzzzzzzzzzz", "known here: name, checkpoint, data, "),
    ])
  func unknownKeys(path: String, hint: String) {
    let description = message { _ = try read(file(path, "1")) }
    #expect(description.hasPrefix("run.yaml:3: unknown key '\(path)'"))
    #expect(description.contains(hint))
    #expect(
      message { _ = try TrainingConfiguration(overrides: ["\(path)=1"]) }.contains(hint))
  }

  @Test("a key set twice, also in dotted form or by its old name, is told with both lines")
  func duplicates() {
    #expect(
      message { _ = try read("training:\n  epochs: 1\n\n\ntraining.epochs: 2\n") }
        == "run.yaml:5: 'training.epochs' is set twice, on lines 2 and 5")
    #expect(
      message { _ = try read("distributed:\n  fixedSlices: 4\n  shards: 4\n") }
        == "run.yaml:3: 'distributed.shards' is set twice, on lines 2 and 3")
  }

  @Test("a section is no value, a value no section, a file no list; an empty section is fine")
  func shapes() throws {
    #expect(message { _ = try TrainingConfiguration(overrides: ["training=1"]) }.contains("epochs"))
    #expect(message { _ = try read(file("training", "1")) }.contains("is a section"))
    #expect(message { _ = try read("[]") }.hasPrefix("run.yaml:1: "))
    #expect(try read(file("training", "")) == .init())
    #expect(message { _ = try TrainingConfiguration(overrides: ["x"]) }.contains("key=value"))
  }

  @Test(
    "values that do not fit together are refused",
    arguments: [
      ["data.kind=csv"], ["optimizer.nesterov=true", "optimizer.momentum=0"],
      ["optimizer.nesterov=true", "optimizer.dampening=0.5"], ["schedule.kind=step"],
      ["training.microBatches=65"],
      ["data.target=values", "training.loss=crossEntropy"],
      ["data.kind=text", "data.path=input.txt"], ["model.kind=gpt"],
      ["model.kind=gpt", "data.kind=text", "data.path=input.txt", "model.heads=3"],
      ["data.kind=csv", "data.path=a.csv", "data.target=values", "data.classes=3"],
      ["distributed.fixedSlices=6"],
      ["distributed.fixedSlices=4", "distributed.synchronizedBatchNorm=true"],
    ])
  func combinations(overrides: [String]) throws {
    #expect(!message { _ = try TrainingConfiguration(overrides: overrides) }.isEmpty)
  }

  @Test("errors of a layer below get the section in which its option stands")
  func sections() {
    func message(_ overrides: String...) -> String {
      self.message { _ = try TrainingConfiguration(overrides: overrides) }
    }
    #expect(
      message("training.microBatches=65")
        == "--set training.microBatches=65: 'training.microBatches' is 65, more than the 64 samples of 'globalBatch'"
    )
    #expect(
      message("distributed.fixedSlices=6")
        == "--set distributed.fixedSlices=6: 'distributed.fixedSlices' is 6, which is not a power of two"
    )
    #expect(
      message("optimizer.nesterov=true", "optimizer.momentum=0")
        .hasPrefix("--set optimizer.nesterov=true: 'optimizer.nester"))
    #expect(message("schedule.kind=step").hasPrefix("'schedule.stepSize' is not set"))
    #expect(message("data.kind=csv").hasPrefix("'data.path' is not set"))
  }

  @Test("a configuration made in code is checked too")
  func validated() throws {
    var configuration = TrainingConfiguration()
    try configuration.validate()
    configuration["model.dropout"] = 1
    #expect(
      message { try configuration.validate() }
        == "'model.dropout' is 1.0; allowed: a number of at least 0.0 and below 1.0")
    configuration["model.dropout"] = 0
    configuration["model.kind"] = "own"
    #expect(message { try configuration.validate() }.contains("allowed: mlp"))
  }

  @Test(
    "data options that the kind does not have are refused, whatever their value",
    arguments: [
      ("csv", "blockSize", ["64", "65"]), ("digits", "validation", ["0.1", "0.2"]),
      ("digits", "split", ["last"]), ("digits", "path", ["a"]), ("idx", "inputShape", ["[28]"]),
      ("idx", "header", ["auto", "yes"]), ("npy", "labelColumn", ["y"]),
      ("cifar10", "classes", ["10"]), ("cifar10", "target", ["auto"]),
      ("text", "normalize", ["none", "standardize"]),
    ])
  func unusedData(kind: String, name: String, values: [String]) throws {
    var overrides = ["data.kind=\(kind)"]
    if kind != "digits" { overrides.append("data.path=x") }
    if kind == "text" { overrides.append("model.kind=gpt") }
    for value in values {
      let message = message {
        _ = try TrainingConfiguration(overrides: overrides + ["data.\(name)=\(value)"])
      }
      #expect(
        message.hasPrefix(
          "--set data.\(name)=\(value): 'data.\(name)' is not for kind \(kind), only for "))
    }
    _ = try TrainingConfiguration(overrides: overrides + ["data.\(name)=null"])
  }

  @Test("null, and what stood for it before, is not set")
  func unset() throws {
    let old = [
      "data.validation: -1", "data.classes: 0", "data.path: ''", "data.labelColumn: ''",
      "data.inputShape: []", "model.weights: ''", "training.steps: 0",
      "training.gradientClipNorm: 0.0", "training.evaluateEveryEpochs: 0",
      "training.evaluateEverySteps: 0", "training.evaluationBatches: 0", "schedule.stepSize: 0",
      "checkpoint.everySteps: 0", "checkpoint.keep: 0", "distributed.fixedSlices: 0",
      "distributed.bucketMegabytes: 0", "distributed.auditEverySteps: 0",
      "distributed.threadsPerRank: 0", "logging.everySteps: 0",
    ]
    for line in old {
      let path = String(line.prefix { $0 != ":" })
      #expect(try read(line)[path] == .null, "\(line)")
      #expect(try read("\(path): null")[path] == .null)
      #expect(try read("\(path):")[path] == .null)
      #expect(try TrainingConfiguration(overrides: ["\(path)=null"])[path] == .null)
    }
    #expect(try read("checkpoint.keep: null").group(Trainer.CheckpointOptions.self).keep == nil)
  }

  @Test("an old name is understood, with one warning that names the new one")
  func oldNames() throws {
    var warnings: [String] = []
    let configuration = try TrainingConfiguration(
      yaml: Data("distributed:\n  shards: 8\n".utf8), path: "run.yaml",
      onWarning: { warnings.append($0) })
    #expect(configuration["distributed.fixedSlices"] == 8)
    #expect(try configuration.group(DataParallel.Options.self).fixedSlices == 8)
    #expect(
      warnings == [
        "run.yaml:2: 'distributed.shards' is now named 'distributed.fixedSlices'; use the new name"
      ])
    warnings = []
    let override = try TrainingConfiguration(
      overrides: ["distributed.shards=4"], onWarning: { warnings.append($0) })
    #expect(override["distributed.fixedSlices"] == 4 && warnings.count == 1)
    warnings = []
    _ = try TrainingConfiguration(
      overrides: ["distributed.fixedSlices=4"], onWarning: { warnings.append($0) })
    #expect(warnings.isEmpty)
  }

  @Test("as YAML it lists all keys, and numbers and words are unmistakable")
  func yaml() throws {
    let configuration = try TrainingConfiguration(overrides: [
      "optimizer.learningRate=1e-5", "data.kind=csv", "data.header=no",
      "data.path=a \"b\"\n: c # d", "model.hidden=[]",
    ])
    let lines = configuration.yaml().split(separator: "\n", omittingEmptySubsequences: false)
    #expect(lines.first == "name: \"digits-mlp\"")
    #expect(lines.contains("  learningRate: 1.0e-05"))
    #expect(lines.contains("  header: \"no\""))
    #expect(lines.contains(#"  path: "a \"b\"\n: c # d""#))
    #expect(lines.contains("  hidden: []"))
    #expect(lines.contains("  validation: null") && lines.contains("  blockSize: null"))
    #expect(lines.filter { $0.hasSuffix(":") }.count == 8)
    #expect(lines.count { $0.contains(": ") } == ConfigurationKey.all.count)
  }

  @Test("differences are named by path")
  func differences() throws {
    let other = try TrainingConfiguration(overrides: ["training.seed=2", "model.hidden=[3]"])
    let differences = other.differences(from: .init())
    #expect(differences.map(\.key.path) == ["model.hidden", "training.seed"])
    #expect(differences.map(\.value) == [.integers([3]), .integer(2)])
    #expect(differences.map(\.other) == [.integers([128, 64]), .integer(1)])
  }

  @Test("the settings that a resumed run may change, and those that ranks may have of their own")
  func policies() {
    func paths(_ isIncluded: (SettingDeclaration) -> Bool) -> Set<String> {
      Set(ConfigurationKey.all.filter { isIncluded($0.declaration) }.map(\.path))
    }
    #expect(
      paths(\.mayChangeOnResume) == [
        "name", "data.path", "data.decodeThreads", "data.tokenizer", "training.epochs",
        "training.steps",
        "training.evaluateEveryEpochs",
        "training.evaluateEverySteps", "training.evaluationBatches", "training.onNonFinite",
        "training.stopAfterWithoutImprovement",
        "checkpoint.everySteps", "checkpoint.keep", "checkpoint.keepBest", "checkpoint.background",
        "checkpoint.onSignal", "distributed.bucketMegabytes", "distributed.overlap",
        "distributed.allReduce", "distributed.nodesPerSwitch",
        "distributed.wire", "distributed.errorFeedback", "distributed.shardOptimizer",
        "distributed.auditEverySteps", "distributed.stallWarning", "distributed.stallTimeout",
        "distributed.threadsPerRank", "logging.everySteps",
        "logging.directory", "logging.tensorboard",
      ])
    #expect(
      paths(\.isPerRank) == [
        "name", "model.weights", "data.path", "data.decodeThreads", "data.tokenizer",
        "checkpoint.keep",
        "checkpoint.background",
        "checkpoint.onSignal", "distributed.threadsPerRank",
        "logging.everySteps", "logging.directory", "logging.tensorboard",
      ])
  }
}
