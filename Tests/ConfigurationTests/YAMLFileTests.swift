import Checkpointing
import Base
import Configuration
import Foundation
import Optimizers
import Settings
import Testing

@Suite struct YAMLFileTests {
  private func message(_ text: String) -> String {
    let error = #expect(throws: ConfigurationError.self) { _ = try read(text) }
    return error?.description ?? ""
  }

  @Test("a file overlays the defaults")
  func overlay() throws {
    let configuration = try read(
      """
      # A comment
      name: small   # another
      model:
        hidden: [32, 16]
        activation: tanh
      training:
        epochs: 3
      optimizer: {learningRate: 1e-4, nesterov: true}
      data:
        kind: csv
        path: 'a: b'
        header: no
      schedule:
      """)
    #expect(configuration["name"] == "small")
    #expect(configuration["model.hidden"] == [32, 16])
    #expect(configuration["model.activation"] == "tanh")
    #expect(configuration["training.epochs"] == 3)
    #expect(configuration["optimizer.learningRate"] == 1e-4)
    #expect(configuration["optimizer.nesterov"] == true)
    #expect(configuration["data.path"] == "a: b")
    #expect(configuration["data.header"] == "no")
    #expect(try configuration.group(ScheduleChoice.self) == .init())
  }

  @Test(
    "an empty file, a comment and a bare document are the defaults",
    arguments: ["", "# a\n", "---\n"])
  func empty(text: String) throws {
    #expect(try read(text) == .init())
  }

  @Test("a configuration reads back from its YAML, and from its JSON")
  func roundTrip() throws {
    let samples: [[String]] = [
      [],
      [
        "name=a.b-c", "data.kind=csv", "data.header=no", "data.target=values",
        "data.path=tab\tquote\" back\\slash\nline é 🙂 \u{2028} # no comment: 'x'",
        "model.hidden=[1]", "model.dropout=0.1", "optimizer.learningRate=1e-30",
        "optimizer.weightDecay=123456789.123", "optimizer.nesterov=true",
        "training.seed=9223372036854775807", "schedule.kind=step", "schedule.stepSize=5",
        "distributed.bucketMegabytes=0.3333333333333333",
      ],
      ["model.hidden=[]", "data.path=", "logging.directory=no"],
      ["checkpoint.keep=null", "distributed.auditEverySteps=null", "model.kind=resnet18"],
      ["data.kind=text", "data.path=null.txt", "model.kind=gpt", "data.blockSize=64"],
    ]
    for overrides in samples {
      let configuration = try TrainingConfiguration(overrides: overrides)
      let reread = try read(configuration.yaml())
      #expect(reread == configuration)
      #expect(reread.yaml() == configuration.yaml())
      #expect(try read(configuration.json.text) == configuration)
    }
  }

  @Test(
    "faults are told with file and line",
    arguments: [
      ("training:\n  epocs: 3\n", "run.yaml:2: unknown key 'training.epocs'; did you mean"),
      ("training:\n\n  epochs: many\n", "run.yaml:3: 'training.epochs'"),
      ("training:\n  epochs: 010\n", "run.yaml:2: 'training.epochs'"),
      ("training:\n  epochs: 12:30\n", "run.yaml:2: 'training.epochs'"),
      ("optimizer:\n  nesterov: yes\n", "run.yaml:2: 'optimizer.nesterov'"),
      ("name: a\nmodel:\n  kind: mlp\nname: b\n", "'name' is set twice, on lines 1 and 4"),
      ("training:\n  epochs: 1\n  seed: 2\n  epochs: 1\n", "set twice, on lines 2 and 4"),
      ("training:\n\tepochs: 3\n", "run.yaml:2: not valid YAML"),
      ("training: [\n", "not valid YAML"),
      ("a: 1\n---\nb: 2\n", "not valid YAML"),
      ("name: &a b\n", "run.yaml:1: anchors"),
      ("name: &a b\nmodel: {kind: *a}\n", "run.yaml:1: anchors"),
      ("name: *a\n", "not valid YAML"),
      ("model:\n  <<: {kind: mlp}\n", "run.yaml:2: merging"),
      ("name: !!str 5\n", "run.yaml:1: tags"),
      ("name: !custom x\n", "run.yaml:1: tags"),
      ("training: !!map {}\n", "run.yaml:1: tags"),
      ("? [a, b]\n: 1\n", "run.yaml:1: a key must be a plain word"),
      ("- a\n- b\n", "run.yaml:1: expected keys"),
      ("just text\n", "run.yaml:1: expected keys"),
      ("name: a\u{0}b\n", "run.yaml"),
    ])
  func faults(text: String, expected: String) {
    #expect(message(text).contains(expected))
  }

  @Test("hostile files end quickly")
  func hostile() {
    var bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    for level in 1..<12 {
      let aliases = Array(repeating: "*a\(level - 1)", count: 9).joined(separator: ", ")
      bomb += "a\(level): &a\(level) [\(aliases)]\n"
    }
    var keyBomb = "? &b0 [x, x]\n: 1\n"
    for level in 1..<40 { keyBomb += "? &b\(level) [*b\(level - 1),*b\(level - 1)]\n: 1\n" }
    let texts = [
      bomb, keyBomb, String(repeating: "[", count: 100_000),
      String(repeating: "{a: ", count: 100_000),
      String(repeating: "- ", count: 100_000),
      "name: [" + String(repeating: "[", count: 40) + String(repeating: "]", count: 40) + "]\n",
      "name: " + String(repeating: "x", count: 2 << 20),
      "name: " + String(repeating: "x", count: 1 << 19),
      String(repeating: "k", count: 1 << 19) + ": 1\n",
    ]
    for (index, text) in texts.enumerated() {
      let time = ContinuousClock().measure { _ = message(text) }
      #expect(time < .seconds(2), "text \(index)")
    }
  }

  @Test("marks of aliases, anchors, tags and merges mean nothing in comments and texts")
  func marksInText() throws {
    for mark in ["* item", "*item", "&item", "!item", "<<: *item"] {
      let lines = String(repeating: "# \(mark)\n#\(mark)\n   # - \(mark)\n", count: 12)
      let texts: [(yaml: String, path: String)] = [
        ("data: # \(mark)\n  kind: csv # \(mark)\n  path: p # \(mark)\n", "p"),
        ("data:\n  kind: csv\n  path: '\(mark)'\n", mark),
        ("data:\n  kind: csv\n  path: \"\(mark)\"\n", mark),
        ("data: {kind: csv, path: '\(mark), it''s \(mark)'}\n", "\(mark), it's \(mark)"),
        (
          "data:\n  kind: csv\n  path: a \(mark.prefix(2))\n",
          "a \(mark.prefix(2))".trimmingCharacters(in: .whitespaces)
        ),
        (
          "data:\n  kind: csv\n  path: |-\n"
            + String(repeating: "    \(mark)\n    - \(mark)\n", count: 10),
          [String](repeating: "\(mark)\n- \(mark)", count: 10).joined(separator: "\n")
        ),
        (
          "data:\n  kind: csv\n  path: >-\n"
            + String(repeating: "    \(mark)\n", count: 20),
          [String](repeating: mark, count: 20).joined(separator: " ")
        ),
      ]
      for (yaml, path) in texts {
        #expect(try read(lines + yaml + lines)["data.path"] == .text(path), "\(yaml)")
      }
    }
  }

  @Test("many aliases are refused at their line, also where texts surround them")
  func manyAliases() {
    let anchor = "# *a\nname: &a 'b'\n"
    let aliases = (0..<8).map { "k\($0): *a # *a\n" }.joined()
    #expect(message(anchor + aliases + "k8: '*a'\nk9: *a\n").contains("run.yaml:12: aliases"))
    #expect(message(anchor + aliases).contains("run.yaml:2: anchors"))
    let list = [String](repeating: "*a", count: 9).joined(separator: ",")
    #expect(message(anchor + "k: [\(list)]\n").contains("run.yaml:3: aliases"))
  }

  @Test("text that is not UTF-8 is refused")
  func encoding() {
    #expect(throws: ConfigurationError("the file is not UTF-8 text", place: "run.yaml")) {
      try TrainingConfiguration(yaml: Data([0x6E, 0xFF, 0x00]), path: "run.yaml")
    }
  }

  @Test("the configurations that come with Lockstep are right, and named after their files")
  func shipped() throws {
    let folder = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../../configs")
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
      .filter { $0.hasSuffix(".yaml") }
    #expect(names.count >= 6)
    for name in names {
      let needsPath = try !String(contentsOf: folder.appending(path: name), encoding: .utf8)
        .contains("kind: digits")
      let configuration = try TrainingConfiguration(
        path: folder.appending(path: name).path, overrides: needsPath ? ["data.path=FOLDER"] : [])
      #expect("\(configuration["name"]).yaml" == name)
    }
  }

  @Test("a missing file is missing input; a directory cannot be read")
  func files() throws {
    let directory = FileManager.default.temporaryDirectory
      .appendingPathComponent("lockstep-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    for path in [directory.path, directory.path + "/missing.yaml"] {
      let error = #expect(throws: ConfigurationError.self) {
        try TrainingConfiguration(path: path)
      }
      #expect(error?.exitStatus == .inputMissing)
      #expect(error?.description.contains(path) == true)
    }
    try Data("name: a\n".utf8).write(to: directory.appendingPathComponent("a.yaml"))
    #expect(try TrainingConfiguration(path: directory.path + "/a.yaml")["name"] == "a")
  }
}
