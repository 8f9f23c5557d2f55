import Settings

/// The keys and sections of the configuration by name, and what to say of a name that is none of them.
enum KnownKeys {
  /// The names of the sections.
  static let sections = Set(ConfigurationSection.all.map(\.name)).subtracting([""])

  /// The key of a path, or of a path that a key had before.
  static func find(_ path: String, place: String) throws(ConfigurationError) -> ConfigurationKey {
    if let key = ConfigurationKey.byPath[path] ?? ConfigurationKey.byOldPath[path] { return key }
    throw ConfigurationError("unknown key '\(path.prefix(100))'; \(remedy(path))", place: place)
  }

  /// What to write instead of an unknown path.
  private static func remedy(_ path: String) -> String {
    let known = ConfigurationKey.all.map(\.path) + sections.sorted()
    let nearest: String?
    switch OtherNames.meaning(of: path) {
    case .key(let key): nearest = key
    case .remark(let remark): return remark
    case nil: nearest = nearestPath(to: path, among: known)
    }
    if let nearest { return "did you mean '\(nearest)'\(detail(nearest))?" }
    let section = path.firstIndex(of: ".").map { String(path[..<$0]) } ?? ""
    return "known here: \(names(in: section))"
  }

  private static func detail(_ path: String) -> String {
    guard let key = ConfigurationKey.byPath[path] else { return "" }
    return " (\(key.declaration.type.name), default \(key.yaml(key.declaration.defaultValue)))"
  }

  /// The names in a section, or for an unknown section in the whole file.
  static func names(in section: String) -> String {
    guard sections.contains(section) else {
      return (["name"] + sections.sorted()).joined(separator: ", ")
    }
    return ConfigurationKey.all.filter { $0.section == section }.map(\.name)
      .joined(separator: ", ")
  }
}
