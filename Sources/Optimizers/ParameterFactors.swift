import NeuralNetworks
public import Settings

/// Numbers for parameters by the patterns of their names, the first that fits.
struct ParameterFactors: Sendable {
  private let setting: String
  private let factors: [(pattern: NamePattern, factor: Double)]

  /// Reads factors: a shell pattern of parameter names and a number, with a space or a colon between
  /// them.
  ///
  /// Throws an error of the setting for other texts.
  init(
    _ texts: [String], setting: String, allowsZero: Bool, example: String
  ) throws(SettingError) {
    var factors: [(NamePattern, Double)] = []
    for text in texts {
      let words = text.split { $0 == " " || $0 == ":" }
      guard words.count == 2, let factor = Double(words[1]), factor.isFinite,
        factor > 0 || allowsZero && factor == 0
      else {
        throw SettingError(
          setting,
          "has '\(text.prefix(100))'; write a pattern of parameter names and a factor \(allowsZero ? "of at least" : "above") 0, as in '\(example)'"
        )
      }
      factors.append((NamePattern(String(words[0])), factor))
    }
    (self.setting, self.factors) = (setting, factors)
  }

  /// Throws an error of the setting for a pattern that fits none of these names.
  func check(_ names: [String]) throws(SettingError) {
    for (pattern, _) in factors { try pattern.requireFit(among: names, setting: setting) }
  }

  /// The factor of a parameter; nil if no pattern fits.
  func factor(of name: String) -> Double? { factors.first { $0.pattern.fits(name) }?.factor }
}

/// Factors of the learning rate for parameters by name: `head 10` trains those of the module `head`
/// ten times as fast as the others.
///
/// A parameter takes the factor of the first pattern that fits, otherwise 1. The schedule applies to all,
/// as with parameter groups of PyTorch; `timm` calls such a factor `lr_scale`.
public struct LearningRateFactors: Sendable {
  private let factors: ParameterFactors

  /// Reads factors: a shell pattern of parameter names and a number above 0, with a space or a colon
  /// between them.
  ///
  /// Throws an error of the setting `learningRates` for other texts.
  public init(_ texts: [String]) throws(SettingError) {
    factors = try ParameterFactors(
      texts, setting: "learningRates", allowsZero: false, example: "head.* 10")
  }

  /// Throws an error of the setting `learningRates` for a pattern that fits none of these names.
  public func check(_ names: [String]) throws(SettingError) { try factors.check(names) }

  /// The factor of a parameter.
  public func factor(of name: String) -> Double { factors.factor(of: name) ?? 1 }
}

/// Factors of the weight decay for parameters by name: `*.bias 0` spares biases.
///
/// A parameter takes the factor of the first pattern that fits. Where none fits, the optimizer decides:
/// the factor is 1, or 0 for parameters that it was told to spare.
public struct WeightDecayFactors: Sendable {
  private let factors: ParameterFactors

  /// Reads factors: a shell pattern of parameter names and a number of at least 0, with a space or a
  /// colon between them.
  ///
  /// Throws an error of the setting `weightDecays` for other texts.
  public init(_ texts: [String]) throws(SettingError) {
    factors = try ParameterFactors(
      texts, setting: "weightDecays", allowsZero: true, example: "*.bias 0")
  }

  /// Throws an error of the setting `weightDecays` for a pattern that fits none of these names.
  public func check(_ names: [String]) throws(SettingError) { try factors.check(names) }

  /// The factor of a parameter; nil if no pattern fits.
  public func factor(of name: String) -> Double? { factors.factor(of: name) }
}

/// Parameters by name with a learning rate and a weight decay of their own: PyTorch's parameter groups.
///
///     let arena = ParameterArena(model)
///     arena.setGroups([
///       ParameterGroup("head", learningRate: 10),
///       ParameterGroup("*.bias", "norm*", weightDecay: 0),
///     ])
///     let optimizer = AdamW(arena)
///
/// Both are factors, of the step's learning rate and of the optimizer's weight decay, so that one
/// schedule moves all groups.
public struct ParameterGroup: Sendable {
  fileprivate let patterns: [NamePattern]
  /// What the learning rate of a step is multiplied by.
  public let learningRate: Double
  /// What the weight decay is multiplied by; nil leaves it to the optimizer.
  public let weightDecay: Double?

  /// The parameters whose names, or the names of modules around them, fit one of the shell patterns.
  public init(_ patterns: String..., learningRate: Double = 1, weightDecay: Double? = nil) {
    precondition(
      learningRate >= 0 && learningRate.isFinite,
      "ParameterGroup: the factor of the learning rate is \(learningRate)")
    precondition(
      weightDecay.map { $0 >= 0 && $0.isFinite } ?? true,
      "ParameterGroup: the factor of the weight decay is \(weightDecay!)")
    self.patterns = patterns.map(NamePattern.init)
    (self.learningRate, self.weightDecay) = (learningRate, weightDecay)
  }
}

extension ParameterArena {
  /// Gives parameters learning rates of their own, which all optimizers heed.
  public func setLearningRates(_ factors: LearningRateFactors) {
    setLearningRates { factors.factor(of: $0) }
  }

  private func setLearningRates(_ factor: (_ name: String) -> Double) {
    var runs: [(elements: Range<Int>, factor: Double)] = []
    for entry in entries {
      let factor = factor(entry.name)
      if let last = runs.last, last.factor == factor {
        runs[runs.count - 1].elements = last.elements.lowerBound..<entry.range.upperBound
      } else {
        runs.append((entry.range, factor))
      }
    }
    rateRuns = runs.allSatisfy { $0.factor == 1 } ? [] : runs
  }

  /// Gives parameters weight decays of their own, which the optimizers of the library heed.
  public func setWeightDecays(_ factors: WeightDecayFactors) {
    weightDecayFactors = entries.map { factors.factor(of: $0.name) }
  }

  /// Gives parameters learning rates and weight decays of their own: those of the first group that
  /// they belong to.
  ///
  /// Parameters of no group have the common ones.
  ///
  /// Traps for a pattern that fits no parameter.
  public func setGroups(_ groups: [ParameterGroup]) {
    let names = entries.map(\.name)
    for pattern in groups.flatMap(\.patterns) {
      do {
        try pattern.requireFit(among: names, setting: "groups")
      } catch {
        fatalError("ParameterArena.setGroups: \(error)")
      }
    }
    func group(_ name: String) -> ParameterGroup? {
      groups.first { $0.patterns.contains { $0.fits(name) } }
    }
    setLearningRates { group($0)?.learningRate ?? 1 }
    weightDecayFactors = names.map { group($0)?.weightDecay }
  }

  /// The factor of the weight decay of an entry; nil where the optimizer decides.
  func weightDecayFactor(ofEntry index: Int) -> Double? {
    weightDecayFactors.isEmpty ? nil : weightDecayFactors[index]
  }
}

extension Optimizer {
  /// Updates some elements from their gradients as `update` does, each with the learning rate of its
  /// parameter.
  package func updateAll(_ range: Range<Int>, gradients: ArenaBuffer, learningRate: Double) {
    if arena.rateRuns.isEmpty {
      return update(range, gradients: gradients, learningRate: learningRate)
    }
    for run in arena.rateRuns where run.elements.overlaps(range) {
      let elements = run.elements.clamped(to: range)
      let start = elements.lowerBound - range.lowerBound
      update(
        elements, gradients: gradients[start..<start + elements.count],
        learningRate: learningRate * run.factor)
    }
  }
}
