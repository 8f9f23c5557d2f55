import ArgumentParser
import Configuration
import Foundation
import Lockstep
import Training

struct GenerateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "generate", abstract: "Continues a text with a trained language model.",
    usage: "\(programName) generate <run-or-checkpoint> [<options>]",
    discussion: """
      Prints the prompt and the text that follows it. The next token is drawn from the model's \
      predictions, after --temperature, then --top-k, then --top-p.
      """)

  @OptionGroup var checkpoint: CheckpointOptions

  @Option(help: "The text to continue; - reads standard input.")
  var prompt = ""

  @Option(help: "The number of tokens, or characters, to add at most.")
  var count = 500

  @Option(help: "Below 1 prefers likely tokens; 0 always takes the likeliest.")
  var temperature = 0.8

  @Option(help: "Draw from this many of the likeliest tokens. (default: all)")
  var topK: Int?

  @Option(help: "Draw from the likeliest tokens of this total probability.")
  var topP = 1.0

  @Option(help: "float32 or bfloat16. (default: that of the training)")
  var precision: Precision?

  @Option(help: "Sampling seed.")
  var seed: UInt64 = 1

  @Flag(help: "Print the text while it is made.")
  var stream = false

  @Flag(help: "Continue where the model ends a document.")
  var ignoreEndOfText = false

  func validate() throws {
    guard 0...1_000_000_000 ~= count else {
      throw ValidationError("--count must be from 0 to 1000000000")
    }
    guard temperature >= 0, temperature.isFinite else {
      throw ValidationError("--temperature must be a number of at least 0")
    }
    guard topK ?? 1 > 0 else { throw ValidationError("--top-k must be at least 1") }
    guard topP > 0, topP <= 1 else {
      throw ValidationError("--top-p must be above 0, and at most 1")
    }
  }

  func run() {
    withSession("generate") { communicator in
      Threads.count = communicator.threadsPerRank()
      try communicator.collectiveTry {
        // Only the first process has standard input and prints.
        if communicator.isRoot { try generate(communicator) }
      }
      return .success
    }
  }

  private func generate(_ communicator: any Communicator) throws {
    let generator = try TextGenerator(checkpoint.open(communicator), precision: precision)
    var text = ""
    try generator.generate(
      after: prompt == "-" ? standardInput() : prompt, count: count,
      TokenSampling(temperature: temperature, topK: topK, topP: topP), seed: seed,
      stopsAtEndOfText: !ignoreEndOfText
    ) { part in
      if stream { print(part) } else { text += part }
    }
    printLine(text)
  }

  private func standardInput() throws -> String {
    let bytes = try FileHandle.standardInput.readToEnd() ?? Data()
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw CommandError("the prompt on standard input is not UTF-8: convert it", .badData)
    }
    return text
  }

  /// Prints a part of a line at once; a closed pipe is not an error.
  private func print(_ text: String) {
    try? FileHandle.standardOutput.write(contentsOf: Data(text.utf8))
  }
}
