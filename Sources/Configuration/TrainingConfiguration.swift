import DataLoading
import DataParallel
import NeuralNetworks
public import Settings
import Training

/// What to train, on what, and how; the same configuration is the same run on any number of ranks.
///
/// It holds the values that were set, by key. Everything about a key is declared where the setting
/// is: see `ConfigurationSection`.
public struct TrainingConfiguration: Sendable {
  /// The values that differ from "not set", by path.
  private(set) var values: [String: SettingValue] = [:]
  /// The folder in which the run was started that the configuration was read from.
  var startFolder: String?

  /// The defaults.
  public init() {}

  /// The value of a key, as "training.epochs": what was set, else the default; `null` where it is
  /// not set and has no default, or where the section's `kind` has no such setting.
  ///
  /// Setting a value does not check it; `validate` does.
  public subscript(path: String) -> SettingValue {
    get {
      let key = TrainingConfiguration.key(path)
      return values[path] ?? key.declaration(for: kind(of: key.section))?.defaultValue ?? .null
    }
    set {
      let key = TrainingConfiguration.key(path)
      // A key that only some kinds have is not set where it is null, as files list all keys.
      let isUnset = newValue == .null && !key.kinds.isEmpty
      let value = key.declaration.type.converted(newValue)
      values[path] = isUnset ? nil : key.declaration.accepted(value) ?? value
    }
  }

  private static func key(_ path: String) -> ConfigurationKey {
    guard let key = ConfigurationKey.byPath[path] else {
      fatalError("TrainingConfiguration: there is no key '\(path)'")
    }
    return key
  }

  /// The chosen kind of a section, where it has one.
  func kind(of section: String) -> String? {
    let path = ConfigurationKey.path(section, "kind")
    guard let key = ConfigurationKey.byPath[path] else { return nil }
    return String(settingValue: values[path] ?? key.declaration.defaultValue)
  }

  // MARK: - Groups

  /// The settings of a group that every configuration has, such as `Trainer.Options`.
  public func group<Group: SettingsGroup>(
    _ type: Group.Type = Group.self
  ) throws(ConfigurationError) -> Group {
    do {
      return try Group().replacing { name in
        TrainingConfiguration.section(of: name, in: type)
          .flatMap { values[ConfigurationKey.path($0, name)] }
      }
    } catch {
      throw ConfigurationError(error, of: type)
    }
  }

  /// The section in which a setting of a group stands.
  static func section(of setting: String, in type: any SettingsGroup.Type) -> String? {
    ConfigurationSection.all.first { section in
      section.members.contains { Swift.type(of: $0.group) == type && $0.has(setting) }
    }?.name
  }

  /// The entry that a section's `kind` names, and its settings.
  func chosen<Entry: NamedEntry>(
    _ entries: [Entry], in section: String
  ) throws(ConfigurationError) -> (entry: Entry, settings: any SettingsGroup) {
    guard let kind = kind(of: section), let entry = entries.named(kind) else {
      let path = ConfigurationKey.path(section, "kind")
      throw ConfigurationError(
        "'\(path)' is \(self[path]); allowed: \(entries.names.joined(separator: ", "))")
    }
    do {
      return (entry, try entry.settings.replacing { values[ConfigurationKey.path(section, $0)] })
    } catch {
      throw ConfigurationError(error, section: section)
    }
  }

  // MARK: - Comparisons

  /// The keys at which two configurations differ, with both values.
  public func differences(
    from other: TrainingConfiguration
  ) -> [(key: ConfigurationKey, value: SettingValue, other: SettingValue)] {
    ConfigurationKey.all.compactMap { key in
      let (value, otherValue) = (self[key.path], other[key.path])
      return value == otherValue ? nil : (key, value, otherValue)
    }
  }

  /// The values that must be the same on all ranks, by key.
  var invariants: [String: String] {
    let keys = ConfigurationKey.all.filter { !$0.declaration.isPerRank }
    return Dictionary(
      uniqueKeysWithValues: keys.map { ($0.path, $0.yaml(self[$0.path])) })
  }
}

extension TrainingConfiguration: Equatable {
  /// Two configurations are equal when all their keys have the same values.
  public static func == (first: TrainingConfiguration, second: TrainingConfiguration) -> Bool {
    first.differences(from: second).isEmpty
  }
}
