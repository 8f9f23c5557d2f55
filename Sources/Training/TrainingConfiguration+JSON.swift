// The configuration as JSON, as checkpoints keep it: only the command knows YAML.
import Checkpointing

extension TrainingConfiguration {
  /// All values, in sections.
  var json: JSONValue {
    var top: [JSONValue.Member] = []
    var sections: [(name: String, members: [JSONValue.Member])] = []
    for key in ConfigurationKey.all(modelKinds: [model.kind]) {
      let parts = key.path.split(separator: ".", maxSplits: 1).map(String.init)
      let value = key.value(in: self).json
      if parts.count == 1 {
        top.append(.init(parts[0], value))
      } else if sections.last?.name == parts[0] {
        sections[sections.count - 1].members.append(.init(parts[1], value))
      } else {
        sections.append((parts[0], [.init(parts[1], value)]))
      }
    }
    return .object(top + sections.map { .init($0.name, .object($0.members)) })
  }

  /// Reads what `json` wrote; values that a later version added get their defaults.
  init(json: JSONValue, path: String) throws(ConfigurationError) {
    try self.init(
      document: ConfigurationDocument(path: path, root: json.configurationNode),
      modelKinds: ModelRegistry.kinds)
  }
}

extension ConfigurationValue {
  fileprivate var json: JSONValue {
    switch self {
    case .text(let text), .word(let text): .string(text)
    case .integer(let value): .integer(value)
    case .number(let value): .number(value)
    case .boolean(let value): .boolean(value)
    case .integers(let values): .array(values.map { .integer($0) })
    }
  }
}

extension JSONValue {
  fileprivate var configurationNode: ConfigurationNode {
    func scalar(_ text: String, isQuoted: Bool = false) -> ConfigurationNode {
      .scalar(text: text, isQuoted: isQuoted, line: 1)
    }
    switch self {
    case .null: return scalar("null")
    case .boolean(let value): return scalar(value ? "true" : "false")
    case .number(let text): return scalar(text)
    case .string(let text): return scalar(text, isQuoted: true)
    case .array(let elements): return .sequence(elements.map(\.configurationNode), line: 1)
    case .object(let members):
      return .mapping(
        members.map { .init(key: $0.key, line: 1, value: $0.value.configurationNode) }, line: 1)
    }
  }
}
