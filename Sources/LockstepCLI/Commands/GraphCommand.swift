import ArgumentParser
import Lockstep
import Training

struct GraphCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "graph", abstract: "Prints the graph behind a model's loss, to be drawn.",
    usage: "lockstep graph [<config>] [<options>]",
    discussion: """
      Computes the loss of the first two training samples, as a training step does, and prints by \
      what in Graphviz's DOT language: operations as boxes, parameters as ellipses.

        lockstep graph configs/digits-mlp.yaml | dot -Tsvg > graph.svg
      """)

  @Argument(help: "A YAML file. Without one, the defaults: a small network on the embedded digits.")
  var config: String?

  @Option(
    name: .customLong("set"),
    help: ArgumentHelp(
      "Overrides a value, as in model.kind=lenet. Repeatable.", valueName: "key=value"))
  var overrides: [String] = []

  @Option(help: ArgumentHelp("Write this file instead of printing.", valueName: "file"))
  var output: String?

  func run() {
    withSession { communicator in
      let configuration = try communicator.collectiveTry {
        try ConfigurationFile.configuration(path: config, overrides: overrides)
      }
      Threads.count = communicator.threadsPerRank()
      let trainer = try Trainer(configuration, communicator)
      try communicator.collectiveTry {
        let graph = try trainer.graphDescription()
        guard communicator.isRoot else { return }
        if let output {
          try FileSystem().replaceFile(output, with: graph)
        } else {
          printLine(String(graph.dropLast()))
        }
      }
      return .success
    }
  }
}
