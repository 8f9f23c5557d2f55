/// A struct of settings: the options of an optimizer, a data format, the training loop.
///
/// Each setting is declared once, as a property with `@Setting`. Everything else about settings
/// (documentation, reading a configuration, checks) is derived from the declarations.
public protocol SettingsGroup: Sendable, Equatable {
  /// The defaults.
  init()

  /// Throws when the values of several settings do not fit together.
  func check() throws(SettingError)
}

/// The group of something that has no settings.
public struct NoSettings: SettingsGroup {
  /// Nothing.
  public init() {}
}

extension SettingsGroup {
  /// Accepts all values.
  public func check() throws(SettingError) {}

  /// The settings in the order of their declaration.
  ///
  /// The `defaultValue` of each is the value that it has in this group.
  public var settings: [SettingDeclaration] {
    properties(of: self).map { name, setting in
      var declaration = setting.declaration
      declaration.name = name
      declaration.defaultValue = setting.settingValue
      return declaration
    }
  }

  /// The value of a setting; nil if there is none of that name.
  public func value(of name: String) -> SettingValue? {
    properties(of: self).first { $0.name == name }?.setting.settingValue
  }

  /// A new group with these values, by name, and this group's for all other settings.
  ///
  /// Names of settings that the group does not have are ignored. Properties that are no settings
  /// have the values that `init()` gives them. Throws when a value is not allowed.
  public func replacing(
    _ values: (_ name: String) -> SettingValue?
  ) throws(SettingError) -> Self {
    // Its boxes are new, so that writing to them changes no other group.
    let copy = Self()
    for (mine, new) in zip(properties(of: self), properties(of: copy)) {
      let value = values(mine.name) ?? mine.setting.settingValue
      guard let accepted = mine.setting.declaration.accepted(value), new.setting.fill(accepted)
      else { throw SettingError(mine.name, value, allowed: mine.setting.declaration.allowed) }
    }
    return copy
  }

  /// Throws when a value is out of its bounds, or values do not fit together.
  public func validate() throws(SettingError) {
    for (name, setting) in properties(of: self)
    where !setting.declaration.accepts(setting.settingValue) {
      throw SettingError(name, setting.settingValue, allowed: setting.declaration.allowed)
    }
    try check()
  }

  /// Stops the program, naming `user`, when `validate` throws: for groups made in code.
  public func requireValid(_ user: String) {
    do {
      try validate()
    } catch {
      fatalError("\(user): \(error)")
    }
  }
}

/// The settings of a group, as reflection finds them.
private func properties(of group: some SettingsGroup) -> [(name: String, setting: any AnySetting)] {
  Mirror(reflecting: group).children.compactMap { child in
    guard let setting = child.value as? any AnySetting, let label = child.label else { return nil }
    // The storage of a wrapped property is named `_momentum`.
    return (String(label.drop { $0 == "_" }), setting)
  }
}

/// Something that a configuration chooses by its name: a model, an optimizer, a data format.
///
/// All there are stand in one list; whoever adds one adds an entry.
public protocol NamedEntry: Sendable {
  /// The name.
  var name: String { get }
  /// The settings that belong to it, with their defaults.
  var settings: any SettingsGroup { get }
}

extension Sequence where Element: NamedEntry {
  /// The names, in order.
  public var names: [String] { map(\.name) }

  /// The entry of a name.
  public func named(_ name: String) -> Element? { first { $0.name == name } }
}
