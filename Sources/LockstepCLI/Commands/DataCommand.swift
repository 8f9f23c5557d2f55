import ArgumentParser

struct DataCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "data", abstract: "Fetches, checks, shows and prepares data.",
    subcommands: [
      DataCheck.self, DataPreview.self, DataFetch.self, DataTokenize.self, DataPack.self,
    ])
}
