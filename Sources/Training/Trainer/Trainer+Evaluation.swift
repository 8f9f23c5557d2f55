import Base
import DataLoading
import DataParallel
import Optimizers

// Ends of epochs: evaluation, the best one so far, and their reports.
extension Trainer {
  /// The time and the samples of the current epoch in this process.
  struct EpochClocks {
    var clock = Stopwatch()
    var samples = 0.0

    mutating func restart() {
      _ = clock.lap()
      samples = 0
    }
  }

  /// Whether the state is that of the end of an epoch whose evaluation was abandoned because of a
  /// stop; at the end of other epochs the epoch's metrics have been reported and are empty.
  var isEvaluationPending: Bool {
    step > 0 && (isDue(every: reportInterval) || step == totalSteps)
      && state.epochMetrics.sampleCount > 0
  }

  /// Evaluates if that is due, and reports the epoch; false if a stop was requested before the end of
  /// the evaluation, which a resumed run then repeats.
  func finishEpoch(
    _ epoch: Int, _ clocks: inout EpochClocks, _ isStopRequested: () -> Bool,
    _ report: (TrainingEvent) throws -> Void
  ) throws -> Bool {
    let seconds = clocks.clock.lap()
    let learningRate = learningRate(ofStep: step - 1)
    var validation: Metrics?
    var isBest = false
    if let limit = evaluationSamples() {
      var clock = Stopwatch()
      validation = try Activity.during(.evaluation) {
        try parallel.withAverages {
          try task.evaluate(
            batchSize: options.globalBatch, communicator, limit: limit.count,
            isStopRequested: isStopRequested)
        }
      }
      guard let validation else { return false }
      phases.evaluation += clock.lap()
      isBest = note(validation)
      if var plateau {
        plateau.note(validation.loss)
        state.plateau = plateau.state
      }
    }
    phases.add(parallel.times, since: reportedTimes)
    reportedTimes = parallel.times
    let allPhases = phases.gathered(communicator)
    phases = PhaseTimes()
    try report(
      .epoch(
        EpochReport(
          step: step, epoch: epoch, metrics: state.epochMetrics, validation: validation,
          isBest: isBest,
          rootMeanSquaredError: validation.flatMap { task.rootMeanSquaredError($0) },
          phases: allPhases, hasAccuracy: task.objective.hasAccuracy,
          countsTokens: task.countsTokens,
          learningRate: learningRate, samplesPerSecond: clocks.samples / seconds,
          seconds: seconds)))
    state.epochMetrics = Metrics()
    clocks.samples = 0
    return true
  }

  /// The schedule `plateau` as it is now; nil with another one.
  private var plateau: ReduceOnPlateau? {
    guard case .plateau(let options) = schedule.shape else { return nil }
    return ReduceOnPlateau(options, state: state.plateau ?? ReduceOnPlateau.State())
  }

  /// The learning rate of a step, counted from 0, after the evaluations so far.
  func learningRate(ofStep step: Int) -> Double {
    let rate = schedule(step)
    return plateau?.rate(rate) ?? rate
  }

  /// The steps of an epoch, or of what `evaluateEverySteps` puts in its place.
  var reportInterval: Int { options.evaluateEverySteps ?? sampler.batchesPerEpoch }

  /// How many validation samples to evaluate at the end of an epoch, where a nil count is all; nil if none.
  private func evaluationSamples() -> (count: Int?, Void)? {
    guard task.data.validation.count > 0,
      let steps = options.evaluateEverySteps
        ?? options.evaluateEveryEpochs.map({
          $0.multiplied(by: sampler.batchesPerEpoch) ?? .max
        }), isDue(every: steps) || step == totalSteps
    else { return nil }
    let limit = step == totalSteps ? nil : options.evaluationBatches
    return (limit.map { $0 * options.globalBatch }, ())
  }

  /// Notes an evaluation; returns whether it is the best of the run.
  private func note(_ validation: Metrics) -> Bool {
    if state.best == nil {
      guard validation.loss.isFinite else { return false }
      state.best = BestEvaluation(step: step, loss: validation.loss)
    } else {
      state.best!.note(step: step, loss: validation.loss)
    }
    return state.best!.step == step
  }

  /// The best evaluation so far: the steps that were done, and its validation loss; nil before the first.
  public var bestEvaluation: (step: Int, loss: Double)? {
    state.best.map { ($0.step, $0.loss) }
  }

  /// The step of the best checkpoint, if it is kept.
  var keptBestStep: Int? { keepsBest ? state.best?.step : nil }

  /// Whether the last evaluations, as many as the options allow, were no improvement.
  var isWithoutImprovement: Bool {
    guard let limit = options.stopAfterWithoutImprovement, let best = state.best else {
      return false
    }
    return best.evaluationsSince >= limit
  }
}
