import ArgumentParser

struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench", abstract: "Measures this machine.",
    subcommands: [
      BenchStep.self, BenchScaling.self, BenchPredict.self, BenchAllReduce.self,
      BenchData.self, BenchLimits.self,
    ])
}

extension ParsableCommand {
  /// Throws unless this is a time for which something can be measured.
  func validate(seconds: Double) throws {
    guard seconds > 0, seconds <= 86_400 else {
      throw ValidationError("--seconds must be above 0 and at most 86400")
    }
  }
}
