import ArgumentParser

struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench", abstract: "Measures this machine.",
    subcommands: [BenchStep.self, BenchScaling.self, BenchAllReduce.self, BenchLimits.self])
}
