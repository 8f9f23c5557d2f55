import Configuration
import Settings

/// The pages of the documentation about each command and each setting, as Markdown for DocC, by the
/// names of their files.
enum ReferencePages {
  static func all() throws -> [(name: String, text: String)] {
    // The page of all commands is that of the program itself.
    let commands = try CommandDescription.all().withSubcommands.dropFirst()
    let settings = ConfigurationKey.all
    return [("commands", overview(commands)), ("settings", overview(settings))]
      + commands.map { ($0.pageName, page($0)) } + settings.map { (name($0), page($0)) }
  }

  // MARK: Commands

  private static func overview(_ commands: some Sequence<CommandDescription>) -> String {
    let links = commands.map { "- <doc:\($0.pageName)>\n" }.joined()
    return """
      # Commands

      Every command of `\(programName)`, from its own help.

      ## Topics

      ### All commands

      \(links)
      """
  }

  private static func page(_ command: CommandDescription) -> String {
    var parts = [
      "# \(command.words.joined(separator: " "))", escaped(command.abstract ?? ""), "## Overview",
      "```\n\(command.usage)\n```",
    ]
    parts += command.discussionParts.map { part in
      part.isExample ? "```sh\n\(part.text)\n```" : escaped(part.text)
    }
    if !command.shownCommands.isEmpty {
      parts.append(
        command.shownCommands.map { "- <doc:\($0.pageName)>: \(escaped($0.abstract ?? ""))" }
          .joined(separator: "\n"))
    }
    parts.append("## Arguments and options")
    parts.append(
      command.shownArguments.map { "- term `\($0.usage)`: \(escaped($0.help))" }
        .joined(separator: "\n"))
    return parts.joined(separator: "\n\n") + "\n"
  }

  // MARK: Settings

  private static func name(_ key: ConfigurationKey) -> String {
    "setting-" + key.path.map { $0 == "." ? "-" : String($0) }.joined()
  }

  private static func overview(_ keys: [ConfigurationKey]) -> String {
    var text = """
      # Settings

      Every key of a configuration, from its declaration.

      ## Overview

      A configuration is a YAML file of sections and keys; `--set section.key=value` replaces a value. What a
      file does not say has its default. `lockstep config show --keys` prints the same in the terminal,
      `lockstep config schema` a JSON Schema for editors.

      ## Topics

      """
    var section: String?
    for key in keys {
      if key.section != section {
        section = key.section
        text += "\n### \(key.section.isEmpty ? "Of no section" : key.section)\n\n"
      }
      text += "- <doc:\(name(key))>\n"
    }
    return text
  }

  private static func page(_ key: ConfigurationKey) -> String {
    let declaration = key.declaration
    let value = key.yaml(declaration.defaultValue)
    let example =
      key.section.isEmpty ? "\(key.name): \(value)" : "\(key.section):\n  \(key.name): \(value)"
    var facts = [("default", "`\(value)`"), ("allowed", escaped(declaration.allowed))]
    if let unit = declaration.unit { facts.append(("unit", unit)) }
    if !key.kinds.isEmpty {
      let kinds = key.kinds.map { "`\($0)`" }.joined(separator: ", ")
      facts.append(("only where", "`\(key.section).kind` is \(kinds)"))
    }
    facts.append(
      ("a run that resumes", declaration.mayChangeOnResume ? "may change it" : "must have the same")
    )
    facts.append(("ranks", declaration.isPerRank ? "each may have its own" : "all have the same"))
    if !declaration.oldNames.isEmpty {
      facts.append(("formerly", declaration.oldNames.map { "`\($0)`" }.joined(separator: ", ")))
    }
    let rows = facts.map { "| \($0.0) | \($0.1.replacing("|", with: "\\|")) |\n" }.joined()
    return """
      # \(key.path)

      \(escaped(key.help.prefix(1).uppercased() + key.help.dropFirst())).

      ## Overview

      ```yaml
      \(example)
      ```

      | | |
      |---|---|
      \(rows)
      """
  }

  /// Text without what Markdown takes for marks.
  private static func escaped(_ text: String) -> String {
    text.map { "\\`*_[]<>#|-".contains($0) ? "\\\($0)" : String($0) }.joined()
  }
}
