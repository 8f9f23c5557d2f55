public import Checkpointing
import Settings

/// The JSON Schema of configuration files, for editors.
public enum ConfigurationSchema {
  /// The schema.
  public static var json: JSONValue {
    var properties: [JSONValue.Member] = []
    for section in ConfigurationSection.all {
      let keys = section.keys.flatMap(\.schema)
      properties += section.name.isEmpty ? keys : [.init(section.name, object(keys))]
    }
    return .object(
      [
        .init("$schema", .string("https://json-schema.org/draft/2020-12/schema")),
        .init("title", .string("Lockstep configuration")),
      ] + (object(properties).members ?? []))
  }

  private static func object(_ properties: [JSONValue.Member]) -> JSONValue {
    .object([
      // A section whose keys are all commented out is null.
      "type": .array([.string("object"), .string("null")]),
      "additionalProperties": .boolean(false), "properties": .object(properties),
    ])
  }
}

extension ConfigurationKey {
  /// The schemas of the key and of its former names.
  fileprivate var schema: [JSONValue.Member] {
    let unit = declaration.unit.map { " (\($0))" } ?? ""
    let members = [
      JSONValue.Member("description", .string(help + unit)),
      JSONValue.Member("default", declaration.defaultValue.json),
    ]
    let type = declaration.type.schema(isNullable: declaration.isOptional || !kinds.isEmpty)
    let deprecated = JSONValue.Member("deprecated", .boolean(true))
    return [.init(name, .object(type + members))]
      + declaration.oldNames.map { .init($0, .object(type + members + [deprecated])) }
  }
}

extension SettingType {
  fileprivate func schema(isNullable: Bool) -> [JSONValue.Member] {
    func type(_ name: String) -> JSONValue.Member {
      .init("type", isNullable ? .array([.string(name), .string("null")]) : .string(name))
    }
    switch self {
    case .boolean: return [type("boolean")]
    case .integer(let bounds): return [type("integer")] + bounds.schema
    case .number(let bounds): return [type("number")] + bounds.schema
    case .text: return [type("string")]
    case .fileName:
      return [type("string"), .init("pattern", .string("^[A-Za-z0-9_-][A-Za-z0-9._-]*$"))]
    case .word(let words):
      let values = words.map { JSONValue.string($0) } + (isNullable ? [.null] : [])
      return [.init("enum", .array(values))]
    case .integers(let bounds):
      return [
        type("array"),
        .init("items", .object([.init("type", .string("integer"))] + bounds.schema)),
      ]
    }
  }
}

extension SettingBounds {
  fileprivate var schema: [JSONValue.Member] {
    func number(_ value: Double) -> JSONValue {
      Int(exactly: value).map { .integer($0) } ?? .number(value)
    }
    return (minimum.map { [.init("minimum", number($0))] } ?? [])
      + (maximum.map { [.init(excludesMaximum ? "exclusiveMaximum" : "maximum", number($0))] } ?? [])
  }
}
