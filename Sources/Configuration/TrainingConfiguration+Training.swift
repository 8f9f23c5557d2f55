// What a configuration trains: the task, the trainer, the run, and what is made from a checkpoint.
import Base
public import Checkpointing
public import Collectives
import DataLoading
import DataParallel
import Foundation
package import NeuralNetworks
import Optimizers
import Settings
public import Training

extension TrainingTask {
  /// Opens the data of a configuration and builds its model.
  ///
  /// The ranks make sure that they have the same configuration and data. Throws on every rank when
  /// something fails on any: `CollectiveFailure` with the message and exit code of the lowest such
  /// rank, or `RankDisagreement`.
  ///
  /// - Parameters:
  ///   - configuration: The configuration.
  ///   - communicator: The ranks.
  ///   - loadsInitialWeights: Whether rank zero loads the file that `model.weights` names.
  public init(
    _ configuration: TrainingConfiguration, _ communicator: any Communicator,
    loadsInitialWeights: Bool = true
  ) throws {
    try self.init(configuration, communicator) { signature in
      let model = try configuration.makeModel(signature)
      if loadsInitialWeights, communicator.isRoot,
        let weights = try configuration.group(ModelChoice.self).weights
      {
        try loadWeights(of: model, from: SafetensorsFile(path: weights))
      }
      return model
    }
  }

  /// The same with what `makeModel` makes in place of the configuration's model.
  package init(
    _ configuration: TrainingConfiguration, _ communicator: any Communicator,
    makeModel: (ModelSignature) throws -> any Layer
  ) throws {
    try communicator.collectiveTry { try configuration.check(worldSize: communicator.worldSize) }
    let data = try communicator.collectiveTry {
      try Activity.during(.openingData) { try configuration.openData() }
    }
    let task = try communicator.collectiveTry {
      do {
        return try TrainingTask(
          data: data, objective: configuration.group(ObjectiveChoice.self).loss,
          makeModel: makeModel)
      } catch let error as SettingError {
        throw ConfigurationError(error, of: ObjectiveChoice.self)
      }
    }
    try communicator.checkInvariants(
      configuration.invariants.merging(task.invariants) { $1 })
    self = task
  }
}

extension Trainer {
  /// Opens the data of a configuration, builds its model and optimizer, and prepares to train.
  ///
  /// Throws as `TrainingTask` does.
  public convenience init(
    _ configuration: TrainingConfiguration, _ communicator: any Communicator
  ) throws {
    try self.init(
      configuration, TrainingTask(configuration, communicator), communicator)
  }

  /// Prepares to train a task with the options of a configuration.
  package convenience init(
    _ configuration: TrainingConfiguration, _ task: TrainingTask, _ communicator: any Communicator
  ) throws {
    let optimizer = try configuration.chosen(OptimizerKind.all, in: "optimizer")
    let schedule = try configuration.chosen(ScheduleKind.all, in: "schedule")
    let learningRate = try configuration.group(OptimizerChoice.self).learningRate
    let warmupSteps = try configuration.group(ScheduleChoice.self).warmupSteps
    try self.init(
      task, communicator, options: configuration.group(), parallel: configuration.group(),
      checkpoints: configuration.group(), configurationFile: configuration.json.text + "\n",
      schedule: { totalSteps in
        LearningRateSchedule(
          base: learningRate, warmupSteps: warmupSteps,
          schedule.entry.shape(schedule.settings, totalSteps: totalSteps))
      }, makeOptimizer: { optimizer.entry.make($0, optimizer.settings) })
  }
}

extension Run {
  /// Chooses the directory of a configuration's run and finds the checkpoint to resume from.
  ///
  /// A run is resumed only with the same configuration, but for the settings that may change.
  public convenience init(
    _ configuration: TrainingConfiguration, directory: String?, resume: Resume
  ) throws {
    try self.init(
      name: configuration.group(RunName.self).name,
      in: configuration.group(LoggingOptions.self).directory, directory: directory,
      keep: configuration.group(Trainer.CheckpointOptions.self).keep, resume: resume,
      configuration: configuration.yaml()
    ) { try configuration.checkResume(from: $0) }
  }
}

extension TrainingConfiguration {
  fileprivate func openData() throws -> DataSplits {
    let (format, options) = try chosen(DataFormat.all, in: "data")
    do {
      return try format.open(options)
    } catch let error as SettingError {
      throw ConfigurationError(error, section: "data")
    }
  }

  /// The model with initial weights.
  fileprivate func makeModel(_ signature: ModelSignature) throws -> any Layer {
    let (kind, options) = try chosen(ModelKind.all, in: "model")
    do {
      return try kind.make(
        options, inputShape: signature.inputShape, outputs: signature.outputs,
        seed: UInt64(group(Trainer.Options.self).seed))
    } catch let error as SettingError {
      throw ConfigurationError(error, section: "model")
    }
  }

  /// Throws when a checkpoint was trained with another configuration, but for the settings that may
  /// change.
  fileprivate func checkResume(from checkpoint: Checkpoint) throws {
    let differences = differences(from: try checkpoint.configuration())
      .filter { !$0.key.declaration.mayChangeOnResume }
    guard differences.isEmpty else {
      let lines = differences.map { key, value, other in
        "  \(key.path): \(key.yaml(other)) in the checkpoint, \(key.yaml(value)) now"
      }
      throw ConfigurationError(
        """
        the run cannot resume from '\(checkpoint.path)', which has another configuration:
        \(lines.joined(separator: "\n"))
        restore these values, or start a new run with --resume never and another --run-dir
        """)
    }
  }
}

extension Checkpoint {
  /// The configuration that the checkpoint was trained with.
  public func configuration() throws -> TrainingConfiguration {
    let path = try path(of: Checkpoint.configurationFile)
    // JSON is YAML.
    return try TrainingConfiguration(yaml: Data(FileSystem().readFile(path)), path: path)
  }

  /// The trained model.
  fileprivate func model() throws -> any Layer {
    let model = try configuration().makeModel(signature())
    try loadWeights(of: model, from: weights())
    return model
  }
}

extension Predictor {
  /// Loads the model of a checkpoint, whose data is not needed.
  public convenience init(_ checkpoint: Checkpoint) throws {
    let format = try checkpoint.configuration().chosen(DataFormat.all, in: "data").entry
    guard !format.isText else {
      throw ConfigurationError(
        "the model of '\(checkpoint.path)' continues text; predict is for samples of numbers")
    }
    try self.init(checkpoint.model(), checkpoint.signature())
  }
}

extension TextGenerator {
  /// Loads the model of a checkpoint, which must have been trained on the characters of a text.
  public convenience init(_ checkpoint: Checkpoint) throws {
    guard try checkpoint.signature().codec != nil else {
      throw ConfigurationError(
        "'\(checkpoint.path)' is not a character-level language model (data.kind text), so it cannot continue text"
      )
    }
    try self.init(checkpoint.model(), checkpoint.signature())!
  }
}
