import ArgumentParser
import Configuration
import Lockstep
import Training

struct GraphCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "graph", abstract: "Prints the computation graph of a model's loss.",
    usage: "\(programName) graph [<config>] [<options>]",
    discussion: """
      Computes the loss of the first two training samples, as a training step does, and prints its \
      computation graph in Graphviz DOT: operations as boxes, parameters as ellipses.

        lockstep graph configs/digits-mlp.yaml | dot -Tsvg > graph.svg
      """)

  @OptionGroup var configuration: ConfigurationOptions

  @Option(help: ArgumentHelp("Write this file instead of printing.", valueName: "file"))
  var output: String?

  func run() {
    withSession("graph") { communicator in
      let configuration = try configuration.load(communicator)
      Threads.count = communicator.threadsPerRank()
      let task = try TrainingTask(configuration, communicator)
      try communicator.collectiveTry {
        let seed = UInt64(try configuration.group(Trainer.Options.self).seed)
        let graph = try task.graphDescription(seed: seed)
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
