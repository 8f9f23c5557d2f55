import Foundation

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
  }

  /// The rate after the warm-up.
  public let base: Double
  /// The number of steps of the warm-up.
  public let warmupSteps: Int
  /// How the rate changes after the warm-up.
  public let shape: Shape

  /// Creates a schedule; the default is a constant rate without warm-up.
  ///
  /// `steps` of a cosine counts from step 0, including the warm-up.
  public init(base: Double, warmupSteps: Int = 0, _ shape: Shape = .constant) {
    self.base = base
    self.warmupSteps = warmupSteps
    self.shape = shape
  }

  /// The learning rate of a step.
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
    }
  }
}
