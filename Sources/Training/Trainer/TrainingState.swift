import Base
import Checkpointing

/// The position of a run: the part of a checkpoint besides weights and the optimizer's state.
///
/// Nothing here depends on the number of ranks, and no random generator has a state: order, dropout
/// and initial weights are functions of the seed and the position.
struct TrainingState: Codable, Equatable {
  /// The version of this type's JSON.
  private static let currentFormat = 1

  private var format = currentFormat
  /// The number of optimizer steps done.
  var step = 0
  private var epochSampleCount = 0.0
  private var epochLossSum = 0.0
  private var epochCorrectCount = 0.0
  /// For each parameter in the arena's order, the steps that the optimizer counts.
  var stepCounts: [Int] = []
  /// The steps left out because a loss or gradient was not finite; nil is none.
  var skippedSteps: Int?

  /// Loss and accuracy of the current epoch.
  var epochMetrics: Metrics {
    get {
      Metrics(
        sampleCount: epochSampleCount, lossSum: epochLossSum, correctCount: epochCorrectCount)
    }
    set {
      (epochSampleCount, epochLossSum) = (newValue.sampleCount, newValue.lossSum)
      epochCorrectCount = newValue.correctCount
    }
  }

  /// The state before the first step.
  init() {}

  /// Reads the state of a checkpoint.
  init(_ checkpoint: Checkpoint) throws {
    struct Format: Decodable { let format: Int }
    let name = Checkpoint.stateFile
    let format = try checkpoint.decode(Format.self, from: name).format
    guard format == TrainingState.currentFormat else {
      throw CheckpointError.damaged(
        path: try checkpoint.path(of: name),
        reason: "its format is \(format), this program reads \(TrainingState.currentFormat)")
    }
    self = try checkpoint.decode(TrainingState.self, from: name)
    guard step >= 0 else {
      throw CheckpointError.damaged(
        path: try checkpoint.path(of: name), reason: "'step' is \(step)")
    }
  }
}
