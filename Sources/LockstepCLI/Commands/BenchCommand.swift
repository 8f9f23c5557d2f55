import ArgumentParser
import Benchmarking

struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench", abstract: "Measures this machine.",
    subcommands: [
      BenchStep.self, BenchScaling.self, BenchPredict.self, BenchAllReduce.self,
      BenchData.self, BenchLimits.self,
    ])
}

extension ParsableCommand {
  /// Throws unless this is the name of a workload, and threads that a rank can have.
  func validate(workload: String, threads: Int) throws {
    let names = Workload.all.map(\.name)
    guard names.contains(workload) else {
      throw ValidationError(
        "unknown workload '\(workload)'; known: \(names.joined(separator: ", "))")
    }
    guard (1...256).contains(threads) else { throw ValidationError("--threads must be 1...256") }
  }

  /// Throws unless this is a time for which something can be measured.
  func validate(seconds: Double) throws {
    guard seconds > 0, seconds <= 86_400 else {
      throw ValidationError("--seconds must be above 0 and at most 86400")
    }
  }
}
