public import Collectives
public import DataLoading
import Foundation
public import NeuralNetworks
import Optimizers
import TensorCore

/// A training run: the model of a configuration, its data, and the loop that brings them together.
///
/// Every rank makes one and calls the same functions; a single process is the same with a
/// communicator of size one.
public final class Trainer {
  /// What was asked for.
  public let configuration: TrainingConfiguration
  /// The model, the same on all ranks.
  public let model: any Layer
  /// The samples to train on.
  public let trainingData: any Dataset
  /// The samples to test on; may be empty.
  public let testData: any Dataset
  /// What is minimized.
  public let objective: Objective
  let signature: ModelSignature
  let communicator: any Communicator
  /// What takes steps on all ranks together.
  public let parallel: DataParallel
  private let sampler: GlobalBatchSampler
  private let schedule: Schedule
  var state = TrainingState()

  /// Opens the data and builds the model.
  ///
  /// The ranks make sure that they are about to do the same.
  ///
  /// Throws on every rank when something fails on any: `CollectiveFailure` with the message and
  /// exit code of the lowest such rank, or `RankDisagreement`.
  public convenience init(
    _ configuration: TrainingConfiguration, _ communicator: any Communicator
  ) throws {
    try self.init(configuration, communicator) { inputShape, outputs in
      try ModelRegistry.makeModel(
        configuration.model, inputShape: inputShape, outputs: outputs,
        seed: UInt64(configuration.training.seed))
    }
  }

  /// Trains what `makeModel` makes for an input's shape and a number of outputs, in place of the
  /// model that the configuration names.
  package init(
    _ configuration: TrainingConfiguration, _ communicator: any Communicator,
    makeModel: (_ inputShape: [Int], _ outputs: Int) throws -> any Layer
  ) throws {
    self.configuration = configuration
    self.communicator = communicator
    let training = configuration.training
    let data: DataSplits
    (data, objective) = try communicator.agreeing {
      let data = try configuration.source.open()
      return (data, try Objective(training.loss, for: data.train.targetKind))
    }
    (trainingData, testData) = (data.train, data.test)
    let seed = UInt64(training.seed)
    signature = ModelSignature(
      inputShape: trainingData.inputShape,
      outputs: objective.outputs(for: trainingData.targetKind), objective: objective,
      standardization: data.standardization, codec: data.codec)
    let (inputShape, outputs) = (signature.inputShape, signature.outputs)
    let isRoot = communicator.isRoot
    model = try communicator.agreeing {
      let model = try makeModel(inputShape, outputs)
      // The other ranks get rank zero's.
      if isRoot, !configuration.model.weights.isEmpty {
        try loadWeights(of: model, from: SafetensorsFile(path: configuration.model.weights))
      }
      return model
    }
    sampler = GlobalBatchSampler(
      for: trainingData, globalBatch: training.globalBatch, seed: seed)
    totalSteps =
      training.steps > 0 ? training.steps : training.epochs * sampler.batchesPerEpoch
    schedule = configuration.makeSchedule(totalSteps: totalSteps)
    parallel = try DataParallel(
      model, communicator, options: configuration.parallelOptions,
      facts: configuration.comparableValues.merging([
        "training data": String(trainingData.fingerprint, radix: 16),
        "test data": String(testData.fingerprint, radix: 16),
      ]) { $1 },
      makeOptimizer: configuration.makeOptimizer)
  }

  /// The number of optimizer steps done.
  public var step: Int { state.step }
  /// The number of steps of the whole run.
  public let totalSteps: Int

  /// A description for the one who watches.
  public func describe() -> RunDescription {
    let tokens = [trainingData, testData].map { ($0 as? TokenDataset)?.tokenCount }
    return RunDescription(
      worldSize: communicator.worldSize, nodeCount: parallel.placement.nodeCount,
      threads: Threads.count, shards: parallel.options.shards, overlap: parallel.overlap,
      parameterCount: model.parameterCount, countsTokens: tokens[0] != nil,
      trainingSamples: tokens[0] ?? trainingData.count,
      testSamples: tokens[1] ?? testData.count, globalBatch: configuration.training.globalBatch,
      stepsPerEpoch: sampler.batchesPerEpoch, totalSteps: totalSteps,
      epochs: (totalSteps + sampler.batchesPerEpoch - 1) / sampler.batchesPerEpoch,
      completedSteps: step,
      hasAccuracy: objective.hasAccuracy)
  }

  /// How a call of `train` ended.
  public enum Outcome: Sendable {
    /// All epochs are done.
    case finished
    /// The permitted number of steps is done, the run is not.
    case reachedMaximumSteps
    /// Somebody asked to stop. The state was saved if it could be.
    case stopped
  }

  /// Trains to the end, or until `maximumSteps` or a request to stop, saving checkpoints on rank
  /// zero.
  ///
  /// - Parameters:
  ///   - store: Where rank zero saves checkpoints; nil saves none.
  ///   - maximumSteps: The step of the run at which to stop early.
  ///   - isStopRequested: Asked on every rank after each step; one yes stops all ranks after the
  ///     same step.
  ///   - onEvent: Called on rank zero.
  public func train(
    store: CheckpointStore?, maximumSteps: Int? = nil,
    isStopRequested: () -> Bool = { false }, onEvent: (TrainingEvent) throws -> Void = { _ in }
  ) throws -> Outcome {
    let report = communicator.isRoot ? onEvent : { _ in }
    let lastStep = min(totalSteps, maximumSteps ?? totalSteps)
    let checkpoints = CheckpointWriter(communicator.isRoot ? store : nil, savedStep: step)
    try report(.started(describe()))
    guard step < lastStep else { return step < totalSteps ? .reachedMaximumSteps : .finished }

    let loader = DataLoader(
      trainingData, sampler: sampler, rank: parallel.placement.position,
      worldSize: communicator.worldSize, startingAt: step)
    defer { loader.cancel() }
    var epochClock = Clock()
    var epochSamplesHere = 0.0
    while step < lastStep {
      var clock = Clock()
      let batch = try loader.next()
      let (metrics, learningRate, stops) = try trainStep(batch, isStopRequested())
      state.epochMetrics += metrics
      epochSamplesHere += metrics.sampleCount
      let isEndOfEpoch = step % reportInterval == 0 || step == totalSteps
      try report(
        .step(
          StepReport(
            step: step, epoch: batch.epoch + 1, loss: metrics.loss,
            accuracy: objective.hasAccuracy ? metrics.accuracy : nil, learningRate: learningRate,
            samplesPerSecond: metrics.sampleCount / clock.lap(), epochMetrics: state.epochMetrics)))
      if isEndOfEpoch {
        let seconds = epochClock.lap()
        let test = try evaluateIfDue(epoch: batch.epoch + 1)
        try report(
          .epoch(
            EpochReport(
              step: step, epoch: batch.epoch + 1, metrics: state.epochMetrics, test: test,
              hasAccuracy: objective.hasAccuracy, learningRate: learningRate,
              samplesPerSecond: epochSamplesHere / seconds,
              seconds: seconds)))
        state.epochMetrics = Metrics()
        epochSamplesHere = 0
      }
      if stops || step == lastStep || isCheckpointDue(isEndOfEpoch) {
        try checkpoints.save(self, report)
      }
      if isEndOfEpoch { _ = epochClock.lap() }
      if stops {
        try checkpoints.requireSaved(step)
        return .stopped
      }
    }
    try checkpoints.requireSaved(step)
    return step < totalSteps ? .reachedMaximumSteps : .finished
  }

  /// One optimizer step on this rank's slice of a global batch.
  private func trainStep(
    _ batch: Batch, _ isStopRequested: Bool
  ) throws -> (metrics: Metrics, learningRate: Double, stops: Bool) {
    let learningRate = schedule(step)
    let result: DataParallel.Result
    do {
      result = try parallel.step(
        samples: batch.globalPositions, epoch: batch.epoch, learningRate: learningRate,
        wantsToStop: isStopRequested
      ) { positions in
        let start = batch.positions.lowerBound
        let samples = positions.lowerBound - start..<positions.upperBound - start
        return objective.evaluate(model(batch.inputs(samples)), batch.targets(samples))
      }
    } catch let error as NonFiniteStep {
      throw NonFiniteLoss(
        step: step + 1, epoch: batch.epoch + 1, loss: error.loss, learningRate: learningRate)
    }
    state.step += 1
    state.stepCounts = parallel.optimizer.stepCounts
    // The loss of a text is that of its tokens.
    let count = Double(batch.targetKind.lossCount)
    let metrics = Metrics(
      sampleCount: result.sampleCount * count, lossSum: result.lossSum * count,
      correctCount: result.correctCount)
    return (metrics, learningRate, result.stops)
  }

  /// The steps after which an epoch, or what `training.evaluateEverySteps` puts in its place, ends.
  private var reportInterval: Int {
    let every = configuration.training.evaluateEverySteps
    return every > 0 ? every : sampler.batchesPerEpoch
  }

  private func evaluateIfDue(epoch: Int) throws -> Metrics? {
    let training = configuration.training
    let every = training.evaluateEverySteps > 0 ? 1 : training.evaluateEveryEpochs
    guard testData.count > 0, every > 0, epoch % every == 0 || step == totalSteps else {
      return nil
    }
    let isWhole = training.evaluationBatches == 0 || step == totalSteps
    return try evaluate(limit: isWhole ? nil : training.evaluationBatches * training.globalBatch)
  }

  /// Loss and accuracy on the test samples, the work shared by all ranks.
  public func evaluate() throws -> Metrics { try evaluate(limit: nil) }

  private func evaluate(limit: Int?) throws -> Metrics {
    try Training.evaluate(
      model, on: testData, objective, batchSize: configuration.training.globalBatch, communicator,
      limit: limit)
  }

  private func isCheckpointDue(_ isEndOfEpoch: Bool) -> Bool {
    let every = configuration.checkpoint.everySteps
    return every == 0 ? isEndOfEpoch : step % every == 0
  }
}

/// Saves checkpoints and remembers whether the newest state is safe.
///
/// Only rank zero's has a store.
private final class CheckpointWriter {
  private let store: CheckpointStore?
  private var savedStep: Int
  private var failure: (any Error)?

  init(_ store: CheckpointStore?, savedStep: Int) {
    self.store = store
    self.savedStep = savedStep
  }

  /// Commits the trainer's state.
  ///
  /// When that fails, says so and lets the training go on.
  func save(_ trainer: Trainer, _ report: (TrainingEvent) throws -> Void) throws {
    // The weights are the same on all ranks, and so is what they find.
    guard trainer.parallel.arena.hasFiniteValues else {
      throw NonFiniteWeights(step: trainer.step)
    }
    guard let store, savedStep != trainer.step else { return }
    var clock = Clock()
    do {
      let checkpoint = try store.commit(step: trainer.step, files: trainer.checkpointFiles())
      savedStep = trainer.step
      failure = nil
      try report(
        .checkpoint(step: trainer.step, path: checkpoint.path, seconds: clock.lap()))
    } catch let error as CheckpointError {
      failure = error
      try report(.checkpointFailed(step: trainer.step, reason: error.description))
    }
  }

  /// Throws why the last checkpoint is missing, if it is.
  func requireSaved(_ step: Int) throws {
    if let failure { throw failure }
  }
}

/// A loss that is infinite or not a number.
public struct NonFiniteLoss: AgreedError, ExitStatusProviding, CustomStringConvertible {
  /// The step that was being taken, counted from 1.
  public let step: Int
  /// Its epoch, counted from 1.
  public let epoch: Int
  /// The loss.
  public let loss: Double
  /// The learning rate at that step.
  public let learningRate: Double

  /// What happened and what helps.
  public var description: String {
    """
    the loss became \(loss.isNaN ? .nan : loss) at step \(step) (epoch \(epoch), learning rate \(learningRate)); the update was not made and \
    earlier checkpoints are untouched. Lower optimizer.learningRate, set training.gradientClipNorm, or look for \
    non-finite values in the data
    """
  }

  /// The exit code 80.
  public var exitStatus: ExitStatus { .nonFiniteLoss }
}

/// Weights that are infinite or not numbers, found before they were saved.
public struct NonFiniteWeights: AgreedError, ExitStatusProviding, CustomStringConvertible {
  /// The number of steps done.
  public let step: Int

  /// What happened and what helps.
  public var description: String {
    """
    the weights after step \(step) hold values that are not finite, so they were not saved; earlier checkpoints are \
    untouched. Lower optimizer.learningRate or set training.gradientClipNorm
    """
  }

  /// The exit code 80.
  public var exitStatus: ExitStatus { .nonFiniteLoss }
}
