import Base
import Settings
import Testing

private enum Mode: String, CaseIterable, SettingRepresentable {
  case slow, fast
}

extension Setting<Int> {
  fileprivate static var depth: Setting {
    Setting(wrappedValue: 2, "how many", in: 1...8, unit: "layers")
  }
}

private struct Other: SettingsGroup {
  @Setting(shared: .depth) var depth: Int

  init() {}
}

private struct Group: SettingsGroup {
  @Setting("a factor", in: 0..., mayChangeOnResume: true) var factor = 0.5
  @Setting("a probability", in: 0..<1) var probability = 0.0
  @Setting("a count", in: 1..., unset: 0, oldNames: ["number"]) var count: Int? = nil
  @Setting("on or off") var isOn = false
  @Setting("a place", unset: "", perRank: true) var path: String? = nil
  @Setting("a shape", in: 1...100, unset: []) var shape: [Int]? = nil
  @Setting("a limit", in: 0..., unset: 0) var limit: Double? = nil
  @Setting("widths", in: 1...) var widths = [3, 4]
  @Setting("weights", in: 0...) var weights = [0.5]
  @Setting("names") var names: [String] = []
  @Setting("how") var mode = Mode.slow
  @Setting("a name", type: .fileName) var name = "a"
  @Setting("a choice", type: .word(["one", "two"])) var choice = "one"
  @Setting(shared: .depth) var depth: Int
  var plain = 7

  init() {}

  func check() throws(SettingError) {
    if isOn && count == nil {
      throw SettingError("count", "is not set, which 'isOn' needs")
    }
  }
}

@Suite struct SettingsGroupTests {
  @Test("a group lists its settings in order, with all that is declared")
  func declarations() throws {
    let settings = Group().settings
    #expect(
      settings.map(\.name) == [
        "factor", "probability", "count", "isOn", "path", "shape", "limit", "widths", "weights",
        "names", "mode", "name", "choice", "depth",
      ])
    #expect(
      settings.map(\.defaultValue) == [
        0.5, 0.0, .null, false, .null, .null, .null, [3, 4], .numbers([0.5]), .texts([]), "slow",
        "a", "one", 2,
      ])
    #expect(settings.map(\.help)[0] == "a factor")
    #expect(settings.filter(\.mayChangeOnResume).map(\.name) == ["factor"])
    #expect(settings.filter(\.isPerRank).map(\.name) == ["path"])
    #expect(settings.filter(\.isOptional).map(\.name) == ["count", "path", "shape", "limit"])
    #expect(settings[2].oldNames == ["number"])
    #expect(settings.compactMap(\.unit) == ["layers"])
    #expect(
      settings.map(\.allowed) == [
        "a number of at least 0.0", "a number of at least 0.0 and below 1.0",
        "an integer of at least 1, or null", "true, false", "any text, or null",
        "a list like [128, 64], each from 1 to 100, or null", "a number of at least 0.0, or null",
        "a list like [128, 64], each of at least 1", "a list like [0.5, 2], each of at least 0.0",
        "a list of texts like [one, two]", "slow, fast",
        "letters, digits, '.', '_' and '-', not beginning with '.'", "one, two",
        "an integer from 1 to 8",
      ])
    #expect(
      settings.map(\.type.name) == [
        "number", "number", "integer", "boolean", "text", "list of integers", "number",
        "list of integers", "list of numbers", "list of texts", "word", "text", "word", "integer",
      ])
  }

  @Test("values are read and replaced by name; the group that they come from stays as it is")
  func replacing() throws {
    var group = Group()
    group.factor = 2
    let values: [String: SettingValue] = [
      "count": 3, "path": "x", "mode": "fast", "depth": 5, "probability": 0.25, "unknown": 1,
      "weights": [1, 2], "names": .texts(["a", "b, c"]),
    ]
    let other = try group.replacing { values[$0] }
    #expect(other.factor == 2 && other.count == 3 && other.path == "x" && other.mode == .fast)
    #expect(other.depth == 5 && other.probability == 0.25)
    #expect(other.weights == [1, 2] && other.names == ["a", "b, c"])
    #expect(group.count == nil && group.depth == 2 && group.mode == .slow)
    #expect(Group().count == nil && Group().depth == 2)
    #expect(other.value(of: "count") == 3 && other.value(of: "unknown") == nil)
    #expect(other.settings[2].defaultValue == 3)
  }

  @Test("copies are independent, whichever is changed")
  func valueSemantics() throws {
    let original = try Group().replacing { $0 == "widths" ? [1, 2] : nil }
    var copy = original
    copy.widths.append(3)
    copy.depth = 8
    #expect(original.widths == [1, 2] && original.depth == 2 && Other().depth == 2)
    var second = copy
    second.factor = 9
    copy.count = 4
    #expect(second.factor == 9 && copy.factor == 0.5 && second.count == nil)
    #expect(copy != original)
    copy = original
    #expect(copy == original)
    // Filling writes to boxes that nothing else holds.
    let filled = try copy.replacing { $0 == "factor" ? 3.0 : nil }
    #expect(copy.factor == 0.5 && original.factor == 0.5 && filled.factor == 3)
  }

  @Test("copies are independent on several threads")
  func threads() async {
    let original = Group()
    await withTaskGroup(of: Bool.self) { tasks in
      for task in 0..<16 {
        tasks.addTask {
          var copy = original
          for round in 0..<1000 {
            copy.factor = Double(task * 1000 + round)
            guard copy.factor == Double(task * 1000 + round) else { return false }
          }
          return true
        }
      }
      for await isRight in tasks { #expect(isRight) }
    }
    #expect(original.factor == 0.5)
  }

  @Test("what older files wrote for 'not set' is null")
  func unset() throws {
    let values: [String: SettingValue] = ["count": 0, "path": "", "shape": []]
    let group = try Group().replacing { values[$0] }
    #expect(group.count == nil && group.path == nil && group.shape == nil)
    #expect(try group.replacing { $0 == "limit" ? 0.0 : nil }.limit == nil)
    #expect(try group.replacing { $0 == "limit" ? 0 : nil }.limit == nil)
    let null = try group.replacing { ["count", "path", "shape"].contains($0) ? .null : nil }
    #expect(null == group)
  }

  @Test(
    "values of another type or out of bounds are refused by name",
    arguments: [
      ("factor", -0.5, "is -0.5; allowed: a number of at least 0.0"),
      ("factor", .number(.infinity), "is inf; allowed"), ("factor", "x", "is x; allowed"),
      ("factor", .null, "is null; allowed: a number of at least 0.0"),
      ("probability", 1.0, "and below 1.0"), ("count", -1, "or null"), ("isOn", 1, "true, false"),
      ("path", .text("a\0"), "any text"), ("shape", [1, 0], "[1, 0]"),
      ("mode", "Fast", "slow, fast"),
      ("name", "a/b", "letters"), ("choice", "three", "one, two"), ("depth", 9, "from 1 to 8"),
    ] as [(String, SettingValue, String)])
  func refused(name: String, value: SettingValue, message: String) {
    let error = #expect(throws: SettingError.self) {
      try Group().replacing { $0 == name ? value : nil }
    }
    #expect(error?.setting == name)
    #expect(error?.problem.contains(message) == true, "\(error?.problem ?? "")")
    #expect(error?.exitStatus == .configuration)
  }

  @Test("in code, where there is nil, what older files wrote is out of bounds")
  func unsetInCode() {
    var group = Group()
    group.count = 0
    #expect(throws: SettingError.self) { try group.validate() }
  }

  @Test("an integer is a number too")
  func integers() throws {
    #expect(try Group().replacing { $0 == "factor" ? 3 : nil }.factor == 3)
  }

  @Test("a group made in code is checked value by value, and as a whole")
  func validation() throws {
    var group = Group()
    try group.validate()
    group.depth = 0
    #expect(throws: SettingError("depth", "is 0; allowed: an integer from 1 to 8")) {
      try group.validate()
    }
    group.depth = 1
    group.isOn = true
    let error = #expect(throws: SettingError.self) { try group.validate() }
    #expect(error?.description == "'count' is not set, which 'isOn' needs")
    #expect(
      error?.inSection("training").description
        == "'training.count' is not set, which 'isOn' needs")
  }

  @Test("a group prints like a plain struct")
  func description() {
    #expect("\(Other())" == "Other(_depth: 2)")
  }
}
