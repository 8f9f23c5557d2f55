import Collectives
import DataLoading
import DataParallel
import NeuralNetworks
import Optimizers
import Settings
import Training

/// A section of the configuration: the settings of groups that are declared elsewhere.
struct ConfigurationSection: Sendable {
  /// A group, or some of its settings.
  struct Member: Sendable {
    let group: any SettingsGroup
    /// The settings that stand in this section; nil for all.
    let names: Set<String>?

    init(_ group: any SettingsGroup, _ names: Set<String>? = nil) {
      (self.group, self.names) = (group, names)
    }

    func has(_ name: String) -> Bool { names?.contains(name) ?? true }
  }

  /// The name; empty for the keys outside of sections.
  let name: String
  /// The groups that every configuration has.
  let members: [Member]
  /// The entries of which the key `kind` names one, each with a group of its own.
  let entries: [any NamedEntry]
  /// Whether settings of other entries than the chosen one are refused, and not ignored.
  let refusesUnused: Bool

  init(
    _ name: String, _ members: [Member], choosing entries: [any NamedEntry] = [],
    refusesUnused: Bool = false
  ) {
    (self.name, self.members) = (name, members)
    (self.entries, self.refusesUnused) = (entries, refusesUnused)
  }

  /// The settings of `DataParallel.Options` that stand in the section `training`.
  private static let parallelInTraining: Set = ["microBatches", "gradientClipNorm", "emaDecay"]
  private static let parallelElsewhere = Set(DataParallel.Options().settings.map(\.name))
    .subtracting(parallelInTraining)

  /// All sections, in the order in which they are written.
  static let all = [
    ConfigurationSection("", [Member(RunName())]),
    ConfigurationSection("model", [Member(ModelChoice())], choosing: ModelKind.all),
    ConfigurationSection(
      "data", [Member(DataChoice())], choosing: DataFormat.all, refusesUnused: true),
    ConfigurationSection(
      "training",
      [
        Member(Trainer.Options()), Member(DataParallel.Options(), parallelInTraining),
        Member(ObjectiveChoice()), Member(ClassOptions()), Member(PrecisionChoice()),
      ]),
    ConfigurationSection("optimizer", [Member(OptimizerChoice())], choosing: OptimizerKind.all),
    ConfigurationSection("schedule", [Member(ScheduleChoice())], choosing: ScheduleKind.all),
    ConfigurationSection("checkpoint", [Member(Trainer.CheckpointOptions())]),
    ConfigurationSection(
      "distributed",
      [
        Member(DataParallel.Options(), parallelElsewhere), Member(Watchdog.Options()),
        Member(ThreadOptions()),
      ]),
    ConfigurationSection("logging", [Member(LoggingOptions())]),
  ]

  /// The keys of the section: a name that several entries have is one key.
  var keys: [ConfigurationKey] {
    var keys: [ConfigurationKey] = []
    func add(_ declaration: SettingDeclaration, entry: String?) {
      if let index = keys.firstIndex(where: { $0.name == declaration.name }) {
        // A program's own model stands last, and may have a setting of the same name and another type:
        // in that program the name is its own.
        if let entry, entry == entries.last?.name, !keys[index].kinds.isEmpty,
          !keys[index].accepts(declaration)
        {
          keys[index] = ConfigurationKey(section: name, declaration, entry: entry)
        } else {
          keys[index].add(declaration, entry: entry)
        }
      } else {
        keys.append(ConfigurationKey(section: name, declaration, entry: entry))
      }
    }
    for member in members {
      for setting in member.group.settings where member.has(setting.name) {
        add(setting, entry: nil)
      }
    }
    for entry in entries {
      for setting in entry.settings.settings { add(setting, entry: entry.name) }
    }
    return keys
  }
}
