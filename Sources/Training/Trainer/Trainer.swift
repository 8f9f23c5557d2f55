import Base
public import Checkpointing
public import Collectives
import DataLoading
public import DataParallel
import Foundation
public import NeuralNetworks
public import Optimizers
package import Settings
import TensorCore

/// A training run: a task, an optimizer, and the loop that brings them together.
///
/// Every rank makes one and calls the same functions; a single process is the same with a
/// communicator of size one.
public final class Trainer {
  /// The model, its data and the objective.
  public let task: TrainingTask
  /// How long and in which batches to train.
  public let options: Options
  /// Takes the steps on all ranks together.
  public let parallel: DataParallel
  /// The number of steps of the whole run.
  public let totalSteps: Int
  let communicator: any Communicator
  let configurationFile: String?
  private let checkpointInterval: Int?
  private let savesInBackground: Bool
  let sampler: GlobalBatchSampler
  let schedule: LearningRateSchedule
  var state = TrainingState()
  private var consecutiveSkips = 0
  /// A request to save that the ranks have not agreed on yet.
  private var isSaveWanted = false
  /// Requests to stop and to save that the ranks have agreed on, until all nodes have the same weights.
  private var hasStopRequest = false
  private var hasSaveRequest = false
  /// What the user should know about the checkpoint that the run resumes from.
  public internal(set) var resumeWarnings: [String] = []
  let keepsBest: Bool
  /// Where the time of this rank went since the last report of an epoch.
  var phases = PhaseTimes()
  /// What `parallel` had counted then.
  var reportedTimes = DataParallel.Times()

  /// Prepares to train a task.
  ///
  /// The ranks make sure that they are about to do the same. Throws on every rank when something
  /// fails on any: `CollectiveFailure` with the message and exit code of the lowest such rank, or
  /// `RankDisagreement`.
  ///
  /// - Parameters:
  ///   - task: The model, with the same shapes on all ranks, and the data.
  ///   - communicator: The ranks.
  ///   - options: How long and in which batches to train.
  ///   - parallel: How ranks work together; its seed is that of `options`.
  ///   - checkpoints: When checkpoints are saved.
  ///   - configurationFile: What checkpoints keep as `config.json`; nil keeps none.
  ///   - schedule: Makes the learning-rate schedule, given the number of steps of the run.
  ///   - makeOptimizer: Makes the optimizer of the parameters.
  public init(
    _ task: TrainingTask, _ communicator: any Communicator, options: Options = Options(),
    parallel parallelOptions: DataParallel.Options = DataParallel.Options(),
    checkpoints: CheckpointOptions = CheckpointOptions(), configurationFile: String? = nil,
    schedule: (_ totalSteps: Int) -> LearningRateSchedule,
    makeOptimizer: (ParameterArena) -> any Optimizer
  ) throws {
    (self.task, self.communicator, self.options) = (task, communicator, options)
    self.configurationFile = configurationFile
    (checkpointInterval, savesInBackground) = (checkpoints.everySteps, checkpoints.background)
    keepsBest = checkpoints.keepBest
    try communicator.collectiveTry {
      try options.validate()
      try Trainer.check(options, parallelOptions)
    }
    sampler = options.sampler(for: task)
    totalSteps = options.totalSteps(for: task)
    self.schedule = schedule(totalSteps)
    try communicator.collectiveTry { [schedule = self.schedule] in
      guard case .plateau = schedule.shape, !options.evaluates(task) else { return }
      throw SettingError(
        "kind", "is plateau, which needs evaluations: validation samples and evaluateEveryEpochs")
    }
    var parallelOptions = parallelOptions
    parallelOptions.seed = UInt64(options.seed)
    parallelOptions.checksGradients = options.onNonFinite != .stop
    parallel = try DataParallel(
      task.model, communicator, options: parallelOptions, invariants: task.invariants,
      makeOptimizer: makeOptimizer)
    parallel.lastStep = totalSteps
  }

  /// Throws when options of the loop and of the ranks do not fit together.
  package static func check(
    _ options: Options, _ parallel: DataParallel.Options
  ) throws(SettingError) {
    guard parallel.microBatches > options.globalBatch else { return }
    throw SettingError(
      "microBatches",
      "is \(parallel.microBatches), more than the \(options.globalBatch) samples of 'globalBatch'")
  }

  /// The model, the same on all ranks.
  public var model: any Layer { task.model }

  /// The number of optimizer steps done.
  public var step: Int { state.step }

  /// What is about to be trained.
  public func describe() -> RunDescription {
    RunDescription(
      worldSize: communicator.worldSize, nodeCount: parallel.topology.nodeCount,
      threads: Threads.count, fixedSlices: parallel.options.fixedSlices,
      localSteps: parallel.options.localSteps, overlap: parallel.overlap,
      allReduce: parallel.interNodeAllReduce,
      wire: parallel.options.wire, shardsOptimizer: parallel.options.shardOptimizer,
      parameterCount: model.parameterCount,
      trainedParameterCount: model.trainedParameters().reduce(0) { $0 + $1.parameter.count },
      countsTokens: task.countsTokens,
      trainingSamples: task.count(.train), validationSamples: task.count(.validation),
      testSamples: task.count(.test), task: TaskSummary(task),
      globalBatch: options.globalBatch, stepsPerEpoch: sampler.batchesPerEpoch,
      totalSteps: totalSteps,
      epochs: (totalSteps + sampler.batchesPerEpoch - 1) / sampler.batchesPerEpoch,
      completedSteps: step, hasAccuracy: task.objective.hasAccuracy)
  }

  /// How a call of `train` ended.
  public enum Outcome: Sendable {
    /// All epochs are done.
    case finished
    /// The permitted number of steps is done, the run is not.
    case reachedMaximumSteps
    /// The validation loss has not become lower for as many evaluations as the options allow.
    case stoppedEarly
    /// A stop was requested. The state was saved if it could be.
    case stopped

    /// Whether nothing of the run is left to do.
    public var isEnd: Bool { self == .finished || self == .stoppedEarly }
  }

  /// Trains to the end, or until `maximumSteps` or a request to stop, saving checkpoints on rank
  /// zero.
  ///
  /// - Parameters:
  ///   - store: Where rank zero saves checkpoints, and finds those to return to; nil saves none.
  ///   - maximumSteps: The step of the run at which to stop early; with `localSteps` at the outer step that
  ///     follows.
  ///   - isStopRequested: Called on every rank before each step; one true stops all ranks after it, or with
  ///     `localSteps` after the next outer step.
  ///   - isSaveRequested: Called on every rank before each step; one true saves a checkpoint after it, or
  ///     after the next outer step.
  ///   - willSave: Called on rank zero before each checkpoint, and before a return to one; what it
  ///     throws, fails the checkpoint or ends the training.
  ///   - willTakeStep: Called on every rank before each step.
  ///   - wantsGradientNorm: Called on rank zero before each step, with its number: whether to measure the norm
  ///     of its gradient.
  ///   - onEvent: Called on rank zero.
  public func train(
    store: CheckpointStore?, maximumSteps: Int? = nil,
    isStopRequested: () -> Bool = { false }, isSaveRequested: () -> Bool = { false },
    willSave: @escaping () throws -> Void = {}, willTakeStep: () throws -> Void = {},
    wantsGradientNorm: (_ step: Int) -> Bool = { _ in false },
    onEvent: (TrainingEvent) throws -> Void = { _ in }
  ) throws -> Outcome {
    Activity.begin(.trainingStep, step: step + 1)
    let report = communicator.isRoot ? onEvent : { _ in }
    let lastStep = min(totalSteps, maximumSteps.map(synchronizedStep) ?? totalSteps)
    (isSaveWanted, hasStopRequest, hasSaveRequest) = (false, false, false)
    let rollsBack = options.onNonFinite == .rollback
    let isSaved = !rollsBack || (try? store?.steps().contains(step)) ?? false
    let checkpoints = CheckpointWriter(
      communicator.isRoot ? store : nil, savedStep: isSaved ? step : nil,
      inBackground: savesInBackground, willSave: willSave)
    try report(.started(describe()))
    var clocks = EpochClocks()
    if isEvaluationPending {
      // The run was stopped during this evaluation.
      let epoch = (step - 1) / sampler.batchesPerEpoch + 1
      guard try finishEpoch(epoch, &clocks, isStopRequested, report) else { return .stopped }
    }
    if isWithoutImprovement { return .stoppedEarly }
    guard step < lastStep else { return step < totalSteps ? .reachedMaximumSteps : .finished }
    // After an error, the checkpoint that is being written is still good.
    defer { try? checkpoints.finish(report) }
    parallel.willUpdate = { checkpoints.waitForCopy() }
    defer { parallel.willUpdate = nil }
    if rollsBack {
      // There must be one to return to.
      try Activity.during(.checkpoint) { try checkpoints.save(self, report) }
    }
    while true {
      do {
        return try trainSteps(
          to: lastStep, checkpoints, &clocks, isStopRequested, isSaveRequested, willTakeStep,
          wantsGradientNorm, report)
      } catch let failure as any NonFiniteError where rollsBack {
        try Activity.during(.checkpoint) {
          try rollBack(after: failure, checkpoints, report)
        }
        clocks = EpochClocks()
      }
    }
  }

  /// Trains up to a step, or until a request to stop.
  private func trainSteps(
    to lastStep: Int, _ checkpoints: CheckpointWriter, _ clocks: inout EpochClocks,
    _ isStopRequested: () -> Bool, _ isSaveRequested: () -> Bool,
    _ willTakeStep: () throws -> Void, _ wantsGradientNorm: (Int) -> Bool,
    _ report: (TrainingEvent) throws -> Void
  ) throws -> Outcome {
    let loader = DataLoader(
      task.data.train, sampler: sampler, partition: parallel.partition, startingAt: step)
    defer { loader.cancel() }
    let hasAccuracy = task.objective.hasAccuracy
    while step < lastStep {
      try willTakeStep()
      var clock = Stopwatch()
      let batch = try Activity.waiting(for: .data) { try loader.next() }
      let dataWait = clock.elapsed
      phases.data += dataWait
      isSaveWanted = isSaveRequested() || isSaveWanted
      let times = parallel.times
      var (metrics, learningRate, norm, stops, saves) = try trainStep(
        batch, isStopRequested(), isSaveWanted,
        communicator.isRoot && wantsGradientNorm(step + 1), report)
      if saves { isSaveWanted = false }
      (stops, saves) = (takeRequest(&hasStopRequest, stops), takeRequest(&hasSaveRequest, saves))
      state.epochMetrics += metrics
      clocks.samples += metrics.sampleCount
      let isEndOfEpoch = isDue(every: reportInterval) || step == totalSteps
      try report(
        .step(
          StepReport(
            step: step, epoch: batch.epoch + 1, loss: metrics.loss,
            accuracy: hasAccuracy ? metrics.accuracy : nil, learningRate: learningRate,
            gradientNorm: norm, samplesPerSecond: metrics.sampleCount / clock.lap(),
            dataWait: dataWait,
            communication: parallel.times.waiting - times.waiting
              + parallel.times.exposedCommunication - times.exposedCommunication,
            epochMetrics: state.epochMetrics,
            skippedSteps: state.skippedSteps ?? 0, rollbacks: state.rollbacks?.count ?? 0)))
      if isEndOfEpoch, !stops {
        stops = try !finishEpoch(batch.epoch + 1, &clocks, isStopRequested, report)
      }
      try checkpoints.poll(report)
      let endsEarly = isEndOfEpoch && isWithoutImprovement
      if stops || endsEarly || step == lastStep || isCheckpointDue(isEndOfEpoch) || saves
        || keptBestStep == step
      {
        var clock = Stopwatch()
        try Activity.during(.checkpoint) { try checkpoints.save(self, report) }
        phases.checkpoint += clock.lap()
      }
      if isEndOfEpoch { clocks.restart() }
      if stops {
        try Activity.during(.checkpoint) { try checkpoints.requireSaved(communicator, report) }
        return .stopped
      }
      if endsEarly {
        try Activity.during(.checkpoint) { try checkpoints.requireSaved(communicator, report) }
        return .stoppedEarly
      }
    }
    try Activity.during(.checkpoint) { try checkpoints.requireSaved(communicator, report) }
    return step < totalSteps ? .reachedMaximumSteps : .finished
  }

  /// One optimizer step on this rank's slice of a global batch.
  private func trainStep(
    _ batch: Batch, _ isStopRequested: Bool, _ isSaveWanted: Bool, _ wantsNorm: Bool,
    _ report: (TrainingEvent) throws -> Void
  ) throws -> (metrics: Metrics, learningRate: Double, norm: Double?, stops: Bool, saves: Bool) {
    let learningRate = learningRate(ofStep: step)
    if state.rollbacks?.leavesOut(step + 1) ?? false {
      leaveOutStep()
      return (Metrics(), learningRate, norm: nil, stops: false, saves: false)
    }
    let result: DataParallel.Result
    do {
      result = try parallel.step(
        samples: batch.globalPositions, epoch: batch.epoch, learningRate: learningRate,
        wantsToStop: isStopRequested, wantsToSave: isSaveWanted, wantsNorm: wantsNorm,
        summing: ["correct"]
      ) { positions in
        let (loss, correct) = task.trainingLoss(batch, positions)
        return (loss, ["correct": Double(correct)])
      }
    } catch let error as NonFiniteStep {
      consecutiveSkips += 1
      guard options.onNonFinite == .skip, error.origin.part != .weights,
        consecutiveSkips <= NonFinitePolicy.longestSkip
      else {
        throw NonFiniteLoss(
          step: step + 1, epoch: batch.epoch + 1, loss: error.loss, learningRate: learningRate,
          origin: error.origin)
      }
      leaveOutStep()
      try report(.skipped(step: step, reason: error.description))
      // All ranks learn of a request to stop or save in the next step.
      return (Metrics(), learningRate, norm: nil, stops: false, saves: false)
    }
    consecutiveSkips = 0
    state.step += 1
    // The loss of a text is that of its tokens.
    let count = Double(batch.targetKind.lossCount)
    let metrics = Metrics(
      sampleCount: result.sampleCount * count, lossSum: result.lossSum * count,
      correctCount: result.sums["correct"]!)
    return (metrics, learningRate, result.gradientNorm, result.stops, result.saves)
  }

  /// Counts a step that makes no update.
  private func leaveOutStep() {
    state.step += 1
    state.skippedSteps = (state.skippedSteps ?? 0) + 1
    parallel.stepCount = state.step
    parallel.synchronizeIfDue()
  }

  private func isCheckpointDue(_ isEndOfEpoch: Bool) -> Bool {
    checkpointInterval.map { isDue(every: $0) } ?? isEndOfEpoch
  }
}
