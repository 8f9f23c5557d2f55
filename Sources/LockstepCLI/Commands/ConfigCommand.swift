import Settings
import ArgumentParser
import Configuration
import Lockstep
import Training

struct ConfigCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "config", abstract: "Shows and checks configurations.",
    subcommands: [Show.self, Check.self, Schema.self])

  struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Prints the whole configuration, defaults included, as a file that can be used.",
      discussion: "With --keys, prints what each key means, its default and allowed values.")

    @OptionGroup var configuration: ConfigurationOptions

    @Flag(help: "Explain all keys instead.")
    var keys = false

    func run() {
      withSession("config config") { communicator in
        let configuration = try configuration.load(communicator)
        guard communicator.isRoot else { return .success }
        if keys {
          for key in ConfigurationKey.all {
            let declaration = key.declaration
            printLine("\(key.path): \(key.yaml(configuration[key.path]))")
            printLine("    \(key.help)\(declaration.unit.map { " (\($0))" } ?? "")")
            printLine(
              "    default \(key.yaml(declaration.defaultValue)); allowed: \(declaration.allowed)")
          }
        } else {
          printLine(String(configuration.yaml().dropLast()))
        }
        return .success
      }
    }
  }

  struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Checks a configuration and its data.")

    @Argument(help: "A YAML file.")
    var config: String

    @OptionGroup var set: OverrideOptions

    func run() {
      withSession("config config") { communicator in
        let configuration = try TrainingConfiguration(config, set.overrides, on: communicator)
        let task = try TrainingTask(configuration, communicator)
        if communicator.isRoot {
          let totalSteps = try configuration.group(Trainer.Options.self).totalSteps(for: task)
          printLine(
            "\(config) is right: \(grouped(task.model.parameterCount)) parameters, "
              + "\(grouped(task.count(.train))) training samples, \(grouped(totalSteps)) steps")
        }
        return .success
      }
    }
  }

  struct Schema: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Prints the JSON Schema of configuration files, for editors.")

    func run() {
      withSession("config config") { communicator in
        if communicator.isRoot { printLine(ConfigurationSchema.json.text) }
        return .success
      }
    }
  }
}
