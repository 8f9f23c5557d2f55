package import Base
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
  package var json: JSONObject {
    ConfigurationSection.all.reduce(JSONObject()) { object, section in
      let values = JSONObject(section.keys.map { ($0.name, self[$0.path].json) })
      return object + (section.name.isEmpty ? values : [section.name: values])
    }
  }
}

extension SettingValue {
  /// The value as JSON.
  var json: JSONObject.Value {
    switch self {
    case .null: String?.none
    case .text(let text): text
    case .integer(let value): value
    case .number(let value): value
    case .boolean(let value): value
    case .integers(let values): values
    case .numbers(let values): values
    case .texts(let texts): texts
    }
  }
}
