public import Settings

/// Gradient descent by the sign of the gradient: w -= learningRate * sign(g + weightDecay * w).
public final class SignSGD: Optimizer {
  /// The settings of the method.
  public struct Options: SettingsGroup {
    /// The factor of the L2 penalty's gradient.
    @Setting("L2 penalty", in: 0...) public var weightDecay = 0.0

    /// No penalty.
    public init() {}
  }

  /// The parameters that are updated.
  public let arena: ParameterArena
  private let options: Options

  /// An optimizer of the parameters in `arena`.
  public init(_ arena: ParameterArena, _ options: Options = Options()) {
    (self.arena, self.options) = (arena, options)
  }

  /// Updates all parameters that have a gradient, in parts.
  public func step(learningRate: Double, parts body: (ParameterUpdate) -> Void) {
    arena.collectGradients()
    let runs = arena.runs { _ in true }
    let (rate, decay) = (Float(learningRate), Float(options.weightDecay))
    body { part, gradients in
      runs.forEachElements(of: part) { elements, _ in
        for i in elements {
          let g = gradients[i - part.lowerBound] + decay * arena.values[i]
          arena.values[i] -= g > 0 ? rate : g < 0 ? -rate : 0
        }
      }
    }
    arena.markValuesChanged()
  }

  /// None.
  public var stateBuffers: [(name: String, values: UnsafeMutableBufferPointer<Float>)] { [] }
  /// Zero for each entry.
  public var stepCounts: [Int] { arena.entries.map { _ in 0 } }
  /// Has nothing to restore.
  public func restore(stepCounts: [Int]) {}
}

extension OptimizerKind {
  /// SignSGD.
  public static let signSGD = OptimizerKind("signsgd", SignSGD.Options()) { SignSGD($0, $1) }
}
