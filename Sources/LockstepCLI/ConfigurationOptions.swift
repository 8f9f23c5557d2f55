import ArgumentParser
import Configuration
import Lockstep
import Logging

/// `--set` options.
struct OverrideOptions: ParsableArguments {
  @Option(
    name: .customLong("set"),
    help: ArgumentHelp(
      "Overrides a value of the configuration, as in training.epochs=5. Repeatable.",
      valueName: "key=value"))
  var overrides: [String] = []
}

/// A configuration file, or the defaults, and `--set` options.
struct ConfigurationOptions: ParsableArguments {
  @Argument(help: "A YAML file. Without one, the defaults: a small network on the embedded digits.")
  var config: String?

  @OptionGroup var set: OverrideOptions

  /// The configuration, on all ranks.
  func load(_ communicator: any Communicator) throws -> TrainingConfiguration {
    try TrainingConfiguration(config, set.overrides, on: communicator)
  }
}

extension TrainingConfiguration {
  /// Reads a file and options on all ranks; rank zero prints warnings.
  init(_ path: String?, _ overrides: [String], on communicator: any Communicator) throws {
    self = try communicator.collectiveTry {
      try TrainingConfiguration(
        path: path, overrides: overrides,
        onWarning: { if communicator.isRoot { logger.warning("\($0)") } })
    }
  }
}
