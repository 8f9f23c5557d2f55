import Foundation
public import Settings

/// The learning rate as a function of the step, counted from 0.
///
/// During the first `warmupSteps` steps the rate rises linearly to `base`: step s uses `base * (s +
/// 1) / warmupSteps`. The shape starts where the warm-up ends.
public struct LearningRateSchedule: Sendable, Equatable {
  /// How the rate changes after the warm-up.
  public enum Shape: Sendable, Equatable {
    /// The rate is constant.
    case constant
    /// The rate is multiplied by `gamma` after every `size` steps, PyTorch's `StepLR`.
    case step(size: Int, gamma: Double)
    /// The rate falls along half a cosine to `minimum` at step `steps`, and stays there; PyTorch's
    /// `CosineAnnealingLR` with `T_max` steps after the warm-up.
    case cosine(steps: Int, minimum: Double)
    /// The rate is multiplied by `gamma` at each of these steps, which count from the end of the warm-up;
    /// PyTorch's `MultiStepLR`.
    case multiStep(milestones: [Int], gamma: Double)
    /// The rate is multiplied by `gamma` after every step, PyTorch's `ExponentialLR`.
    case exponential(gamma: Double)
    /// The rate falls as `(1 - t)^power` to `minimum` at step `steps`, and stays there; with `minimum` 0
    /// PyTorch's `PolynomialLR`. A power of 1 is a straight line.
    case polynomial(steps: Int, power: Double, minimum: Double)
    /// Half a cosine to `minimum` in `period` steps, and again from the start, each time `factor` times
    /// longer; PyTorch's `CosineAnnealingWarmRestarts` with T_0, T_mult and eta_min.
    case cosineRestarts(period: Int, factor: Int, minimum: Double)
    /// From `base / startDivisor` up to `base` in a fraction of the steps, then down to
    /// `base / startDivisor / endDivisor` at the last one; PyTorch's `OneCycleLR` with pct_start,
    /// div_factor and final_div_factor, without its cycle of the momentum.
    case oneCycle(
      steps: Int, riseFraction: Double, startDivisor: Double, endDivisor: Double, anneal: Anneal)
    /// From `minimum` up to `base` and back again and again, PyTorch's `CyclicLR` with base_lr and max_lr.
    case cyclic(minimum: Double, up: Int, down: Int, mode: CycleMode, gamma: Double)
    /// The rate is multiplied by a factor when the validation loss stays, PyTorch's `ReduceLROnPlateau`.
    case plateau(ReduceOnPlateau.Options)
  }

  /// How a rate gets from one value to another.
  public enum Anneal: String, Sendable, CaseIterable, SettingRepresentable {
    /// Along half a cosine.
    case cosine
    /// In a straight line.
    case linear
  }

  /// How the cycles of `cyclic` change.
  public enum CycleMode: String, Sendable, CaseIterable, SettingRepresentable {
    /// Not at all.
    case triangular
    /// The height is halved after each cycle.
    case triangular2
    /// The height is multiplied by gamma after each step; PyTorch's `exp_range`.
    case exponential
  }

  /// The rate after the warm-up.
  public let base: Double
  /// The number of steps of the warm-up.
  public let warmupSteps: Int
  /// How the rate changes after the warm-up.
  public let shape: Shape

  /// Creates a schedule; the default is a constant rate without warm-up.
  ///
  /// `steps` of a shape counts from step 0, including the warm-up.
  public init(base: Double, warmupSteps: Int = 0, _ shape: Shape = .constant) {
    self.base = base
    self.warmupSteps = warmupSteps
    self.shape = shape
  }

  /// The learning rate of a step, as long as no plateau was met.
  public func callAsFunction(_ step: Int) -> Double {
    if step < warmupSteps { return base * Double(step + 1) / Double(warmupSteps) }
    let elapsed = step - warmupSteps
    switch shape {
    case .constant: return base
    case .step(let size, let gamma): return base * pow(gamma, Double(elapsed / size))
    case .cosine(let steps, let minimum):
      let length = steps - warmupSteps
      guard elapsed < length else { return minimum }
      return minimum + (base - minimum) / 2 * (1 + cos(.pi * Double(elapsed) / Double(length)))
    case .multiStep(let milestones, let gamma):
      return base * pow(gamma, Double(milestones.count { $0 <= elapsed }))
    case .exponential(let gamma): return base * pow(gamma, Double(elapsed))
    case .polynomial(let steps, let power, let minimum):
      let length = steps - warmupSteps
      guard elapsed < length else { return minimum }
      return minimum + (base - minimum) * pow(1 - Double(elapsed) / Double(length), power)
    case .cosineRestarts(let period, let factor, let minimum):
      var (position, length) = (elapsed, period)
      if factor == 1 { position %= length }
      while position >= length {
        position -= length
        // A length beyond all steps is the last one.
        length = length.multipliedReportingOverflow(by: factor).overflow ? .max : length * factor
      }
      return minimum + (base - minimum) / 2 * (1 + cos(.pi * Double(position) / Double(length)))
    case .oneCycle(let steps, let riseFraction, let startDivisor, let endDivisor, let anneal):
      let end = Double(max(1, steps - warmupSteps - 1))
      let top = max(0, riseFraction * Double(steps - warmupSteps) - 1)
      let start = base / startDivisor
      let at = min(Double(elapsed), end)
      if at <= top, top > 0 { return anneal.value(from: start, to: base, at / top) }
      return anneal.value(
        from: base, to: start / endDivisor, end > top ? (at - top) / (end - top) : 1)
    case .cyclic(let minimum, let up, let down, let mode, let gamma):
      let (cycle, position) = elapsed.quotientAndRemainder(dividingBy: up + down)
      let height =
        position <= up
        ? Double(position) / Double(up) : Double(up + down - position) / Double(down)
      let scale =
        switch mode {
        case .triangular: 1.0
        case .triangular2: pow(0.5, Double(cycle))
        case .exponential: pow(gamma, Double(elapsed))
        }
      return minimum + (base - minimum) * height * scale
    case .plateau: return base
    }
  }
}

extension LearningRateSchedule.Anneal {
  /// The value after a fraction of the way.
  fileprivate func value(from start: Double, to end: Double, _ fraction: Double) -> Double {
    switch self {
    case .cosine: end + (start - end) / 2 * (1 + cos(.pi * fraction))
    case .linear: start + (end - start) * fraction
    }
  }
}
