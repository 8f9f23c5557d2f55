package import Base
import Settings

/// The JSON Schema of configuration files, for editors.
public enum ConfigurationSchema {
  /// The schema.
  package static var json: JSONObject {
    let properties = ConfigurationSection.all.reduce(JSONObject()) { properties, section in
      let keys = section.keys.reduce(JSONObject()) { $0 + $1.schemas }
      return properties + (section.name.isEmpty ? keys : [section.name: object(keys)])
    }
    return [
      "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Lockstep configuration",
    ] + object(properties)
  }

  private static func object(_ properties: JSONObject) -> JSONObject {
    // A section whose keys are all commented out is null.
    [
      "type": ["object", "null"], "additionalProperties": false, "properties": properties,
    ]
  }
}

extension ConfigurationKey {
  /// The schemas of the key and of its former names.
  fileprivate var schemas: JSONObject {
    let unit = declaration.unit.map { " (\($0))" } ?? ""
    let schema =
      declaration.type.schema(isNullable: declaration.isOptional || !kinds.isEmpty)
      + ["description": help + unit, "default": declaration.defaultValue.json]
    let deprecated = schema + ["deprecated": true]
    // A name that another key has taken is that key's.
    let oldNames = declaration.oldNames.filter {
      ConfigurationKey.byPath[ConfigurationKey.path(section, $0)] == nil
    }
    return [name: schema] + JSONObject(oldNames.map { ($0, deprecated) })
  }
}

extension SettingType {
  fileprivate func schema(isNullable: Bool) -> JSONObject {
    func type(_ name: String) -> JSONObject { ["type": isNullable ? [name, "null"] : name] }
    // The only element of a list may stand without brackets.
    func list(_ element: String, _ bounds: JSONObject) -> JSONObject {
      ["type": ["array", element] + (isNullable ? ["null"] : [])] + bounds
        + ["items": ["type": element] + bounds]
    }
    switch self {
    case .boolean: return type("boolean")
    case .integer(let bounds): return type("integer") + bounds.schema
    case .number(let bounds): return type("number") + bounds.schema
    case .text: return type("string")
    case .fileName: return type("string") + ["pattern": "^[A-Za-z0-9_-][A-Za-z0-9._-]*$"]
    case .word(let words): return ["enum": isNullable ? words + [nil] : words]
    case .integers(let bounds): return list("integer", bounds.schema)
    case .numbers(let bounds): return list("number", bounds.schema)
    case .texts: return list("string", [:])
    }
  }
}

extension SettingBounds {
  fileprivate var schema: JSONObject {
    func number(_ value: Double) -> JSONObject.Value { Int(exactly: value) ?? value }
    var schema = JSONObject()
    if let minimum { schema.append("minimum", number(minimum)) }
    if let maximum {
      schema.append(excludesMaximum ? "exclusiveMaximum" : "maximum", number(maximum))
    }
    return schema
  }
}
