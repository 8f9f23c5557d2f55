import NeuralNetworks
import Optimizers
import Settings
import Testing

@Suite struct OptimizerKindTests {
  @Test("every named optimizer is made with its own options")
  func optimizers() throws {
    #expect(
      OptimizerKind.all.names
        == ["sgd", "adamw", "adam", "rmsprop", "adagrad", "lion", "lars", "lamb"])
    for kind in OptimizerKind.all {
      let optimizer = kind.make(ParameterArena(Linear(2, 3)), kind.settings)
      #expect("\(type(of: optimizer))".lowercased() == kind.name)
      #expect(kind.stateBufferCount(kind.settings) == optimizer.stateBuffers.count)
    }
    for (kind, momentum) in [(OptimizerKind.sgd, 0.0), (.sgd, 0.9), (.rmsprop, 0.9), (.rmsprop, 0)]
    {
      let options = try kind.settings.replacing { $0 == "momentum" ? .number(momentum) : nil }
      let optimizer = kind.make(ParameterArena(Linear(2, 3)), options)
      #expect(kind.stateBufferCount(options) == optimizer.stateBuffers.count)
    }
    let options = try OptimizerKind.sgd.settings.replacing { $0 == "dampening" ? 0.25 : nil }
    let sgd = OptimizerKind.sgd.make(ParameterArena(Linear(2, 3)), options) as? SGD
    #expect(sgd?.options == SGD.Options(momentum: 0.9, dampening: 0.25))
  }

  @Test("by name SGD has momentum and AdamW no weight decay; in code both have PyTorch's defaults")
  func defaults() {
    #expect(OptimizerKind.sgd.settings.value(of: "momentum") == 0.9)
    #expect(OptimizerKind.adamW.settings.value(of: "weightDecay") == 0.0)
    #expect(SGD.Options().momentum == 0 && AdamW.Options().weightDecay == 0.01)
  }

  @Test("every named schedule has its shape")
  func schedules() throws {
    #expect(
      ScheduleKind.all.names == [
        "constant", "step", "cosine", "multistep", "exponential", "polynomial", "cosine-restarts",
        "onecycle", "cyclic", "plateau",
      ])
    let values: [String: SettingValue] = [
      "stepSize": 5, "minimumLearningRate": 0.25, "milestones": [3, 5], "period": 7,
      "power": 2,
    ]
    let shapes = try ScheduleKind.all.map { kind in
      let options = try kind.settings.replacing {
        values[$0]
      }
      return kind.shape(options, totalSteps: 40)
    }
    let expected: [LearningRateSchedule.Shape] = [
      .constant, .step(size: 5, gamma: 0.1), .cosine(steps: 40, minimum: 0.25),
      .multiStep(milestones: [3, 5], gamma: 0.1), .exponential(gamma: 0.999),
      .polynomial(steps: 40, power: 2, minimum: 0.25),
      .cosineRestarts(period: 7, factor: 1, minimum: 0.25),
      .oneCycle(
        steps: 40, riseFraction: 0.3, startDivisor: 25, endDivisor: 1e4, anneal: .cosine),
      .cyclic(minimum: 0.25, up: 4, down: 3, mode: .triangular, gamma: 0.999),
      .plateau(.init(minimumLearningRate: 0.25)),
    ]
    #expect(shapes == expected)
  }

  @Test("the step schedule needs the size of its steps")
  func stepSize() {
    let error = #expect(throws: SettingError.self) { try ScheduleKind.step.settings.validate() }
    #expect(error?.setting == "stepSize")
    for (kind, setting) in [
      (ScheduleKind.multiStep, "milestones"), (.cosineRestarts, "period"), (.cyclic, "period"),
    ] {
      let error = #expect(throws: SettingError.self) { try kind.settings.validate() }
      #expect(error?.setting == setting)
    }
  }

  @Test("the choices name what there is")
  func choices() throws {
    #expect(OptimizerKind.all.named(OptimizerChoice().kind)?.name == "sgd")
    #expect(ScheduleKind.all.named(ScheduleChoice().kind)?.name == "constant")
    #expect(
      throws: SettingError(
        "kind", "is shampoo; allowed: \(OptimizerKind.all.names.joined(separator: ", "))")
    ) {
      try OptimizerChoice().replacing { $0 == "kind" ? "shampoo" : nil }
    }
  }
}
