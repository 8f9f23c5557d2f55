import Base
import Configuration
import Foundation
import Settings
import Testing

@Suite struct ConfigurationSchemaTests {
  private func schema(of path: String) throws -> JSONObject {
    try path.split(separator: ".").reduce(ConfigurationSchema.json) { schema, name in
      try #require(object(object(schema, "properties"), String(name)), "\(path)")
    }
  }

  private func value(_ object: JSONObject?, _ key: String) -> JSONObject.Value? {
    object?.members.first { $0.key == key }?.value
  }

  private func object(_ object: JSONObject?, _ key: String) -> JSONObject? {
    value(object, key) as? JSONObject
  }

  @Test("the schema has every key with its help, default and type, and nothing else")
  func keys() throws {
    for key in ConfigurationKey.all {
      let schema = try schema(of: key.path)
      #expect((value(schema, "description") as? String)?.hasPrefix(key.help) == true)
      #expect(value(schema, "default") != nil)
      #expect(value(schema, "type") != nil || value(schema, "enum") != nil)
    }
    let sections = try #require(object(ConfigurationSchema.json, "properties")).members
    let names = sections.flatMap { section in
      object(section.value as? JSONObject, "properties")?.members
        .map { "\(section.key).\($0.key)" } ?? [section.key]
    }
    #expect(
      Set(names)
        == Set(ConfigurationKey.all.map(\.path)).union([
          "distributed.shards", "data.testCount", "data.testFraction",
        ]))
    #expect(value(ConfigurationSchema.json, "additionalProperties") as? Bool == false)
  }

  @Test("types, bounds, words and null are those of the declarations")
  func types() throws {
    func text(_ path: String, _ member: String) throws -> String? {
      try value(schema(of: path), member).map(JSONObject.text)
    }
    #expect(try text("training.epochs", "type") == #""integer""#)
    #expect(try text("training.epochs", "minimum") == "1")
    #expect(try text("training.steps", "type") == #"["integer","null"]"#)
    #expect(try text("model.dropout", "exclusiveMaximum") == "1")
    #expect(try text("model.heads", "maximum") == "1024")
    #expect(
      try text("optimizer.kind", "enum")
        == #"["sgd","adamw","adam","rmsprop","adagrad","lion","lars","lamb"]"#)
    #expect(try text("data.header", "enum") == #"["auto","yes","no",null]"#)
    #expect(
      try text("model.hidden", "items") == #"{"type":"integer","minimum":1,"maximum":1048576}"#)
    #expect(try text("distributed.shards", "deprecated") == "true")
    #expect(try text("distributed.fixedSlices", "deprecated") == nil)
  }

  @Test("the table of README lists all keys")
  func readme() throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..")
    let readme = try String(contentsOf: root.appending(path: "README.md"), encoding: .utf8)
    var sections: [(name: String, keys: [ConfigurationKey])] = []
    for key in ConfigurationKey.all {
      if sections.last?.name != key.section { sections.append((key.section, [])) }
      sections[sections.count - 1].keys.append(key)
    }
    for (name, keys) in sections {
      let cells = keys.map { key -> String in
        guard key.name == "kind", case .word(let words) = key.declaration.type else {
          return "`\(key.name)`"
        }
        return "`kind` (\(words.map { "`\($0)`" }.joined(separator: ", ")))"
      }
      let row = "| \(name.isEmpty ? "" : "`\(name)` ")| \(cells.joined(separator: ", ")) |"
      #expect(readme.contains(row), "README needs the row\n\(row)")
    }
  }
}
