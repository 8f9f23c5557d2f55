import Base
public import Foundation
import Settings
import Yams

extension TrainingConfiguration {
  /// The defaults, replaced by a file, replaced by `key.path=value` options in their order; checked.
  ///
  /// - Parameters:
  ///   - path: A YAML file.
  ///   - overrides: Values of `--set`.
  ///   - onWarning: Called with what should be changed in the file or the options.
  public init(
    path: String? = nil, overrides: [String] = [], onWarning: (String) -> Void = { _ in }
  ) throws(ConfigurationError) {
    var file: YAMLFile?
    if let path { file = try YAMLFile(path: path) }
    try self.init(file, overrides: overrides, onWarning: onWarning)
  }

  /// The same with the content of a file; the path is for messages.
  public init(
    yaml: Data, path: String, overrides: [String] = [], onWarning: (String) -> Void = { _ in }
  ) throws(ConfigurationError) {
    try self.init(YAMLFile(yaml, path: path), overrides: overrides, onWarning: onWarning)
  }

  private init(
    _ file: YAMLFile?, overrides: [String], onWarning: (String) -> Void
  ) throws(ConfigurationError) {
    var reader = ConfigurationReader()
    if let file { try reader.read(file) }
    for override in overrides { try reader.read(override: override) }
    reader.completeEarlierSplit()
    try reader.configuration.validate()
    reader.warnings.forEach(onWarning)
    self = reader.configuration
  }

  /// This configuration with `key.path=value` options in their order, checked.
  public func applying(_ overrides: [String]) throws(ConfigurationError) -> TrainingConfiguration {
    var reader = ConfigurationReader(configuration: self)
    for override in overrides { try reader.read(override: override) }
    reader.completeEarlierSplit()
    try reader.configuration.validate()
    return reader.configuration
  }
}

/// Reads files and options into a configuration, key by key.
private struct ConfigurationReader {
  /// A value of a file.
  private struct Assignment {
    let path: String
    let node: Node
    let line: Int
  }

  var configuration = TrainingConfiguration()
  var warnings: [String] = []
  /// Whether `data.testCount` was set, which took samples from the end.
  private var hasTestCount = false

  init(configuration: TrainingConfiguration = TrainingConfiguration()) {
    self.configuration = configuration
  }

  /// Takes validation samples from the end where they are given by the setting that did so.
  mutating func completeEarlierSplit() {
    let key = ConfigurationKey.byPath["data.split"]
    guard hasTestCount, configuration["data.split"] == .null,
      key?.declaration(for: configuration.kind(of: "data")) != nil
    else { return }
    configuration["data.split"] = "last"
  }

  mutating func read(_ file: YAMLFile) throws(ConfigurationError) {
    guard case .mapping(let mapping) = file.root else {
      throw ConfigurationError(
        "expected keys with values, like 'training:', and found \(file.root.summary)",
        place: "\(file.path):\(file.root.line)")
    }
    var assignments: [Assignment] = []
    try ConfigurationReader.collect(mapping, section: nil, of: file, into: &assignments)
    let isOld = Version01.wrote(Set(assignments.map(\.path)))
    let dataKind = assignments.first { $0.path == "data.kind" }?.node.string
    var lines: [String: Int] = [:]
    for assignment in assignments {
      let (key, value) = try parse(
        assignment.path, assignment.node, place: "\(file.path):\(assignment.line)",
        isSilent: isOld)
      // Two former names may have become one key; a file that lists all has a value for one of them.
      if key.path != assignment.path && value == .null { continue }
      if isOld && Version01.isUnset(key, value, dataKind: dataKind) { continue }
      if let first = lines.updateValue(assignment.line, forKey: key.path) {
        throw ConfigurationError(
          "'\(assignment.path)' is set twice, on lines \(first) and \(assignment.line)",
          place: "\(file.path):\(assignment.line)")
      }
      configuration[key.path] = value
    }
  }

  /// Lists the values of a mapping, which may be in sections.
  private static func collect(
    _ mapping: Node.Mapping, section: String?, of file: YAMLFile,
    into assignments: inout [Assignment]
  ) throws(ConfigurationError) {
    for (key, value) in mapping {
      let path = (section.map { $0 + "." } ?? "") + (key.string ?? "")
      guard sectionNames.contains(path) else {
        assignments.append(Assignment(path: path, node: value, line: key.line))
        continue
      }
      if value.isEmpty { continue }  // All its keys are commented out.
      guard case .mapping(let inner) = value else {
        throw ConfigurationError(
          "'\(path)' is a section and needs keys on the lines below it; found \(value.summary)",
          place: "\(file.path):\(key.line)")
      }
      try collect(inner, section: path, of: file, into: &assignments)
    }
  }

  mutating func read(override: String) throws(ConfigurationError) {
    let place = "--set \(override.prefix(200))"
    guard let equals = override.firstIndex(of: "=") else {
      throw ConfigurationError(
        "expected key=value, for example training.epochs=5", place: place, exitStatus: .usage)
    }
    let path = String(override[..<equals])
    let text = String(override[override.index(after: equals)...])
    if ConfigurationReader.sectionNames.contains(path) {
      throw ConfigurationError(
        "'\(path)' is a section; name one of its keys: \(ConfigurationReader.names(in: path))",
        place: place)
    }
    if let (key, value) = ConfigurationReader.former(path, { $0.node(override: text) }) {
      warnings.append(
        "\(place): '\(path)' is now named '\(key.path)' where it is a number; use the new name")
      configuration[key.path] = value
      return
    }
    let key = try findKey(path, place: place)
    let (_, value) = try parse(path, key.node(override: text), place: place)
    configuration[key.path] = value
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
    _ path: String, _ node: Node, place: String, isSilent: Bool = false
  ) throws(ConfigurationError) -> (key: ConfigurationKey, value: SettingValue) {
    if let (key, value) = ConfigurationReader.former(path, { _ in node }) {
      if !isSilent {
        warnings.append(
          "\(place): '\(path)' is now named '\(key.path)' where it is a number; use the new name")
      }
      return (key, value)
    }
    let key = try findKey(path, place: place)
    if key.path != path && !isSilent {
      warnings.append("\(place): '\(path)' is now named '\(key.path)'; use the new name")
    }
    guard let value = key.value(of: node) else {
      let declaration = key.declaration
      let unit = declaration.unit.map { " (\($0))" } ?? ""
      throw ConfigurationError(
        "'\(path)'\(unit) cannot be \(node.summary)\(key.hint(for: node)); "
          + "allowed: \(declaration.allowed); default: \(key.yaml(declaration.defaultValue))",
        place: place)
    }
    if path == "data.testCount" && value != .null { hasTestCount = true }
    return (key, value)
  }

  // MARK: Names

  private static let sectionNames = Set(ConfigurationSection.all.map(\.name)).subtracting([""])

  /// The key of a path, or of a path that a key had before.
  private func findKey(
    _ path: String, place: String
  ) throws(ConfigurationError) -> ConfigurationKey {
    if let key = ConfigurationKey.byPath[path] ?? ConfigurationKey.byOldPath[path] { return key }
    let name = path.prefix(100)
    let known = ConfigurationKey.all.map(\.path) + ConfigurationReader.sectionNames.sorted()
    if let nearest = nearestPath(to: path, among: known) {
      let detail = ConfigurationKey.byPath[nearest].map { key in
        " (\(key.declaration.type.name), default \(key.yaml(key.declaration.defaultValue)))"
      }
      throw ConfigurationError(
        "unknown key '\(name)'; did you mean '\(nearest)'\(detail ?? "")?", place: place)
    }
    let section = path.firstIndex(of: ".").map { String(path[..<$0]) } ?? ""
    throw ConfigurationError(
      "unknown key '\(name)'; known here: \(ConfigurationReader.names(in: section))", place: place)
  }

  /// The names in a section, or for an unknown section in the whole file.
  private static func names(in section: String) -> String {
    guard sectionNames.contains(section) else {
      return (["name"] + sectionNames.sorted()).joined(separator: ", ")
    }
    return ConfigurationKey.all.filter { $0.section == section }.map(\.name)
      .joined(separator: ", ")
  }
}

/// Configurations that version 0.1 wrote, into run directories and checkpoints.
///
/// They list every key, with its default where nothing was set: also keys that the kind of data does
/// not have, where today `null` stands.
private enum Version01 {
  private static let dataKeys = [
    "kind", "path", "testCount", "classes", "target", "labelColumn", "header", "inputShape",
    "normalize", "blockSize", "testFraction",
  ].map { "data.\($0)" }

  /// Whether version 0.1 wrote a file with these keys: nobody lists all keys of `data` by hand.
  static func wrote(_ paths: Set<String>) -> Bool {
    paths.contains("distributed.shards") && paths.isSuperset(of: dataKeys)
  }

  /// Whether it wrote this value where nothing was set.
  static func isUnset(_ key: ConfigurationKey, _ value: SettingValue, dataKind: String?) -> Bool {
    key.uses.allSatisfy { $0.declaration.defaultValue == value }
      || key.section == "data" && key.declaration(for: dataKind) == nil
      || key.path == "data.validation" && value == 0.1
  }
}
