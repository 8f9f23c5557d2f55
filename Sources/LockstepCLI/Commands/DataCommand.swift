import ArgumentParser

struct DataCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "data", abstract: "Fetches, checks and prepares data.",
    subcommands: [DataFetch.self, DataTokenize.self])
}
