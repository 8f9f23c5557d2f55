import ArgumentParser
import Foundation

/// The command `lockstep-examples`: lists the examples, or runs one.
@main
struct ExamplesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lockstep-examples",
    abstract: "Runs the examples of the tutorial; without a name, lists them.")

  @Argument(help: "The example.")
  var example: String?

  @Option(help: "A folder with the files of MNIST; without them, the digits in the program serve.")
  var mnist: String?

  @Option(help: "The folder that pictures are written to.")
  var pictures = "pictures"

  func run() throws {
    guard let example else {
      print("lockstep-examples NAME, where NAME is one of\n")
      for (name, summary, _) in examples {
        print("  \(name.padding(toLength: 12, withPad: " ", startingAt: 0)) \(summary)")
      }
      return
    }
    guard let found = examples.first(where: { $0.name == example }) else {
      let names = examples.map(\.name).joined(separator: ", ")
      throw ValidationError("there is no example '\(example)'; there are \(names)")
    }
    try found.run()
  }

  private typealias Example = (name: String, summary: String, run: () throws -> Void)

  private var examples: [Example] {
    [
      ("gates", "a circuit of gates, a neuron, and their gradients by hand", Gates.run),
      ("scalar", "a two-layer network and its backward pass, number by number", ScalarNetwork.run),
      ("graph", "what a tensor remembers; eager against lazy; two paths to one value", Graphs.run),
      ("operations", "six operations of our own, with their gradients", OwnOperations.run),
      ("mnist", "a two-layer network that reads digits", { try DigitReader.run(images()) }),
      ("perceptron", "zeros against ones, and exclusive or", { try Perceptron.run(images()) }),
      ("five", "fives against the rest, by plain descent", { try FiveOrNot.run(images()) }),
      ("sharing", "one weight in several places, and networks built by arguments", Sharing.run),
      ("convolution", "edges, layers, pooling, VGG16", { try Convolution.run(images()) }),
      ("island", "three gradients compared, and pictures", { try Island.run(pictures: pictures) }),
    ]
  }

  private func images() throws -> LabeledImages { try .mnist(mnist) ?? .digits() }
}
