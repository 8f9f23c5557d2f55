import Settings

/// Configurations that version 0.1 wrote, into run directories and checkpoints.
///
/// They list every key, with its default where nothing was set: also keys that the kind of data does
/// not have, where today `null` stands.
enum Version01 {
  private static let dataKeys = [
    "kind", "path", "testCount", "classes", "target", "labelColumn", "header", "inputShape",
    "normalize", "blockSize", "testFraction",
  ].map { "data.\($0)" }

  /// Whether version 0.1 wrote a file with these keys: nobody lists all keys of `data` by hand.
  static func wrote(_ paths: Set<String>) -> Bool {
    paths.contains("distributed.shards") && paths.isSuperset(of: dataKeys)
  }

  /// Whether it wrote this value where nothing was set.
  ///
  /// `kind` is what the file chose for the key's section.
  static func isUnset(_ key: ConfigurationKey, _ value: SettingValue, kind: String?) -> Bool {
    let isUnused = key.declaration(for: kind) == nil
    // The default was that of the first entry, which later ones may not share.
    return key.uses.allSatisfy { $0.declaration.defaultValue == value }
      || isUnused && (key.section == "data" || key.declaration.defaultValue == value)
      || key.path == "data.validation" && value == 0.1
  }
}
