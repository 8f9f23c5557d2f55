import ArgumentParser
import Base
import Configuration
import Foundation
import Lockstep
import Logging
import Training

struct DataCheck: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Reads all data of a configuration and tells what is wrong.",
    usage: "\(programName) data check [<config>] [<options>]",
    discussion: """
      Training finds a damaged sample when it comes to it. This command reads every sample first, \
      and also looks for samples that are in two sets, inputs that never change, and classes that \
      are missing.

      Exit codes: 0 when all can be read (warnings allowed), 65 when something cannot.
      """)

  @OptionGroup var configuration: ConfigurationOptions

  func run() {
    withSession("data check") { communicator in
      let configuration = try configuration.load(communicator)
      let threads = communicator.threadsPerRank()
      return try communicator.collectiveTry {
        communicator.isRoot ? try check(configuration, threads: threads) : .success
      }
    }
  }

  private func check(
    _ configuration: TrainingConfiguration, threads: Int
  ) throws -> ExitStatus {
    var clock = Stopwatch()
    let data = try configuration.openData(threads: threads)
    let summary = TaskSummary(data)
    printLine("data        \(configuration["data.kind"])")
    for part in DataPart.allCases where data[part].count > 0 {
      printLine("\(part.rawValue.padded(to: 12))\(grouped(data[part].count)) samples")
    }
    printLine("targets     \(summary.targets)")
    printLine("inputs      \(summary.inputs)")
    let check = DataReading(data)
    printLine(
      String(format: "read        %@ in %.1f s", count(check.readCount, "sample"), clock.lap()))
    for warning in summary.warnings + check.warnings { logger.warning("\(warning)") }
    for problem in check.problems { logger.error("\(problem)") }
    if check.problems.isEmpty {
      printLine("all samples can be read")
      return .success
    }
    logger.error("\(count(check.problemCount, "sample")) cannot be read")
    return .badData
  }
}

extension String {
  fileprivate func padded(to width: Int) -> String {
    self + String(repeating: " ", count: max(0, width - count))
  }
}
