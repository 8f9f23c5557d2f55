import Foundation
import Optimizers
import TestSupport
import Testing

@Suite struct ScheduleTests {
  private static let cases = [
    "step", "step_warmup", "constant_warmup", "cosine", "cosine_minimum", "cosine_warmup",
    "cosine_warmup_minimum",
  ]

  @Test("learning rates are PyTorch's", arguments: cases)
  func golden(_ name: String) throws {
    let goldens = try Goldens("schedules", in: .module)
    func setting(_ key: String) throws -> Double { try goldens["\(name)/\(key)"].number }
    let shape: LearningRateSchedule.Shape =
      if goldens.contains("\(name)/gamma") {
        .step(size: Int(try setting("size")), gamma: try setting("gamma"))
      } else if goldens.contains("\(name)/minimum") {
        .cosine(steps: Int(try setting("steps")), minimum: try setting("minimum"))
      } else {
        .constant
      }
    let schedule = LearningRateSchedule(
      base: try setting("base"), warmupSteps: Int(try setting("warmup")), shape)
    let rates = try goldens["\(name)/rates"]
    let actual = rates.values.indices.map { schedule($0) }
    #expect(rates.mismatch(actual, tolerance: 1e-12, relativeTo: .largest) == nil)
  }

  @Test("every golden is compared")
  func complete() throws {
    #expect(try Goldens("schedules", in: .module).cases == Set(ScheduleTests.cases))
  }

  @Test("the warm-up rises in equal parts and ends at the base")
  func warmup() {
    let schedule = LearningRateSchedule(base: 0.5, warmupSteps: 4)
    #expect((0..<6).map { schedule($0) } == [0.125, 0.25, 0.375, 0.5, 0.5, 0.5])
  }

  @Test("without a shape and warm-up the rate is constant")
  func constant() {
    let schedule = LearningRateSchedule(base: 0.3)
    #expect([0, 1, 1_000_000].allSatisfy { schedule($0) == 0.3 })
  }

  @Test("a cosine stays at its minimum after its end")
  func cosineEnd() {
    let schedule = LearningRateSchedule(base: 1, warmupSteps: 2, .cosine(steps: 6, minimum: 0.25))
    #expect(schedule(2) == 1)
    #expect(abs(schedule(4) - 0.625) < 1e-15)
    #expect([6, 7, 100].allSatisfy { schedule($0) == 0.25 })
    // No step remains for the cosine.
    #expect(
      LearningRateSchedule(base: 1, warmupSteps: 6, .cosine(steps: 6, minimum: 0.25))(6) == 0.25)
  }
}
