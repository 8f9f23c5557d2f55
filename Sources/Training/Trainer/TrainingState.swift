import Checkpointing

/// The position of a run: the part of a checkpoint besides weights and the optimizer's state.
///
/// Nothing here depends on the number of ranks, and no random generator has a state: order, dropout
/// and initial weights are functions of the seed and the position.
struct TrainingState: Equatable {
  /// The number of optimizer steps done.
  var step = 0
  /// Loss and accuracy of the current epoch.
  var epochMetrics = Metrics()
  /// For each parameter in the arena's order, the steps that the optimizer counts.
  var stepCounts: [Int] = []

  private static let format = 1

  var json: JSONValue {
    .object([
      "format": .integer(TrainingState.format),
      "step": .integer(step),
      "epochSampleCount": .number(epochMetrics.sampleCount),
      "epochLossSum": .number(epochMetrics.lossSum),
      "epochCorrectCount": .number(epochMetrics.correctCount),
      "stepCounts": .array(stepCounts.map { .integer($0) }),
    ])
  }

  init() {}

  init(json: JSONValue, path: String) throws {
    guard json["format"]?.integerValue == TrainingState.format else {
      throw CheckpointError.damaged(
        path: path,
        reason:
          "its format is \(json["format"]?.text ?? "missing"), this program reads \(TrainingState.format)"
      )
    }
    guard let step = json["step"]?.integerValue, step >= 0,
      let samples = json["epochSampleCount"]?.doubleValue,
      let loss = json["epochLossSum"]?.doubleValue,
      let correct = json["epochCorrectCount"]?.doubleValue,
      let counts = json["stepCounts"]?.arrayValue?.compactMap(\.integerValue)
    else { throw CheckpointError.damaged(path: path, reason: "a value is missing") }
    self.step = step
    epochMetrics = Metrics(sampleCount: samples, lossSum: loss, correctCount: correct)
    stepCounts = counts
  }
}
