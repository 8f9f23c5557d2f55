public import Settings

/// A learning-rate schedule that a configuration can name.
public struct ScheduleKind: NamedEntry {
  /// All schedules that can be named.
  public static let all: [ScheduleKind] = [
    .constant, .step, .cosine, .multiStep, .exponential, .polynomial, .cosineRestarts, .oneCycle,
    .cyclic, .plateau,
  ]

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

extension ScheduleKind {
  /// The learning rate falls at given steps.
  public static let multiStep = ScheduleKind("multistep", MultiStepDecay()) { options, _ in
    .multiStep(milestones: options.milestones, gamma: options.gamma)
  }

  /// The learning rate falls by a factor in each step.
  public static let exponential = ScheduleKind("exponential", ExponentialDecay()) { options, _ in
    .exponential(gamma: options.gamma)
  }

  /// The learning rate falls as a power of the steps that are left, to the end of the run.
  public static let polynomial = ScheduleKind("polynomial", PolynomialDecay()) { options, total in
    .polynomial(steps: total, power: options.power, minimum: options.minimumLearningRate)
  }

  /// The learning rate falls along half a cosine, again and again.
  public static let cosineRestarts = ScheduleKind("cosine-restarts", CosineRestarts()) {
    options, _ in
    .cosineRestarts(
      period: options.period!, factor: options.periodFactor, minimum: options.minimumLearningRate)
  }

  /// The learning rate rises to the one that is set, and falls to the end of the run.
  public static let oneCycle = ScheduleKind("onecycle", OneCycle()) { options, total in
    .oneCycle(
      steps: total, riseFraction: options.riseFraction, startDivisor: options.startDivisor,
      endDivisor: options.endDivisor, anneal: options.anneal)
  }

  /// The learning rate rises to the one that is set and falls back, again and again.
  public static let cyclic = ScheduleKind("cyclic", Cyclic()) { options, _ in
    .cyclic(
      minimum: options.minimumLearningRate, up: options.period! - options.period! / 2,
      down: options.period! / 2, mode: options.cycle, gamma: options.gamma)
  }

  /// The learning rate falls when the validation loss stays.
  public static let plateau = ScheduleKind("plateau", ReduceOnPlateau.Options()) { options, _ in
    .plateau(options)
  }
}

/// The options of the schedule `multistep`.
struct MultiStepDecay: SettingsGroup {
  @Setting("steps after the warm-up at which the learning rate is multiplied by gamma", in: 1...)
  var milestones: [Int] = []
  @Setting("factor by which the learning rate is multiplied", in: 0...) var gamma = 0.1

  func check() throws(SettingError) {
    guard milestones.isEmpty else { return }
    throw SettingError("milestones", "is empty; the multistep schedule needs at least one step")
  }
}

/// The options of the schedule `exponential`.
struct ExponentialDecay: SettingsGroup {
  @Setting("factor by which the learning rate is multiplied in each step", in: 0...)
  var gamma = 0.999
}

/// The options of the schedule `polynomial`.
struct PolynomialDecay: SettingsGroup {
  @Setting("power of the part of the run that is left; 1 is a straight line", in: 0...)
  var power = 1.0
  @Setting("learning rate at the end of the run", in: 0...) var minimumLearningRate = 0.0
}

/// The options of the schedule `cosine-restarts`.
struct CosineRestarts: SettingsGroup {
  @Setting("steps of the first period", in: 2..., unit: "steps", unset: 0) var period: Int? = nil
  @Setting("how many times longer each period is than the one before", in: 1...)
  var periodFactor = 1
  @Setting("learning rate at the end of a period", in: 0...) var minimumLearningRate = 0.0

  func check() throws(SettingError) { try requirePeriod(period, "cosine-restarts") }
}

/// The options of the schedule `onecycle`.
struct OneCycle: SettingsGroup {
  @Setting("part of the run in which the learning rate rises", in: 0...1) var riseFraction = 0.3
  @Setting("the learning rate starts as the highest one over this", in: 1...)
  var startDivisor = 25.0
  @Setting("the learning rate ends as the first one over this", in: 1...) var endDivisor = 1e4
  @Setting("how the learning rate rises and falls") var anneal = LearningRateSchedule.Anneal.cosine
}

/// The options of the schedule `cyclic`.
struct Cyclic: SettingsGroup {
  @Setting("steps of a cycle, half of them up and half down", in: 2..., unit: "steps", unset: 0)
  var period: Int? = nil
  @Setting("learning rate between the cycles", in: 0...) var minimumLearningRate = 0.0
  @Setting(
    "triangular keeps the height of the cycles, triangular2 halves it after each, exponential multiplies it by gamma in each step"
  )
  var cycle = LearningRateSchedule.CycleMode.triangular
  @Setting("factor of the height in each step of an exponential cycle", in: 0...) var gamma = 0.999

  func check() throws(SettingError) { try requirePeriod(period, "cyclic") }
}

/// Throws when a schedule has no period.
private func requirePeriod(_ period: Int?, _ name: String) throws(SettingError) {
  guard period == nil else { return }
  throw SettingError("period", "is not set; the \(name) schedule needs its number of steps")
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
