import ArgumentParser

struct RunsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "runs", abstract: "Lists, compares and deletes runs.",
    usage: "\(programName) runs [list|compare|delete] [<arguments>]",
    subcommands: [RunsList.self, RunsCompare.self, RunsDelete.self],
    defaultSubcommand: RunsList.self)
}
