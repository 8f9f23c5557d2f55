import ArgumentParser
import Configuration
import Foundation
import Lockstep
import Training

struct GenerateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "generate", abstract: "Continues a text with a trained language model.")

  @Argument(
    help: ArgumentHelp(
      "A run's directory, whose newest checkpoint is used, or a checkpoint.",
      valueName: "run-or-checkpoint"))
  var checkpoint: String

  @Option(help: "The text to continue.")
  var prompt = ""

  @Option(help: "The number of characters to add.")
  var count = 500

  @Option(help: "Below 1 prefers likely characters; 0 always takes the likeliest.")
  var temperature = 0.8

  @Option(help: "Sampling seed.")
  var seed: UInt64 = 1

  func validate() throws {
    guard count >= 0 else { throw ValidationError("--count must not be negative") }
    guard temperature >= 0 else { throw ValidationError("--temperature must not be negative") }
  }

  func run() {
    withSession("generate") { communicator in
      Threads.count = communicator.threadsPerRank()
      let text = try communicator.collectiveTry {
        try TextGenerator(Run.findCheckpoint(at: checkpoint))
          .text(after: prompt, count: count, temperature: temperature, seed: seed)
      }
      if communicator.isRoot { printLine(text) }
      return .success
    }
  }
}
