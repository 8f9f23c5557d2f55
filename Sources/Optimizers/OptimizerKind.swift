public import Settings

/// An optimizer that a configuration can name.
public struct OptimizerKind: NamedEntry {
  /// All optimizers that can be named.
  public static let all: [OptimizerKind] = [
    .sgd, .adamW, .adam, .rmsprop, .adagrad, .lion, .lars, .lamb,
  ]

  /// The name.
  public let name: String
  /// The options, with the defaults that the name stands for.
  public let settings: any SettingsGroup
  private let countStateBuffers: @Sendable (any SettingsGroup) -> Int
  private let makeOptimizer: @Sendable (ParameterArena, any SettingsGroup) -> any Optimizer

  /// An optimizer of a name.
  ///
  /// - Parameters:
  ///   - name: The name.
  ///   - defaults: The options that it has unless others are set.
  ///   - stateBuffers: How many numbers it keeps for each parameter's element.
  ///   - make: Makes it for the parameters in an arena.
  public init<Options: SettingsGroup>(
    _ name: String, _ defaults: Options, stateBuffers: @escaping @Sendable (Options) -> Int,
    make: @escaping @Sendable (ParameterArena, Options) -> any Optimizer
  ) {
    self.name = name
    settings = defaults
    countStateBuffers = { stateBuffers($0 as! Options) }
    makeOptimizer = { make($0, $1 as! Options) }
  }

  /// How many numbers the optimizer keeps for each parameter's element; `options` has the type of
  /// `settings`.
  public func stateBufferCount(_ options: any SettingsGroup) -> Int { countStateBuffers(options) }

  /// Makes the optimizer of the parameters in `arena`; `options` has the type of `settings`.
  public func make(_ arena: ParameterArena, _ options: any SettingsGroup) -> any Optimizer {
    makeOptimizer(arena, options)
  }
}

/// Which optimizer is used.
public struct OptimizerChoice: SettingsGroup {
  /// The name of an `OptimizerKind`.
  @Setting("optimizer", type: .word(OptimizerKind.all.names)) public var kind = "sgd"
  /// The learning rate, before the schedule.
  @Setting("learning rate, before the schedule", in: 0...) public var learningRate = 0.05
  /// Factors of the learning rate by parameter name; see `LearningRateFactors`.
  @Setting(
    "factors of the learning rate for parameters by name, the first pattern that fits: [head.* 10, features.* 0.1]"
  )
  public var learningRates: [String] = []
  /// Factors of the weight decay by parameter name; see `WeightDecayFactors`.
  @Setting(
    "factors of the weight decay for parameters by name, the first pattern that fits; 0 is none: [*.bias 0, norm* 0]"
  )
  public var weightDecays: [String] = []

  /// The defaults.
  public init() {}

  /// Throws for factors that cannot be read.
  public func check() throws(SettingError) {
    _ = try LearningRateFactors(learningRates)
    _ = try WeightDecayFactors(weightDecays)
  }
}
