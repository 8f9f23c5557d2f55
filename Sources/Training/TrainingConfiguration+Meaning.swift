public import DataLoading
import Optimizers

// What the values of a configuration stand for in the layers below.

extension TrainingConfiguration {
  /// The learning rate as a function of the step.
  func makeSchedule(totalSteps: Int) -> Optimizers.Schedule {
    let shape: Optimizers.Schedule.Shape =
      switch schedule.kind {
      case .constant: .constant
      case .step: .step(size: schedule.stepSize, gamma: schedule.gamma)
      case .cosine: .cosine(steps: totalSteps, minimum: schedule.minimumLearningRate)
      }
    return Optimizers.Schedule(
      base: optimizer.learningRate, warmupSteps: schedule.warmupSteps, shape)
  }

  /// The configuration without what may differ between ranks or parts of a run and leaves the result alone.
  var comparableText: String {
    var copy = self
    copy.logging = Logging()
    copy.checkpoint = Checkpoint()
    copy.distributed = Distributed()
    copy.data.path = ""
    return copy.yaml()
  }
}
