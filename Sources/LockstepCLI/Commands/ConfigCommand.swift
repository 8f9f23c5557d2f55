import ArgumentParser
import Lockstep
import Training

struct ConfigCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "config", abstract: "Shows and checks configurations.",
    subcommands: [Show.self, Check.self])

  struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Prints the whole configuration, defaults included, as a file that can be used.",
      discussion: "With --keys, prints what each key means, its type, default and allowed values.")

    @Argument(help: "A YAML file. Without one, the defaults.")
    var config: String?

    @Option(
      name: .customLong("set"),
      help: ArgumentHelp(
        "Overrides a value, as in training.epochs=5. Repeatable.", valueName: "key=value"))
    var overrides: [String] = []

    @Flag(help: "Explain all keys instead.")
    var keys = false

    func run() {
      withSession { communicator in
        let configuration = try communicator.collectiveTry {
          try ConfigurationFile.configuration(path: config, overrides: overrides)
        }
        guard communicator.isRoot else { return .success }
        if keys {
          for key in ConfigurationKey.all(modelKinds: ModelRegistry.kinds) {
            printLine("\(key.path): \(key.value(in: configuration).yaml)")
            printLine("    \(key.summary)\(key.unit.map { ", in \($0)" } ?? "")")
            printLine("    default \(key.defaultValue.yaml); allowed: \(key.allowed)")
          }
        } else {
          printLine(String(configuration.yaml().trimmedEnd))
        }
        return .success
      }
    }
  }

  struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Says whether a configuration is right, its data included.")

    @Argument(help: "A YAML file.")
    var config: String

    @Option(
      name: .customLong("set"),
      help: ArgumentHelp(
        "Overrides a value, as in training.epochs=5. Repeatable.", valueName: "key=value"))
    var overrides: [String] = []

    func run() {
      withSession { communicator in
        let configuration = try communicator.collectiveTry {
          try ConfigurationFile.configuration(path: config, overrides: overrides)
        }
        let trainer = try Trainer(configuration, communicator)
        if communicator.isRoot {
          let description = trainer.describe()
          printLine(
            "\(config) is right: \(grouped(description.parameterCount)) parameters, "
              + "\(grouped(description.trainingSamples)) training samples, "
              + "\(grouped(description.totalSteps)) steps")
        }
        return .success
      }
    }
  }
}

extension String {
  fileprivate var trimmedEnd: Substring {
    var text = self[...]
    while text.last?.isNewline == true { text.removeLast() }
    return text
  }
}
