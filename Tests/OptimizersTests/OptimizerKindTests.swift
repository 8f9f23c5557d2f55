import NeuralNetworks
import Optimizers
import Settings
import Testing

@Suite struct OptimizerKindTests {
  @Test("every named optimizer is made with its own options")
  func optimizers() throws {
    #expect(OptimizerKind.all.names == ["sgd", "adamw"])
    for kind in OptimizerKind.all {
      let optimizer = kind.make(ParameterArena(Linear(2, 3)), kind.settings)
      #expect("\(type(of: optimizer))".lowercased() == kind.name)
    }
    for (kind, momentum) in [(OptimizerKind.sgd, 0.0), (.sgd, 0.9), (.adamW, 0.9)] {
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
    #expect(ScheduleKind.all.names == ["constant", "step", "cosine"])
    let shapes = try ScheduleKind.all.map { kind in
      let options = try kind.settings.replacing {
        ["stepSize": 5, "minimumLearningRate": 0.25][$0]
      }
      return kind.shape(options, totalSteps: 40)
    }
    #expect(
      shapes == [.constant, .step(size: 5, gamma: 0.1), .cosine(steps: 40, minimum: 0.25)])
  }

  @Test("the step schedule needs the size of its steps")
  func stepSize() {
    let error = #expect(throws: SettingError.self) { try ScheduleKind.step.settings.validate() }
    #expect(error?.setting == "stepSize")
  }

  @Test("the choices name what there is")
  func choices() throws {
    #expect(OptimizerKind.all.named(OptimizerChoice().kind)?.name == "sgd")
    #expect(ScheduleKind.all.named(ScheduleChoice().kind)?.name == "constant")
    #expect(throws: SettingError("kind", "is rmsprop; allowed: sgd, adamw")) {
      try OptimizerChoice().replacing { $0 == "kind" ? "rmsprop" : nil }
    }
  }
}
