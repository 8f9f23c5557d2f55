public import Settings

/// A learning-rate schedule that a configuration can name.
public struct ScheduleKind: NamedEntry {
  /// All schedules that can be named.
  public static let all: [ScheduleKind] = [.constant, .step, .cosine]

  /// The name.
  public let name: String
  /// The options with their defaults.
  public let settings: any SettingsGroup
  private let makeShape: @Sendable (any SettingsGroup, Int) -> LearningRateSchedule.Shape

  /// A schedule of a name.
  ///
  /// - Parameters:
  ///   - name: The name.
  ///   - defaults: The options that it has unless others are set.
  ///   - shape: What happens after the warm-up, in a run of `totalSteps` steps.
  public init<Options: SettingsGroup>(
    _ name: String, _ defaults: Options,
    shape: @escaping @Sendable (_ options: Options, _ totalSteps: Int) -> LearningRateSchedule.Shape
  ) {
    self.name = name
    settings = defaults
    makeShape = { shape($0 as! Options, $1) }
  }

  /// What happens after the warm-up in a run of `totalSteps` steps; `options` has the type of
  /// `settings`.
  public func shape(_ options: any SettingsGroup, totalSteps: Int) -> LearningRateSchedule.Shape {
    makeShape(options, totalSteps)
  }
}

/// Which schedule is used.
public struct ScheduleChoice: SettingsGroup {
  /// The name of a `ScheduleKind`.
  @Setting("how the learning rate changes after the warm-up", type: .word(ScheduleKind.all.names))
  public var kind = "constant"
  /// The first steps, during which the learning rate rises from zero.
  @Setting("first steps, during which the learning rate rises from zero", in: 0..., unit: "steps")
  public var warmupSteps = 0

  /// The defaults.
  public init() {}
}

extension ScheduleKind {
  /// The learning rate stays.
  public static let constant = ScheduleKind("constant", NoSettings()) { _, _ in .constant }

  /// The learning rate falls in steps.
  public static let step = ScheduleKind("step", StepDecay()) { options, _ in
    .step(size: options.stepSize!, gamma: options.gamma)
  }

  /// The learning rate falls along half a cosine to the end of the run.
  public static let cosine = ScheduleKind("cosine", CosineDecay()) { options, totalSteps in
    .cosine(steps: totalSteps, minimum: options.minimumLearningRate)
  }
}

/// The options of the schedule `step`.
struct StepDecay: SettingsGroup {
  @Setting("steps between two multiplications by gamma", in: 1..., unit: "steps", unset: 0)
  var stepSize: Int? = nil
  @Setting("factor by which the learning rate is multiplied", in: 0...) var gamma = 0.1

  func check() throws(SettingError) {
    guard stepSize == nil else { return }
    throw SettingError("stepSize", "is not set; the step schedule needs it to be at least 1")
  }
}

/// The options of the schedule `cosine`.
struct CosineDecay: SettingsGroup {
  @Setting("learning rate at the end of the run", in: 0...) var minimumLearningRate = 0.0
}
