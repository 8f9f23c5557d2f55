import Base
import Configuration
import Settings

/// Manual pages, in the language of `man`: one for each command, and one for all settings.
enum ManualPages {
  static func all() throws -> [(name: String, text: String)] {
    let commands = try CommandDescription.all().withSubcommands
    return commands.map { ("\($0.pageName).1", page($0, among: commands)) }
      + [("\(programName)-settings.5", settings())]
  }

  private static func page(
    _ command: CommandDescription, among commands: [CommandDescription]
  ) -> String {
    var lines = [
      title(command.pageName, section: 1),
      ".SH NAME", "\(escaped(command.pageName)) \\- \(escaped(command.abstract ?? ""))",
      ".SH SYNOPSIS", ".B \(escaped(command.usage))",
    ]
    if command.discussion != nil { lines.append(".SH DESCRIPTION") }
    for (index, part) in command.discussionParts.enumerated() {
      if index > 0 { lines.append(".PP") }
      lines += part.isExample ? [".nf", escaped(part.text), ".fi"] : [escaped(part.text)]
    }
    if !command.shownCommands.isEmpty { lines.append(".SH COMMANDS") }
    for other in command.shownCommands {
      lines += [".TP", ".BR \(escaped(other.pageName)) (1)", escaped(other.abstract ?? "")]
    }
    lines.append(".SH OPTIONS")
    for argument in command.shownArguments {
      lines += [".TP", ".B \(escaped(argument.usage))", escaped(argument.help)]
    }
    lines += [".SH \"EXIT STATUS\""]
    for status in ExitStatus.allCases {
      lines += [".TP", ".B \(status.rawValue)", escaped(status.meaning)]
    }
    let others = commands.filter {
      $0.words.dropLast() == command.words.dropLast() || $0.words.count == 1
    }
    let links = others.filter { $0.pageName != command.pageName }.map(\.pageName)
    lines.append(".SH \"SEE ALSO\"")
    lines.append(
      (links.map { "\(escaped($0))(1)" } + ["\(programName)\\-settings(5)"]).joined(separator: ", ")
    )
    return lines.joined(separator: "\n") + "\n"
  }

  private static func settings() -> String {
    var lines = [
      title("\(programName)-settings", section: 5),
      ".SH NAME", "\(programName)\\-settings \\- keys of a configuration",
      ".SH DESCRIPTION",
      escaped(
        "A configuration is a YAML file of sections and keys; --set section.key=value replaces a value."
      ),
    ]
    var section: String?
    for key in ConfigurationKey.all {
      if key.section != section {
        section = key.section
        lines.append(".SH \"\(key.section.isEmpty ? "OF NO SECTION" : key.section.uppercased())\"")
      }
      let declaration = key.declaration
      let unit = declaration.unit.map { " (\($0))" } ?? ""
      lines += [
        ".TP", ".B \(escaped(key.path))", escaped("\(key.help)\(unit)."), ".br",
        escaped("Default \(key.yaml(declaration.defaultValue)); allowed: \(declaration.allowed)."),
      ]
    }
    lines += [".SH \"SEE ALSO\"", "\(programName)(1), \(programName)\\-train(1)"]
    return lines.joined(separator: "\n") + "\n"
  }

  private static func title(_ name: String, section: Int) -> String {
    ".TH \"\(name.uppercased())\" \(section) \"\" \"Lockstep \(Version.current)\" \"Lockstep\""
  }

  /// Text without what `man` takes for commands.
  private static func escaped(_ text: String) -> String {
    text.replacing("\\", with: "\\e").replacing("-", with: "\\-")
      .split(separator: "\n", omittingEmptySubsequences: false)
      .map { $0.hasPrefix(".") || $0.hasPrefix("'") ? "\\&" + $0 : String($0) }
      .joined(separator: "\n")
  }
}
