import DataLoading
import DataParallel
import NeuralNetworks
import Settings
import Training

extension TrainingConfiguration {
  /// Checks every value by itself and those that must fit together; throws all mistakes at once.
  public func validate() throws(ConfigurationError) {
    if let error = ConfigurationError(mistakes()) { throw error }
  }

  /// What is wrong, in the order of the sections.
  ///
  /// - Parameter unread: Sections in which a mistake is known already: what it should have been may make the
  ///   rest of its section right.
  func mistakes(outside unread: Set<String> = []) -> [ConfigurationError] {
    var mistakes: [ConfigurationError] = []
    for section in ConfigurationSection.all where !unread.contains(section.name) {
      let found = valueMistakes(in: section)
      for mistake in found.isEmpty ? self.mistakes(in: section) : found
      // A group whose settings stand in two sections is checked in both.
      where !mistakes.contains(mistake) { mistakes.append(mistake) }
    }
    guard mistakes.isEmpty, unread.isEmpty else { return mistakes }
    do {
      try checkSectionsTogether()
    } catch {
      mistakes.append(error)
    }
    return mistakes
  }

  /// Values that their keys do not take.
  private func valueMistakes(in section: ConfigurationSection) -> [ConfigurationError] {
    section.keys.compactMap { key in
      guard let value = values[key.path], key.declaration.accepted(value) == nil else { return nil }
      return ConfigurationError(
        "'\(key.path)' is \(value); allowed: \(key.declaration.allowed)", key: key.path)
    }
  }

  /// Keys that the section's kind does not have, and values that do not fit together.
  private func mistakes(in section: ConfigurationSection) -> [ConfigurationError] {
    var mistakes: [ConfigurationError] = []
    let kind = kind(of: section.name)
    if section.refusesUnused {
      for key in section.keys where values[key.path] != nil && key.declaration(for: kind) == nil {
        mistakes.append(
          ConfigurationError(
            "'\(key.path)' is not for kind \(kind ?? ""), only for \(key.kinds.joined(separator: ", ")): remove it",
            key: key.path))
      }
    }
    for member in section.members {
      do {
        try validate(member.group)
      } catch {
        mistakes.append(error)
      }
    }
    guard let entry = section.entries.first(where: { $0.name == kind }) else { return mistakes }
    do {
      try entry.settings.replacing { values[ConfigurationKey.path(section.name, $0)] }.validate()
    } catch {
      mistakes.append(ConfigurationError(error, section: section.name))
    }
    return mistakes
  }

  private func validate<Group: SettingsGroup>(_ group: Group) throws(ConfigurationError) {
    let filled = try self.group(Group.self)
    do {
      try filled.validate()
    } catch {
      throw ConfigurationError(error, of: Group.self)
    }
  }

  private func checkSectionsTogether() throws(ConfigurationError) {
    let model = try chosen(ModelKind.all, in: "model").entry
    let format = try chosen(DataFormat.all, in: "data").entry
    if let isText = format.isText, model.inputs != .any, isText != (model.inputs == .tokens) {
      let others = ModelKind.all.filter {
        $0.inputs == .any || ($0.inputs == .tokens) == isText
      }.names
      throw ConfigurationError(
        "'model.kind' is \(model.name), which does not take the data of 'data.kind' \(format.name): "
          + "use \(others.joined(separator: ", ")), or other data", key: "model.kind")
    }
    let (options, parallel) = (
      try group(Trainer.Options.self), try group(DataParallel.Options.self)
    )
    do {
      try Trainer.check(options, parallel)
    } catch {
      throw ConfigurationError(error, of: DataParallel.Options.self)
    }
  }

  /// Checks the settings that depend on the number of ranks.
  func check(worldSize: Int) throws(ConfigurationError) {
    let options = try group(DataParallel.Options.self)
    do {
      try options.check(worldSize: worldSize)
    } catch {
      throw ConfigurationError(error, of: DataParallel.Options.self)
    }
  }
}

extension ConfigurationError {
  /// The error of a setting of a group that every configuration has.
  init(_ error: SettingError, of type: any SettingsGroup.Type) {
    self.init(
      error, section: TrainingConfiguration.section(of: error.setting, in: type) ?? "")
  }
}
