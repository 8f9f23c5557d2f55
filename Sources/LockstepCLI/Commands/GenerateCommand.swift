import ArgumentParser
import Configuration
import Foundation
import Lockstep
import Training

struct GenerateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "generate", abstract: "Continues a text with a trained language model.",
    usage: "lockstep generate <run-or-checkpoint> [<options>]")

  @OptionGroup var checkpoint: CheckpointOptions

  @Option(help: "The text to continue.")
  var prompt = ""

  @Option(help: "The number of characters to add.")
  var count = 500

  @Option(help: "Below 1 prefers likely characters; 0 always takes the likeliest.")
  var temperature = 0.8

  @Option(help: "float32 or bfloat16. (default: that of the training)")
  var precision: Precision?

  @Option(help: "Sampling seed.")
  var seed: UInt64 = 1

  func validate() throws {
    guard 0...1_000_000_000 ~= count else {
      throw ValidationError("--count must be from 0 to 1000000000")
    }
    guard temperature >= 0, temperature.isFinite else {
      throw ValidationError("--temperature must be a number of at least 0")
    }
  }

  func run() {
    withSession("generate") { communicator in
      Threads.count = communicator.threadsPerRank()
      let text = try communicator.collectiveTry {
        try TextGenerator(checkpoint.open(communicator), precision: precision)
          .text(after: prompt, count: count, temperature: temperature, seed: seed)
      }
      if communicator.isRoot { printLine(text) }
      return .success
    }
  }
}
