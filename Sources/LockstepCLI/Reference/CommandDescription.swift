import ArgumentParser
import Base

/// A command as its argument parser describes it: what its help, its page and its manual page are made from.
struct CommandDescription: Decodable {
  /// An argument, an option or a flag.
  struct Argument: Decodable {
    /// A name of an option, as `set` of `--set`.
    struct Name: Decodable {
      var kind: String
      var name: String

      var text: String { (kind == "long" ? "--" : "-") + name }
    }

    var kind: String
    var isOptional: Bool
    var shouldDisplay: Bool
    var names: [Name]?
    var valueName: String?
    var abstract: String?
    var discussion: String?
    var defaultValue: String?
    var allValues: [String]?

    /// The argument as it is written: `<config>`, `--set <key=value>`, `-h, --help`.
    var usage: String {
      let value = "<\(valueName ?? "value")>"
      guard kind != "positional" else { return value }
      let names = (names ?? []).map(\.text).joined(separator: ", ")
      return kind == "flag" ? names : "\(names) \(value)"
    }

    /// The help with the values and the default.
    var help: String {
      var parts = [abstract ?? ""]
      if let discussion { parts.append(discussion) }
      if kind != "flag", let allValues, !allValues.isEmpty {
        parts.append("Values: \(allValues.joined(separator: ", ")).")
      }
      if kind != "flag", let defaultValue { parts.append("Default: \(defaultValue).") }
      return parts.filter { !$0.isEmpty }.joined(separator: " ")
    }
  }

  var commandName: String
  var superCommands: [String]?
  var abstract: String?
  var discussion: String?
  var shouldDisplay: Bool
  var arguments: [Argument]?
  var subcommands: [CommandDescription]?

  /// The command with its subcommands.
  static func all() throws -> CommandDescription {
    struct Dump: Decodable { var command: CommandDescription }
    return try JSON.decode(Dump.self, from: Array(LockstepCommand._dumpHelp().utf8)).command
  }

  /// The words of the command: `lockstep data fetch`.
  var words: [String] { (superCommands ?? []) + [commandName] }

  /// The name of its pages: `lockstep-data-fetch`.
  var pageName: String { words.joined(separator: "-") }

  /// The subcommands that help lists.
  var shownCommands: [CommandDescription] {
    (subcommands ?? []).filter { $0.shouldDisplay && $0.commandName != "help" }
  }

  /// The arguments of its own that help lists.
  var shownArguments: [Argument] {
    let shown = (arguments ?? []).filter(\.shouldDisplay)
    // Every command repeats the version.
    return superCommands == nil ? shown : shown.filter { $0.names?.first?.name != "version" }
  }

  /// The command and all below it, in the order of the help.
  var withSubcommands: [CommandDescription] {
    [self] + shownCommands.flatMap(\.withSubcommands)
  }

  /// One line that shows how it is called.
  var usage: String {
    guard shownCommands.isEmpty else { return (words + ["<command>"]).joined(separator: " ") }
    let arguments = shownArguments.filter { $0.kind == "positional" }
      .map { $0.isOptional ? "[\($0.usage)]" : $0.usage }
    return (words + arguments + ["[<options>]"]).joined(separator: " ")
  }

  /// The discussion in parts: paragraphs of text, and examples, which are indented.
  var discussionParts: [(text: String, isExample: Bool)] {
    (discussion ?? "").split(separator: "\n\n").map { part in
      let lines = part.split(separator: "\n", omittingEmptySubsequences: false)
      let isExample = lines.allSatisfy { $0.hasPrefix("  ") }
      let text = isExample ? lines.map { $0.dropFirst(2) }.joined(separator: "\n") : String(part)
      return (text, isExample)
    }
  }
}
