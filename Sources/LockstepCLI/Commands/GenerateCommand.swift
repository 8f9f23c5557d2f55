import ArgumentParser
import Foundation
import Lockstep
import Training

struct GenerateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "generate", abstract: "Lets a trained language model continue a text.")

  @Argument(
    help: ArgumentHelp(
      "A run's directory, whose newest checkpoint is taken, or a checkpoint.",
      valueName: "run-or-checkpoint"))
  var checkpoint: String

  @Option(help: "The beginning of the text.")
  var prompt = ""

  @Option(help: "How many characters to add.")
  var count = 500

  @Option(help: "Below 1 prefers the likely; 0 always takes the likeliest.")
  var temperature = 0.8

  @Option(help: "What the draws follow from.")
  var seed: UInt64 = 1

  func validate() throws {
    guard count >= 0 else { throw ValidationError("--count must not be negative") }
    guard temperature >= 0 else { throw ValidationError("--temperature must not be negative") }
  }

  func run() {
    withSession { communicator in
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
