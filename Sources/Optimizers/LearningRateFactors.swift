import NeuralNetworks
public import Settings

/// Factors of the learning rate for parameters by name: `head 10` trains those of the module `head`
/// ten times as fast as the others.
///
/// A parameter takes the factor of the first pattern that fits, otherwise 1. The schedule applies to all,
/// as with parameter groups of PyTorch; `timm` calls such a factor `lr_scale`.
public struct LearningRateFactors: Sendable {
  private let factors: [(pattern: NamePattern, factor: Double)]

  /// Reads factors: a shell pattern of parameter names and a number above 0, with a space or a colon
  /// between them.
  ///
  /// Throws an error of the setting `learningRates` for other texts.
  public init(_ texts: [String]) throws(SettingError) {
    var factors: [(NamePattern, Double)] = []
    for text in texts {
      let words = text.split { $0 == " " || $0 == ":" }
      guard words.count == 2, let factor = Double(words[1]), factor > 0, factor.isFinite else {
        throw SettingError(
          "learningRates",
          "has '\(text.prefix(100))'; write a pattern of parameter names and a factor above 0, as in 'head.* 10'"
        )
      }
      factors.append((NamePattern(String(words[0])), factor))
    }
    self.factors = factors
  }

  /// Throws an error of the setting `learningRates` for a pattern that fits none of these names.
  public func check(_ names: [String]) throws(SettingError) {
    for (pattern, _) in factors { try pattern.requireFit(among: names, setting: "learningRates") }
  }

  /// The factor of a parameter.
  public func factor(of name: String) -> Double {
    factors.first { $0.pattern.fits(name) }?.factor ?? 1
  }
}

extension ParameterArena {
  /// Gives parameters learning rates of their own, which all optimizers heed.
  public func setLearningRates(_ factors: LearningRateFactors) {
    var runs: [(elements: Range<Int>, factor: Double)] = []
    for entry in entries {
      let factor = factors.factor(of: entry.name)
      if let last = runs.last, last.factor == factor {
        runs[runs.count - 1].elements = last.elements.lowerBound..<entry.range.upperBound
      } else {
        runs.append((entry.range, factor))
      }
    }
    rateRuns = runs.allSatisfy { $0.factor == 1 } ? [] : runs
  }
}

extension Optimizer {
  /// Updates some elements from their gradients as `update` does, each with the learning rate of its
  /// parameter.
  package func updateAll(
    _ range: Range<Int>, gradients: UnsafePointer<Float>, learningRate: Double
  ) {
    if arena.rateRuns.isEmpty {
      return update(range, gradients: gradients, learningRate: learningRate)
    }
    for run in arena.rateRuns where run.elements.overlaps(range) {
      let elements = run.elements.clamped(to: range)
      update(
        elements, gradients: gradients + (elements.lowerBound - range.lowerBound),
        learningRate: learningRate * run.factor)
    }
  }
}
