public import Settings

/// Lowers the learning rate when the validation loss stays, PyTorch's `ReduceLROnPlateau`.
///
///     var plateau = ReduceOnPlateau(.init(patience: 2))
///     for epoch in 0..<epochs {
///       for batch in batches { … ; optimizer.step(learningRate: plateau.rate(0.1)) }
///       plateau.note(validationLoss())
///     }
///
/// A loss is an improvement if it is below `(1 - threshold)` times the best one. After more than
/// `patience` losses in a row without one, the rate is multiplied by `factor`. `state` is all that a
/// checkpoint must keep.
public struct ReduceOnPlateau: Sendable, Equatable {
  /// When and how the rate falls.
  public struct Options: SettingsGroup {
    /// What the rate is multiplied by.
    @Setting(
      "factor by which the learning rate is multiplied when the validation loss stays", in: 0..<1)
    public var factor = 0.1
    /// How many evaluations without improvement do not lower the rate.
    @Setting(
      "evaluations in a row without improvement that do not lower the learning rate", in: 0...,
      unit: "evaluations")
    public var patience = 10
    /// The part of the best loss by which a loss must be lower.
    @Setting("part of the best loss by which a better one must be lower", in: 0..<1)
    public var threshold = 1e-4
    /// How many evaluations after a reduction are not counted.
    @Setting(
      "evaluations after a reduction that are not counted", in: 0..., unit: "evaluations")
    public var cooldown = 0
    /// The rate below which it does not fall.
    @Setting("learning rate at the end of the run", in: 0...) public var minimumLearningRate = 0.0

    /// PyTorch's defaults.
    public init() {}

    /// PyTorch's defaults but for what is given.
    public init(
      factor: Double? = nil, patience: Int? = nil, threshold: Double? = nil, cooldown: Int? = nil,
      minimumLearningRate: Double? = nil
    ) {
      if let factor { self.factor = factor }
      if let patience { self.patience = patience }
      if let threshold { self.threshold = threshold }
      if let cooldown { self.cooldown = cooldown }
      if let minimumLearningRate { self.minimumLearningRate = minimumLearningRate }
      requireValid("ReduceOnPlateau.Options")
    }
  }

  /// What the losses so far have led to.
  public struct State: Sendable, Equatable, Codable {
    /// The lowest loss; nil before the first.
    public var best: Double?
    /// The losses in a row without improvement.
    public var losses = 0
    /// The losses that are still not counted.
    public var cooldown = 0
    /// How often the rate was lowered.
    public var reductions = 0

    /// The state before the first loss.
    public init() {}
  }

  /// A reduction by less is left out, as in PyTorch.
  private static let smallestReduction = 1e-8

  /// When and how the rate falls.
  public let options: Options
  /// What the losses so far have led to.
  public var state: State

  /// Starts before the first loss, or where a state was saved.
  public init(_ options: Options = Options(), state: State = State()) {
    (self.options, self.state) = (options, state)
  }

  /// Notes a validation loss; one that is not a number is no improvement.
  public mutating func note(_ loss: Double) {
    if loss < (state.best.map { $0 * (1 - options.threshold) } ?? .infinity) {
      state.best = loss
      state.losses = 0
    } else {
      state.losses += 1
    }
    if state.cooldown > 0 {
      state.cooldown -= 1
      state.losses = 0
    }
    if state.losses > options.patience {
      state.reductions += 1
      state.cooldown = options.cooldown
      state.losses = 0
    }
  }

  /// The learning rate that a schedule's rate becomes.
  public func rate(_ base: Double) -> Double {
    var rate = base
    for _ in 0..<state.reductions {
      let lower = max(rate * options.factor, options.minimumLearningRate)
      guard rate - lower > ReduceOnPlateau.smallestReduction else { break }
      rate = lower
    }
    return rate
  }
}
