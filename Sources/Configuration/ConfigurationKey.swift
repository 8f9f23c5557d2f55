public import Settings

/// A key of the configuration: a setting of one group, or of several that a section's `kind` chooses
/// from.
public struct ConfigurationKey: Sendable {
  /// The section; empty for none.
  public let section: String
  /// The name within the section.
  public let name: String
  /// The entries that have the setting, each with its declaration; the entry is nil where every
  /// configuration has it.
  private(set) var uses: [(entry: String?, declaration: SettingDeclaration)]

  init(section: String, _ declaration: SettingDeclaration, entry: String?) {
    self.section = section
    name = declaration.name
    uses = [(entry, declaration)]
  }

  /// Adds an entry that has a setting of the same name.
  mutating func add(_ declaration: SettingDeclaration, entry: String?) {
    precondition(accepts(declaration), "'\(path)' is declared in two ways")
    uses.append((entry, declaration))
  }

  /// Whether a declaration differs in help and default only.
  func accepts(_ declaration: SettingDeclaration) -> Bool {
    let first = self.declaration
    return declaration.type == first.type && declaration.isOptional == first.isOptional
      && declaration.unsetValue == first.unsetValue && declaration.isPerRank == first.isPerRank
      && declaration.mayChangeOnResume == first.mayChangeOnResume
  }

  /// All keys, in the order in which they are written.
  public static let all = ConfigurationSection.all.flatMap(\.keys)

  static let byPath = Dictionary(uniqueKeysWithValues: all.map { ($0.path, $0) })

  /// The keys by the paths that they had before.
  static let byOldPath = Dictionary(
    uniqueKeysWithValues: all.flatMap { key in
      key.declaration.oldNames.map { (ConfigurationKey.path(key.section, $0), key) }
    })

  static func path(_ section: String, _ name: String) -> String {
    section.isEmpty ? name : "\(section).\(name)"
  }

  /// The section and the name, with a dot between.
  public var path: String { ConfigurationKey.path(section, name) }

  /// The declarations of all entries that have the setting, which differ in help and default only.
  public var declarations: [SettingDeclaration] { uses.map(\.declaration) }

  /// The first declaration.
  public var declaration: SettingDeclaration { uses[0].declaration }

  /// The values of the section's `kind` for which the setting has an effect; empty for all.
  public var kinds: [String] { uses.compactMap(\.entry) }

  /// The declaration for a value of `kind`; nil if the setting has no effect then.
  func declaration(for kind: String?) -> SettingDeclaration? {
    uses.first { $0.entry == nil || $0.entry == kind }?.declaration
  }

  /// What the setting does, and for which kinds.
  public var help: String {
    if kinds.isEmpty { return declaration.help }
    var texts: [(help: String, kinds: [String])] = []
    for (entry, declaration) in uses {
      if let index = texts.firstIndex(where: { $0.help == declaration.help }) {
        texts[index].kinds.append(entry ?? "all")
      } else {
        texts.append((declaration.help, [entry ?? "all"]))
      }
    }
    return texts.map { "\($0.kinds.joined(separator: ", ")): \($0.help)" }.joined(separator: "; ")
  }
}
