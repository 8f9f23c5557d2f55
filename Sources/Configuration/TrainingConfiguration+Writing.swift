public import Checkpointing
import Settings

extension TrainingConfiguration {
  /// The whole configuration as YAML, which reads back to an equal one.
  public func yaml() -> String {
    ConfigurationSection.all.map { section in
      let isTop = section.name.isEmpty
      let lines = section.keys.map { key in
        "\(isTop ? "" : "  ")\(key.name): \(key.yaml(self[key.path]))\n"
      }
      return (isTop ? "" : "\n\(section.name):\n") + lines.joined()
    }.joined()
  }

  /// The whole configuration as JSON, as checkpoints keep it.
  public var json: JSONValue {
    var members: [JSONValue.Member] = []
    for section in ConfigurationSection.all {
      let values = section.keys.map { JSONValue.Member($0.name, self[$0.path].json) }
      members += section.name.isEmpty ? values : [.init(section.name, .object(values))]
    }
    return .object(members)
  }
}

extension SettingValue {
  /// The value as JSON.
  var json: JSONValue {
    switch self {
    case .null: .null
    case .text(let text): .string(text)
    case .integer(let value): .integer(value)
    case .number(let value): .number(value)
    case .boolean(let value): .boolean(value)
    case .integers(let values): .array(values.map { .integer($0) })
    }
  }
}
