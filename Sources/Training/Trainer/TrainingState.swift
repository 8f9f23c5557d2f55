import Base
package import Checkpointing
import Optimizers

/// The position of a run: the part of a checkpoint besides weights and the optimizer's state.
///
/// Nothing here depends on the number of ranks, and no random generator has a state: order, dropout
/// and initial weights are functions of the seed and the position.
package struct TrainingState: Codable, Equatable {
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
  /// The replicas that have an optimizer state of their own, with `localSteps`; nil is one.
  var replicas: Int?
  /// The fingerprints of the data; nil in checkpoints of earlier versions.
  var data: [String: String]?
  /// The number of steps left out because a loss or gradient was not finite; nil is none.
  var skippedSteps: Int?
  /// The returns of the run to its checkpoints; nil before the first.
  var rollbacks: RollbackState?
  /// The best evaluation so far; nil before the first.
  var best: BestEvaluation?
  /// What the schedule `plateau` has seen; nil before the first evaluation, and with other schedules.
  var plateau: ReduceOnPlateau.State?

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
  package init(_ checkpoint: Checkpoint) throws {
    struct Format: Decodable { let format: Int }
    let name = Checkpoint.stateFile
    let format = try checkpoint.decode(Format.self, from: name).format
    guard format == TrainingState.currentFormat else {
      throw CheckpointError.damaged(
        path: try checkpoint.path(of: name),
        reason: "its format is \(format), this program reads \(TrainingState.currentFormat)")
    }
    self = try checkpoint.decode(TrainingState.self, from: name)
    // Counts of steps must have room to grow, and counts of samples be exact in Double.
    let counts = 0...1_000_000_000_000_000
    let isPossible =
      counts.contains(step) && (0...max(step, 0)).contains(skippedSteps ?? 0)
      && (1...1_000_000).contains(replicas ?? 1)
      && rollbacks?.isPossible(counts) ?? true && best?.isPossible(upTo: step) ?? true
      && (plateau.map {
        counts.contains($0.cooldown)
          && [$0.losses, $0.reductions].allSatisfy { (0...max(step, 0)).contains($0) }
      } ?? true)
      && stepCounts.allSatisfy { (0...step).contains($0) } && epochLossSum.isFinite
      && [epochSampleCount, epochCorrectCount].allSatisfy { (0...0x1p53).contains($0) }
    guard isPossible else {
      throw CheckpointError.damaged(
        path: try checkpoint.path(of: name),
        reason: "its step \(step) and counts are impossible together")
    }
  }
}
