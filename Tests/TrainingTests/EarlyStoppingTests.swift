import Checkpointing
import Collectives
import Configuration
import Foundation
import Settings
import TestSupport
import Testing
import Training

@Suite("The best checkpoint, and runs that end without improvement") struct EarlyStoppingTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  /// A run with a learning rate so large that the validation loss goes up and down.
  private func configuration(_ overrides: [String] = []) throws -> TrainingConfiguration {
    try TrainingConfiguration(
      overrides: [
        "model.hidden=[16]", "training.epochs=40", "training.globalBatch=200",
        "optimizer.learningRate=1.5", "checkpoint.keep=1", "checkpoint.keepBest=true",
        "training.stopAfterWithoutImprovement=3",
      ] + overrides)
  }

  /// The validation losses of a training, how it ended, and its last step.
  private func train(
    _ configuration: TrainingConfiguration, _ communicator: any Communicator,
    _ store: CheckpointStore?, maximumSteps: Int? = nil
  ) throws -> (losses: [Double], best: [Bool], outcome: Trainer.Outcome, step: Int) {
    let trainer = try Trainer(configuration, communicator)
    let checkpoint = try communicator.isRoot ? store?.newestUsable()?.checkpoint : nil
    if communicator.broadcast(checkpoint != nil) { try trainer.restore(from: checkpoint) }
    var (losses, best): ([Double], [Bool]) = ([], [])
    let outcome = try trainer.train(
      store: store, maximumSteps: maximumSteps,
      onEvent: { event in
        guard case .epoch(let report) = event, let validation = report.validation else { return }
        losses.append(validation.loss)
        best.append(report.isBest)
      })
    return (losses, best, outcome, trainer.step)
  }

  private func store(_ name: String) -> CheckpointStore {
    CheckpointStore(directory: directory.path(name), keep: 1, run: "r")
  }

  @Test("a run ends after three evaluations without a lower loss, and keeps its best checkpoint")
  func stops() throws {
    let store = store("run")
    let course = try train(configuration(), SingleProcess(), store)
    #expect(course.outcome == .stoppedEarly)
    let lowest = course.losses.min()!
    let index = course.losses.firstIndex(of: lowest)!
    #expect(course.losses.count == index + 4)
    #expect(course.best.lastIndex(of: true) == index)
    let perEpoch = course.step / course.losses.count
    #expect(try store.bestStep() == (index + 1) * perEpoch)
    #expect(try store.steps() == [(index + 1) * perEpoch, course.step])
    // The same command has nothing left to do, and one that waits for longer goes on.
    let again = try train(configuration(), SingleProcess(), store)
    #expect(again.outcome == .stoppedEarly && again.losses.isEmpty)
    let longer = try train(
      configuration(["training.stopAfterWithoutImprovement=5"]), SingleProcess(), store)
    #expect(!longer.losses.isEmpty)
  }

  @Test("a run that is interrupted and resumed ends after the same step, on other ranks too")
  func resumes() throws {
    let whole = try train(configuration(), SingleProcess(), store("whole"))
    let parts = store("parts")
    let first = try train(
      configuration(), SingleProcess(), parts, maximumSteps: whole.step / 2)
    #expect(first.outcome == .reachedMaximumSteps)
    let second = try train(configuration(), SingleProcess(), parts)
    #expect(second.outcome == .stoppedEarly && second.step == whole.step)
    #expect(try parts.bestStep() == store("whole").bestStep())
    let ranks = try withRanks(2) { [configuration = try configuration()] ranks in
      let course = try EarlyStoppingTests().train(configuration, ranks, nil)
      return (outcome: course.outcome, step: course.step)
    }
    #expect(ranks.allSatisfy { $0.outcome == ranks[0].outcome && $0.step == ranks[0].step })
  }
}
