import ArgumentParser

struct DataCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "data", abstract: "Fetches, checks and prepares data.",
    subcommands: [DataCheck.self, DataFetch.self, DataTokenize.self])
}
