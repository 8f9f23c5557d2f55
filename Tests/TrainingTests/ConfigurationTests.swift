import Checkpointing
import DataLoading
import Foundation
import Testing
import Training

@Suite struct ConfigurationTests {
  private func scalar(_ text: String, quoted: Bool = false, line: Int = 3) -> ConfigurationNode {
    .scalar(text: text, isQuoted: quoted, line: line)
  }

  private func document(_ path: String, _ value: ConfigurationNode) -> ConfigurationDocument {
    let parts = path.split(separator: ".").map(String.init)
    var node = value
    for (index, part) in parts.enumerated().reversed() {
      let line = index == parts.count - 1 ? 3 : 2
      node = .mapping([.init(key: part, line: line, value: node)], line: line)
    }
    return ConfigurationDocument(path: "run.yaml", root: node)
  }

  private func message(_ body: () throws -> Void) -> String {
    let error = #expect(throws: ConfigurationError.self, performing: body)
    return error?.description ?? ""
  }

  @Test("without a file the defaults hold")
  func defaults() throws {
    let configuration = try TrainingConfiguration(document: nil, overrides: [])
    #expect(configuration == .init())
    #expect(configuration.name == "digits-mlp")
    #expect(configuration.model.hidden == [128, 64])
    #expect(configuration.training.globalBatch == 64)
    #expect(configuration.optimizer.momentum == 0.9)
    #expect(configuration.checkpoint.keep == 3)
  }

  @Test("options win over the file, later options over earlier ones")
  func precedence() throws {
    let file = document("training.epochs", scalar("7"))
    #expect(try TrainingConfiguration(document: file).training.epochs == 7)
    let configuration = try TrainingConfiguration(
      document: file, overrides: ["training.epochs=8", "training.epochs=9", "name=other"])
    #expect(configuration.training.epochs == 9)
    #expect(configuration.name == "other")
    #expect(configuration.optimizer == .init())
  }

  @Test("every key has a default that is allowed, a summary, and a place of its own")
  func table() {
    let keys = ConfigurationKey.all()
    #expect(Set(keys.map(\.path)).count == keys.count)
    for key in keys {
      #expect(!key.summary.isEmpty && !key.allowed.isEmpty && !key.type.isEmpty)
    }
  }

  @Test("every stored value of the configuration has a key")
  func complete() throws {
    let data = try JSONEncoder().encode(TrainingConfiguration())
    let json = try JSONValue(parsing: Array(data))
    var paths: Set<String> = []
    for section in try #require(json.members) {
      guard let members = section.value.members else {
        paths.insert(section.key)
        continue
      }
      for member in members { paths.insert("\(section.key).\(member.key)") }
    }
    #expect(paths == Set(ConfigurationKey.all().map(\.path)))
  }

  @Test("the values of options are understood by the key's type")
  func overrides() throws {
    let configuration = try TrainingConfiguration(overrides: [
      "model.hidden=[32, 16]", "model.activation=tanh", "model.dropout=.25",
      "optimizer.learningRate=1e-4", "optimizer.nesterov=true", "data.path=a=b, c",
      "data.header=no", "distributed.bucketMegabytes=2", "logging.directory=",
    ])
    #expect(configuration.model.hidden == [32, 16])
    #expect(configuration.model.activation == .tanh)
    #expect(configuration.model.dropout == 0.25)
    #expect(configuration.optimizer.learningRate == 1e-4)
    #expect(configuration.optimizer.nesterov)
    #expect(configuration.data.path == "a=b, c")
    #expect(configuration.data.header == .no)
    #expect(configuration.distributed.bucketMegabytes == 2)
    #expect(configuration.logging.directory == "")
    #expect(try TrainingConfiguration(overrides: ["model.hidden=8,9"]).model.hidden == [8, 9])
    #expect(try TrainingConfiguration(overrides: ["model.hidden=[]"]).model.hidden == [])
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
      ("name", ""), ("data.testCount", "-2"),
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
      message {
        _ = try TrainingConfiguration(document: document("training.globalBatch", scalar("many")))
      }
        == "run.yaml:3: 'training.globalBatch' (samples) cannot be 'many'; "
        + "allowed: an integer of at least 1; default: 64")
    #expect(
      message {
        _ = try TrainingConfiguration(
          document: document("training.epochs", scalar("3", quoted: true)))
      }.contains("the text \"3\", which quotes make a text"))
    for node in [ConfigurationNode.sequence([], line: 3), .mapping([], line: 3)] {
      #expect(
        message { _ = try TrainingConfiguration(document: document("training.epochs", node)) }
          .hasPrefix("run.yaml:3: 'training.epochs'"))
    }
    #expect(
      message { _ = try TrainingConfiguration(document: document("model.hidden", scalar("5"))) }
        .contains("a list like [128, 64]"))
    #expect(
      message { _ = try TrainingConfiguration(document: document("data.path", scalar(""))) }
        .contains("cannot be nothing"))
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
    let description = message {
      _ = try TrainingConfiguration(document: document(path, scalar("1")))
    }
    #expect(description.hasPrefix("run.yaml:3: unknown key '\(path)'"))
    #expect(description.contains(hint))
    #expect(
      message { _ = try TrainingConfiguration(overrides: ["\(path)=1"]) }.contains(hint))
  }

  @Test("a key set twice, also in dotted form, is told with both lines")
  func duplicates() {
    let inner = ConfigurationNode.mapping(
      [.init(key: "epochs", line: 2, value: scalar("1", line: 2))], line: 2)
    let root = ConfigurationNode.mapping(
      [
        .init(key: "training", line: 1, value: inner),
        .init(key: "training.epochs", line: 5, value: scalar("2", line: 5)),
      ], line: 1)
    #expect(
      message {
        _ = try TrainingConfiguration(document: ConfigurationDocument(path: "a.yaml", root: root))
      } == "a.yaml:5: 'training.epochs' is set twice, on lines 2 and 5")
  }

  @Test("a section is no value, a value no section, a file no list; an empty section is fine")
  func shapes() throws {
    #expect(message { _ = try TrainingConfiguration(overrides: ["training=1"]) }.contains("epochs"))
    #expect(
      message { _ = try TrainingConfiguration(document: document("training", scalar("1"))) }
        .contains("is a section"))
    let list = ConfigurationDocument(path: "a.yaml", root: .sequence([], line: 1))
    #expect(message { _ = try TrainingConfiguration(document: list) }.hasPrefix("a.yaml:1: "))
    #expect(try TrainingConfiguration(document: document("training", scalar(""))) == .init())
    #expect(message { _ = try TrainingConfiguration(overrides: ["x"]) }.contains("key=value"))
  }

  @Test(
    "values that do not fit together are refused",
    arguments: [
      ["data.kind=csv"], ["optimizer.nesterov=true", "optimizer.momentum=0"],
      ["optimizer.nesterov=true", "optimizer.dampening=0.5"], ["schedule.kind=step"],
      ["training.microBatches=65"],
      ["data.target=values", "training.loss=crossEntropy"],
      ["data.kind=text", "data.path=input.txt"],
    ])
  func combinations(overrides: [String]) throws {
    #expect(!message { _ = try TrainingConfiguration(overrides: overrides) }.isEmpty)
  }

  @Test("a configuration made in code is checked too")
  func validated() throws {
    var configuration = TrainingConfiguration()
    try configuration.validate()
    configuration.model.dropout = 1
    #expect(
      message { try configuration.validate() }
        == "'model.dropout' is 1.0; allowed: a number of at least 0.0 and below 1.0")
    configuration.model.dropout = 0
    configuration.model.kind = "own"
    #expect(message { try configuration.validate() }.contains("allowed: mlp"))
    try configuration.validate(modelKinds: ["mlp", "own"])
  }

  @Test("as YAML it lists all keys, and numbers and words are unmistakable")
  func yaml() throws {
    let configuration = try TrainingConfiguration(overrides: [
      "optimizer.learningRate=1e-5", "data.header=no", "data.path=a \"b\"\n: c # d",
      "model.hidden=[]",
    ])
    let lines = configuration.yaml().split(separator: "\n", omittingEmptySubsequences: false)
    #expect(lines.first == "name: \"digits-mlp\"")
    #expect(lines.contains("  learningRate: 1.0e-05"))
    #expect(lines.contains("  header: \"no\""))
    #expect(lines.contains(#"  path: "a \"b\"\n: c # d""#))
    #expect(lines.contains("  hidden: []"))
    #expect(lines.filter { $0.hasSuffix(":") }.count == 8)
  }

  @Test("differences are named by path")
  func differences() throws {
    let other = try TrainingConfiguration(overrides: ["training.seed=2", "model.hidden=[3]"])
    let differences = other.differences(from: .init())
    #expect(differences.map(\.path) == ["model.hidden", "training.seed"])
    #expect(differences.map(\.value) == [.integers([3]), .integer(2)])
    #expect(differences.map(\.other) == [.integers([128, 64]), .integer(1)])
  }
}
