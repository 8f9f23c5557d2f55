import Base
import Settings
import Yams

/// Reads files and options into a configuration, key by key, and collects what is wrong.
struct ConfigurationReader {
  /// Where a value stands: in a line of the file, or in an option, which come after all lines.
  private struct Place {
    let position: Int
    let text: String
  }

  /// A value of a file.
  private struct Assignment {
    let path: String
    let node: Node
    let line: Int
  }

  private(set) var warnings: [String] = []
  private var configuration: TrainingConfiguration
  private var mistakes: [(position: Int, error: ConfigurationError)] = []
  /// The sections in which there are mistakes.
  private var unread: Set<String> = []
  /// Where the keys were set.
  private var places: [String: Place] = [:]
  /// Whether `data.testCount` was set, which took samples from the end.
  private var hasTestCount = false

  init(configuration: TrainingConfiguration = TrainingConfiguration()) {
    self.configuration = configuration
  }

  /// The configuration that was read, checked; throws all mistakes, in the order of their lines.
  mutating func finish() throws(ConfigurationError) -> TrainingConfiguration {
    completeEarlierSplit()
    for error in configuration.mistakes(outside: unread) {
      let place = error.key.flatMap { places[$0] }
      mistakes.append((place?.position ?? Int.max, place.map { error.at($0.text) } ?? error))
    }
    // Those of one line stay in their order.
    let sorted = mistakes.enumerated().sorted {
      ($0.element.position, $0.offset) < ($1.element.position, $1.offset)
    }
    if let error = ConfigurationError(sorted.map(\.element.error)) { throw error }
    return configuration
  }

  /// Takes validation samples from the end where they are given by the setting that did so.
  private mutating func completeEarlierSplit() {
    let key = ConfigurationKey.byPath["data.split"]
    guard hasTestCount, configuration["data.split"] == .null,
      key?.declaration(for: configuration.kind(of: "data")) != nil
    else { return }
    configuration["data.split"] = "last"
  }

  /// Throws what makes the whole file unreadable, and collects the other mistakes.
  mutating func read(_ file: YAMLFile) throws(ConfigurationError) {
    guard case .mapping(let mapping) = file.root else {
      throw ConfigurationError(
        "expected keys with values, like 'training:', and found \(file.root.summary)",
        place: "\(file.path):\(file.root.line)")
    }
    var assignments: [Assignment] = []
    collect(mapping, section: nil, of: file, into: &assignments)
    let isOld = Version01.wrote(Set(assignments.map(\.path)))
    let kinds = Dictionary(
      assignments.compactMap { item in item.node.string.map { (item.path, $0) } }
    ) { first, _ in first }
    for assignment in assignments {
      let place = Place(position: assignment.line, text: "\(file.path):\(assignment.line)")
      do throws(ConfigurationError) {
        let (key, value) = try parse(
          assignment.path, { _ in assignment.node }, place: place, isSilent: isOld)
        // Two former names may have become one key; a file that lists all has a value for one of them.
        if key.path != assignment.path && value == .null { continue }
        let kind = kinds[ConfigurationKey.path(key.section, "kind")]
        if isOld && Version01.isUnset(key, value, kind: kind) { continue }
        if let first = places.updateValue(place, forKey: key.path) {
          throw ConfigurationError(
            "'\(assignment.path)' is set twice, on lines \(first.position) and \(place.position)",
            place: place.text)
        }
        configuration[key.path] = value
      } catch {
        note(error, of: assignment.path, position: place.position)
      }
    }
  }

  /// Lists the values of a mapping, which may be in sections.
  private mutating func collect(
    _ mapping: Node.Mapping, section: String?, of file: YAMLFile,
    into assignments: inout [Assignment]
  ) {
    for (key, value) in mapping {
      let path = (section.map { $0 + "." } ?? "") + (key.string ?? "")
      guard KnownKeys.sections.contains(path) else {
        assignments.append(Assignment(path: path, node: value, line: key.line))
        continue
      }
      if value.isEmpty { continue }  // All its keys are commented out.
      guard case .mapping(let inner) = value else {
        let kind = ConfigurationKey.path(path, "kind")
        let example =
          value.scalar != nil && ConfigurationKey.byPath[kind] != nil ? "; is this its 'kind'?" : ""
        let error = ConfigurationError(
          "'\(path)' is a section and needs keys on the lines below it; found \(value.summary)\(example)",
          place: "\(file.path):\(key.line)")
        note(error, of: path + ".", position: key.line)
        continue
      }
      collect(inner, section: path, of: file, into: &assignments)
    }
  }

  /// Reads `key.path=value` options, of which later ones replace earlier ones and the file's values.
  mutating func read(overrides: [String]) {
    let end = places.values.map(\.position).max() ?? 0
    for (index, override) in overrides.enumerated() {
      let place = Place(
        position: max(end, 1 << 32) + index, text: "--set \(override.prefix(200))")
      do {
        try read(override, place: place)
      } catch {
        note(error, of: String(override.prefix { $0 != "=" }), position: place.position)
      }
    }
  }

  private mutating func read(_ override: String, place: Place) throws(ConfigurationError) {
    guard let equals = override.firstIndex(of: "=") else {
      throw ConfigurationError(
        "expected key=value, for example training.epochs=5", place: place.text, exitStatus: .usage)
    }
    let path = String(override[..<equals])
    let text = String(override[override.index(after: equals)...])
    if KnownKeys.sections.contains(path) {
      throw ConfigurationError(
        "'\(path)' is a section; name one of its keys: \(KnownKeys.names(in: path))",
        place: place.text)
    }
    let (key, value) = try parse(path, { $0.node(override: text) }, place: place)
    configuration[key.path] = value
    places[key.path] = place
  }

  /// Keeps a mistake; its section is then not checked further.
  private mutating func note(_ error: ConfigurationError, of path: String, position: Int) {
    mistakes.append((position, error))
    unread.insert(path.firstIndex(of: ".").map { String(path[..<$0]) } ?? "")
  }

  /// The key that had a path before another key took it, if the value is one of its: `model.layers` was
  /// a number.
  private static func former(
    _ path: String, _ node: (ConfigurationKey) -> Node
  ) -> (key: ConfigurationKey, value: SettingValue)? {
    guard ConfigurationKey.byPath[path] != nil, let key = ConfigurationKey.byOldPath[path],
      let value = key.value(of: node(key)), value != .null
    else { return nil }
    return (key, value)
  }

  private mutating func parse(
    _ path: String, _ node: (ConfigurationKey) -> Node, place: Place, isSilent: Bool = false
  ) throws(ConfigurationError) -> (key: ConfigurationKey, value: SettingValue) {
    if let (key, value) = ConfigurationReader.former(path, node) {
      if !isSilent {
        warnings.append(
          "\(place.text): '\(path)' is now named '\(key.path)' where it is a number; use the new name"
        )
      }
      return (key, value)
    }
    let key = try KnownKeys.find(path, place: place.text)
    if key.path != path && !isSilent {
      warnings.append("\(place.text): '\(path)' is now named '\(key.path)'; use the new name")
    }
    let node = node(key)
    guard let value = key.value(of: node) else {
      let declaration = key.declaration
      let unit = declaration.unit.map { " (\($0))" } ?? ""
      throw ConfigurationError(
        "'\(path)'\(unit) cannot be \(node.summary)\(key.refusal(of: node)); "
          + "allowed: \(declaration.allowed); default: \(key.yaml(declaration.defaultValue))",
        key: key.path, place: place.text)
    }
    if path == "data.testCount" && value != .null { hasTestCount = true }
    return (key, value)
  }
}
