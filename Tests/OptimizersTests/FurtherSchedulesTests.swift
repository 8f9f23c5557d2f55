import Foundation
import Optimizers
import TestSupport
import Testing

@Suite struct FurtherSchedulesTests {
  private static let shapes: [(name: String, shape: LearningRateSchedule.Shape)] = [
    ("multistep", .multiStep(milestones: [3, 5, 5, 11], gamma: 0.3)),
    ("exponential", .exponential(gamma: 0.9)),
    ("polynomial", .polynomial(steps: 12, power: 2.5, minimum: 0)),
    ("linear", .polynomial(steps: 10, power: 1, minimum: 0)),
    ("restarts", .cosineRestarts(period: 5, factor: 1, minimum: 0.01)),
    ("restarts_longer", .cosineRestarts(period: 3, factor: 2, minimum: 0)),
    (
      "onecycle",
      .oneCycle(steps: 30, riseFraction: 0.3, startDivisor: 25, endDivisor: 1e4, anneal: .cosine)
    ),
    (
      "onecycle_linear",
      .oneCycle(steps: 21, riseFraction: 0.5, startDivisor: 4, endDivisor: 10, anneal: .linear)
    ),
    ("cyclic", .cyclic(minimum: 0.01, up: 4, down: 3, mode: .triangular, gamma: 1)),
    ("cyclic_halves", .cyclic(minimum: 0.01, up: 4, down: 4, mode: .triangular2, gamma: 1)),
    ("cyclic_falls", .cyclic(minimum: 0.01, up: 5, down: 2, mode: .exponential, gamma: 0.95)),
  ]

  private static let plateaus: [(name: String, options: ReduceOnPlateau.Options)] = [
    ("plateau", .init(patience: 2)),
    (
      "plateau_all",
      .init(factor: 0.5, patience: 1, threshold: 0.1, cooldown: 2, minimumLearningRate: 0.02)
    ),
    ("plateau_at_once", .init(factor: 0.01, patience: 0)),
  ]

  @Test("learning rates are PyTorch's", arguments: shapes.indices)
  func rates(_ index: Int) throws {
    let (name, shape) = FurtherSchedulesTests.shapes[index]
    let golden = try Goldens("further_schedules", in: .module)["\(name)/rates"]
    let schedule = LearningRateSchedule(base: 0.1, shape)
    let found = golden.values.indices.map { schedule($0) }
    #expect(golden.mismatch(found, tolerance: 1e-12, relativeTo: .largest) == nil, "\(name)")
    // A warm-up comes before, and the steps of the run include it.
    let warm: LearningRateSchedule.Shape =
      switch shape {
      case .polynomial(let steps, let power, let minimum):
        .polynomial(steps: steps + 5, power: power, minimum: minimum)
      case .oneCycle(let steps, let rise, let start, let end, let anneal):
        .oneCycle(
          steps: steps + 5, riseFraction: rise, startDivisor: start, endDivisor: end,
          anneal: anneal)
      default: shape
      }
    let delayed = LearningRateSchedule(base: 0.1, warmupSteps: 5, warm)
    #expect(found.indices.map { delayed($0 + 5) } == found)
    #expect(delayed(4) == 0.1)
  }

  @Test("a plateau lowers the rate as PyTorch's, also from a saved state", arguments: [0, 1, 2])
  func plateau(_ index: Int) throws {
    let (name, options) = FurtherSchedulesTests.plateaus[index]
    let goldens = try Goldens("further_schedules", in: .module)
    let losses = try goldens["\(name)/losses"].values
    var plateau = ReduceOnPlateau(options)
    var found: [Double] = []
    for loss in losses {
      found.append(plateau.rate(0.1))
      plateau.note(loss)
      let state = try JSONDecoder().decode(
        ReduceOnPlateau.State.self, from: JSONEncoder().encode(plateau.state))
      #expect(state == plateau.state)
      plateau = ReduceOnPlateau(options, state: state)
    }
    let mismatch = try goldens["\(name)/rates"].mismatch(found, tolerance: 1e-12)
    #expect(mismatch == nil, "\(name)")
    #expect(Set(found).count > 2)
  }

  @Test("a loss that is not a number is no improvement")
  func notANumber() {
    var plateau = ReduceOnPlateau(.init(patience: 1))
    for loss in [1, .nan, .nan, .infinity] { plateau.note(loss) }
    #expect(plateau.state.reductions == 1 && plateau.state.best == 1)
  }

  @Test("a run of one step, and steps after the end, have a rate")
  func ends() {
    for (_, shape) in FurtherSchedulesTests.shapes {
      let schedule = LearningRateSchedule(base: 0.1, shape)
      #expect([0, 1, 1_000, 1_000_000_000].allSatisfy { (0...0.1).contains(schedule($0)) })
    }
    let cycle = LearningRateSchedule.Shape.oneCycle(
      steps: 1, riseFraction: 0.3, startDivisor: 25, endDivisor: 1e4, anneal: .cosine)
    #expect(LearningRateSchedule(base: 0.1, cycle)(0).isFinite)
  }

  @Test("every golden is compared")
  func complete() throws {
    #expect(
      try Goldens("further_schedules", in: .module).cases
        == Set(
          FurtherSchedulesTests.shapes.map(\.name) + FurtherSchedulesTests.plateaus.map(\.name))
    )
  }
}
