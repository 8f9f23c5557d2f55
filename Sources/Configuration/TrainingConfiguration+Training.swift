// What a configuration trains: the task, the trainer, the run, and what is made from a checkpoint.
import Base
public import Checkpointing
public import Collectives
public import DataLoading
import DataParallel
import Foundation
package import NeuralNetworks
import Optimizers
import Settings
public import TensorCore
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
  ///   - loadsInitialWeights: Whether rank zero loads the weights that `model.weights` names, and whether
  ///     parameters that `model.freeze` names are frozen.
  ///   - preparation: How the samples of a trained model were prepared, to evaluate it; nil finds it in
  ///     the data.
  ///   - onNotice: Called on rank zero with what was loaded.
  public init(
    _ configuration: TrainingConfiguration, _ communicator: any Communicator,
    loadsInitialWeights: Bool = true, preparation: SamplePreparation? = nil,
    onNotice: (String) -> Void = { _ in }
  ) throws {
    try self.init(
      configuration, communicator, preparation,
      check: { data, signature in
        // A model without initial weights is only evaluated.
        let estimate =
          loadsInitialWeights
          ? try configuration.trainingMemory(data, signature, communicator)
          : MemoryEstimate(
            applying: try configuration.elementCount(signature), ranks: communicator.node.size)
        try estimate.check(.current())
      }
    ) { signature in
      let model = try configuration.makeModel(signature)
      guard loadsInitialWeights else { return model }
      let choice = try configuration.group(ModelChoice.self)
      if communicator.isRoot, let path = choice.weights {
        let file = try SafetensorsFile.weights(at: configuration.located(path))
        let loaded = try loadWeights(of: model, from: file, newHead: choice.newHead)
        onNotice(loaded.notice(of: file, newHead: choice.newHead))
      }
      do {
        try model.freeze(choice.freeze)
      } catch let error as SettingError {
        throw ConfigurationError(error, section: "model")
      }
      return model
    }
    try communicator.collectiveTry { try configuration.checkModel(self) }
  }

  /// The same with what `makeModel` makes in place of the configuration's model; `check` throws before
  /// any rank makes it.
  package init(
    _ configuration: TrainingConfiguration, _ communicator: any Communicator,
    _ preparation: SamplePreparation? = nil,
    check: (DataSplits, ModelSignature) throws -> Void = { _, _ in },
    makeModel: (ModelSignature) throws -> any Layer
  ) throws {
    try communicator.collectiveTry { try configuration.check(worldSize: communicator.worldSize) }
    let cores = communicator.threadsPerRank()
    let data = try communicator.collectiveTry {
      try Activity.during(.openingData) {
        try configuration.openData(
          preparation, threads: configuration.group(ThreadOptions.self).threadsPerRank ?? cores)
      }
    }
    let objective = try configuration.group(ObjectiveChoice.self).loss
    // All ranks look at the free memory before one takes some of it.
    try communicator.collectiveTry {
      do {
        try check(data, TrainingTask.signature(of: data, objective: objective))
      } catch let error as SettingError {
        throw ConfigurationError(error, of: ObjectiveChoice.self)
      }
    }
    let task = try communicator.collectiveTry {
      let precision = try configuration.group(PrecisionChoice.self).precision
      let classes = try configuration.group(ClassOptions.self)
      do {
        return try TrainingTask(
          data: data, objective: objective, precision: precision, classes: classes,
          makeModel: makeModel)
      } catch let error as SettingError {
        throw ConfigurationError(error, of: ClassOptions.self)
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
  /// Throws as `TrainingTask` does. `onNotice` is called on rank zero with what was loaded.
  public convenience init(
    _ configuration: TrainingConfiguration, _ communicator: any Communicator,
    onNotice: (String) -> Void = { _ in }
  ) throws {
    try self.init(
      configuration, TrainingTask(configuration, communicator, onNotice: onNotice), communicator)
  }

  /// Prepares to train a task with the options of a configuration.
  package convenience init(
    _ configuration: TrainingConfiguration, _ task: TrainingTask, _ communicator: any Communicator
  ) throws {
    let optimizer = try configuration.chosen(OptimizerKind.all, in: "optimizer")
    let schedule = try configuration.chosen(ScheduleKind.all, in: "schedule")
    let choice = try configuration.group(OptimizerChoice.self)
    let (rates, decays) = try communicator.collectiveTry {
      do {
        let names = task.model.trainedParameters().map(\.name)
        let rates = try LearningRateFactors(choice.learningRates)
        try rates.check(names)
        let decays = try WeightDecayFactors(choice.weightDecays)
        try decays.check(names)
        return (rates, decays)
      } catch let error as SettingError {
        throw ConfigurationError(error, section: "optimizer")
      }
    }
    let warmupSteps = try configuration.group(ScheduleChoice.self).warmupSteps
    try self.init(
      task, communicator, options: configuration.group(), parallel: configuration.group(),
      checkpoints: configuration.group(), configurationFile: configuration.json.text + "\n",
      schedule: { totalSteps in
        LearningRateSchedule(
          base: choice.learningRate, warmupSteps: warmupSteps,
          schedule.entry.shape(schedule.settings, totalSteps: totalSteps))
      },
      makeOptimizer: { arena in
        arena.setLearningRates(rates)
        arena.setWeightDecays(decays)
        return optimizer.entry.make(arena, optimizer.settings)
      })
  }
}

extension Run {
  /// Chooses the directory of a configuration's run and finds the checkpoint to resume from.
  ///
  /// A run is resumed only with the same configuration, but for the settings that may change, and
  /// the same data.
  ///
  /// - Parameters:
  ///   - configuration: The configuration.
  ///   - trainer: The trainer of the configuration.
  ///   - directory: The run's directory; nil finds or creates one.
  ///   - resume: Whether to resume.
  ///   - allowedChanges: What may have changed besides.
  public convenience init(
    _ configuration: TrainingConfiguration, _ trainer: Trainer, directory: String?,
    resume: Resume, allowedChanges: Set<AllowedChange> = []
  ) throws {
    try self.init(
      RunRequest(configuration, trainer, allowedChanges: allowedChanges), directory: directory,
      resume: resume)
  }
}

extension RunRequest {
  /// The run of a configuration.
  package init(
    _ configuration: TrainingConfiguration, _ trainer: Trainer,
    allowedChanges: Set<AllowedChange> = []
  ) throws {
    let data = trainer.task.invariants
    try self.init(
      name: configuration.group(RunName.self).name,
      root: configuration.group(LoggingOptions.self).directory,
      keep: configuration.group(Trainer.CheckpointOptions.self).keep,
      configuration: configuration.yaml(), folder: configuration.folderOfPaths,
      identity: RunIdentity(
        settings: configuration.identity, data: data, model: trainer.parallel.modelFingerprint),
      totalSteps: trainer.totalSteps, allowedChanges: allowedChanges,
      settings: { directory, saved in
        guard let saved else {
          return try? TrainingConfiguration(path: directory.configurationPath).identity
        }
        return TrainingConfiguration(identity: saved)?.identity
      },
      check: { checkpoint in
        try configuration.checkResume(from: checkpoint)
        if !allowedChanges.contains(.data) { try checkpoint.requireData(data) }
      })
  }
}

extension LoadedWeights {
  /// What was loaded, left out and newly made.
  fileprivate func notice(of file: SafetensorsFile, newHead: Bool) -> String {
    let tensors = "model.weights: loaded \(Base.count(count, "tensor")) of '\(file.path)'"
    guard newHead else { return tensors }
    if new.isEmpty { return tensors + ", the last layer too: it has the same shape" }
    return tensors
      + "; left out \(leftOut.isEmpty ? "none" : leftOut.joined(separator: ", ")); new: "
      + new.joined(separator: ", ")
  }
}

extension TrainingConfiguration {
  /// Throws when the model's outputs do not fit the data: models that users write, as code or as a list of
  /// layers, are asked for the outputs of one sample.
  fileprivate func checkModel(_ task: TrainingTask) throws {
    let kind = try chosen(ModelKind.all, in: "model").entry
    let takesTokens = task.signature.tokens != nil
    guard kind.inputs == .any || (kind.inputs == .tokens) == takesTokens else {
      throw ConfigurationError(
        "'model.kind' is \(kind.name), and the data has \(takesTokens ? "tokens" : "numbers"), which it does not take"
      )
    }
    guard kind.inputs == .any, let problem = try task.outputProblem() else { return }
    throw ConfigurationError("'model.kind' is \(kind.name): \(problem)")
  }

  /// Where the data comes from, with its options.
  package func dataSource() throws -> any DataSource {
    do {
      return try locatingPaths(in: chosen(DataFormat.all, in: "data").settings) as! any DataSource
    } catch let error as SettingError {
      throw ConfigurationError(error, section: "data")
    }
  }

  /// Opens the data.
  ///
  /// - Parameters:
  ///   - preparation: How the samples of a trained model were prepared; nil finds it in the data.
  ///   - threads: The threads that read samples which are computed, such as images.
  package func openData(
    _ preparation: SamplePreparation? = nil, threads: Int = 1
  ) throws -> DataSplits {
    let (format, options) = try chosen(DataFormat.all, in: "data")
    let seed = try group(Trainer.Options.self).seed
    do {
      let data = try format.open(
        locatingPaths(in: options), preparation, seed: UInt64(seed), threads: threads)
      guard data.train.count > 0 else {
        throw ConfigurationError("'data.kind' is \(format.name), which has no training samples")
      }
      return data
    } catch let error as SettingError {
      throw ConfigurationError(error, section: "data")
    }
  }

  /// The elements of the model's parameters and buffers; nil if there are more than an `Int` counts.
  fileprivate func elementCount(_ signature: ModelSignature) throws -> Int? {
    let (kind, options) = try chosen(ModelKind.all, in: "model")
    do {
      return try kind.elementCount(
        options, inputShape: signature.inputShape, outputs: signature.outputs,
        tokens: signature.tokens)
    } catch let error as SettingError {
      throw ConfigurationError(error, section: "model")
    }
  }

  /// The memory that training on the ranks of this computer needs.
  fileprivate func trainingMemory(
    _ data: DataSplits, _ signature: ModelSignature, _ communicator: any Communicator
  ) throws -> MemoryEstimate {
    let optimizer = try chosen(OptimizerKind.all, in: "optimizer")
    let parallel = try group(DataParallel.Options.self)
    let topology = communicator.topology
    return try MemoryEstimate(
      training: elementCount(signature),
      stateBuffers: optimizer.entry.stateBufferCount(optimizer.settings),
      // The first node has the whole state while a checkpoint is saved.
      stateNodes: parallel.shardOptimizer && topology.nodeIndex > 0 ? topology.nodeCount : 1,
      weightCopies: parallel.weightCopies,
      batchByteCount: group(Trainer.Options.self).batchByteCount(
        for: data.train, worldSize: communicator.worldSize), ranks: communicator.node.size)
  }

  /// The model with initial weights.
  fileprivate func makeModel(_ signature: ModelSignature) throws -> any Layer {
    let (kind, options) = try chosen(ModelKind.all, in: "model")
    do {
      return try kind.make(
        options, inputShape: signature.inputShape, outputs: signature.outputs,
        tokens: signature.tokens, seed: UInt64(group(Trainer.Options.self).seed))
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

extension TrainingConfiguration {
  /// The settings that make two runs the same, as `path: value` in YAML: those that may not change
  /// when a run resumes, and those of its length.
  fileprivate var identity: [String: String] {
    let keys = ConfigurationKey.all.filter {
      !$0.declaration.mayChangeOnResume || Trainer.Options.lengthSettings.contains($0.path)
    }
    return Dictionary(uniqueKeysWithValues: keys.map { ($0.path, $0.yaml(self[$0.path])) })
  }

  /// Reads what `identity` gave, also in an earlier version; nil if it cannot be read.
  fileprivate init?(identity: [String: String]) {
    let sections = Dictionary(grouping: identity.sorted { $0.key < $1.key }) { path, _ in
      path.firstIndex(of: ".").map { String(path[..<$0]) } ?? ""
    }
    let yaml = sections.map { section, values in
      let lines = values.map { path, value in
        section.isEmpty
          ? "\(path): \(value)\n" : "  \(path.dropFirst(section.count + 1)): \(value)\n"
      }
      return (section.isEmpty ? "" : section + ":\n") + lines.joined()
    }
    guard
      let configuration = try? TrainingConfiguration(
        yaml: Data(yaml.joined().utf8), path: "run.json")
    else { return nil }
    self = configuration
  }
}

extension Checkpoint {
  /// Throws when the checkpoint was trained on other data.
  fileprivate func requireData(_ data: [String: String]) throws {
    guard let saved = try dataFingerprints(), saved != data else { return }
    let lines = data.keys.sorted().filter { saved[$0] != data[$0] }.map { name in
      "  \(name): fingerprint \(saved[name] ?? "none") in the checkpoint, \(data[name]!) now"
    }
    throw ConfigurationError(
      """
      the run cannot resume from '\(path)', which was trained on other data:
      \(lines.joined(separator: "\n"))
      restore the data, continue with the new data with --allow-change data, or start a new run with \
      --resume never and another --run-dir
      """)
  }

  /// The configuration that the checkpoint was trained with.
  ///
  /// Throws when its model or data is that of another program.
  public func configuration() throws -> TrainingConfiguration {
    let path = try path(of: Checkpoint.configurationFile)
    let content = try FileSystem().readFile(path)
    try checkKinds(content)
    // JSON is YAML.
    var configuration = try TrainingConfiguration(yaml: Data(content), path: path)
    // RUN/checkpoints/step-000010
    configuration.startFolder = RunDirectory(path: self.path.parentPath.parentPath).startFolder
    return configuration
  }

  /// Throws when the configuration names a model or data that this program does not have.
  private func checkKinds(_ content: [UInt8]) throws {
    struct Section: Decodable { var kind: String? }
    struct Sections: Decodable { var model, data: Section? }
    // What is no such object is refused when it is read as a configuration.
    guard let sections = try? JSON.decode(Sections.self, from: content) else { return }
    for (what, kind, names) in [
      ("model", sections.model?.kind, ModelKind.all.names),
      ("data", sections.data?.kind, DataFormat.all.names),
    ] {
      guard let kind, !names.contains(kind) else { continue }
      throw ConfigurationError(
        "'\(self.path)' was trained by a program with its own \(what) '\(kind.prefix(80))': use that program"
      )
    }
  }

  /// The precision that the model was trained in.
  fileprivate func precision() throws -> Precision {
    try configuration().group(PrecisionChoice.self).precision
  }

  /// The trained model.
  package func model() throws -> any Layer {
    let (configuration, signature) = (try configuration(), try signature())
    let elementCount = try configuration.elementCount(signature)
    try MemoryEstimate(applying: elementCount, ranks: 1).check(.current())
    let model = try configuration.makeModel(signature)
    try loadWeights(of: model, from: evaluatedWeights())
    return model
  }
}

extension Predictor {
  /// Loads the model of a checkpoint, whose data is not needed; `precision` is the one that it was trained in
  /// unless another is given.
  public convenience init(_ checkpoint: Checkpoint, precision: Precision? = nil) throws {
    let format = try checkpoint.configuration().chosen(DataFormat.all, in: "data").entry
    guard format.isText != true, try checkpoint.signature().tokens == nil else {
      throw ConfigurationError(
        "the model of '\(checkpoint.path)' continues text; predict is for samples of numbers")
    }
    let precision = try precision ?? checkpoint.precision()
    try self.init(checkpoint.model(), checkpoint.signature(), precision: precision)
  }
}

extension TextGenerator {
  /// Loads the model of a checkpoint, which must have been trained on text or with a tokenizer; `precision` is
  /// the one that it was trained in unless another is given.
  public convenience init(_ checkpoint: Checkpoint, precision: Precision? = nil) throws {
    guard try checkpoint.signature().preparation.tokenizer != nil else {
      throw ConfigurationError(
        "'\(checkpoint.path)' has no tokenizer, so it cannot continue text: it is no language model, or was trained on token files without a tokenizer.json beside them and without data.tokenizer"
      )
    }
    let precision = try precision ?? checkpoint.precision()
    try self.init(checkpoint.model(), checkpoint.signature(), precision: precision)!
  }
}
