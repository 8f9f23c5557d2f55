import Settings
import Checkpointing
public import DataLoading

/// A model's inputs and outputs, and how samples are prepared: with this, a checkpoint can be used
/// without the data that it was trained on.
public struct ModelSignature: Sendable {
  /// The shape of one sample.
  public var inputShape: [Int]
  /// How many numbers the model gives for a sample, or with tokens for each position.
  public var outputs: Int
  /// The objective that was minimized.
  public var objective: Objective
  /// How inputs were normalized, if they were.
  public var standardization: Standardization?
  /// The characters that its tokens stand for, if it was trained on a text.
  public var codec: CharacterCodec?

  var json: JSONValue {
    .object([
      "inputShape": .array(inputShape.map { .integer($0) }),
      "outputs": .integer(outputs),
      "objective": .string(objective.name),
      "means": standardization.map { .array($0.means.map { .number($0) }) } ?? .null,
      "deviations": standardization.map { .array($0.stds.map { .number($0) }) } ?? .null,
      "characters": codec.map { .string($0.alphabet) } ?? .null,
    ])
  }

  init(
    inputShape: [Int], outputs: Int, objective: Objective, standardization: Standardization?,
    codec: CharacterCodec? = nil
  ) {
    (self.inputShape, self.outputs) = (inputShape, outputs)
    (self.objective, self.standardization) = (objective, standardization)
    self.codec = codec
  }

  init(json: JSONValue, path: String) throws {
    func floats(_ key: String) -> [Float]? {
      json[key]?.arrayValue?.compactMap { $0.doubleValue.map(Float.init) }
    }
    guard let shape = json["inputShape"]?.arrayValue?.compactMap(\.integerValue),
      shape.allSatisfy({ $0 > 0 }), let outputs = json["outputs"]?.integerValue, outputs > 0,
      let objective = json["objective"]?.stringValue.flatMap(Objective.all.named)
    else { throw CheckpointError.damaged(path: path, reason: "a value is missing") }
    self.init(inputShape: shape, outputs: outputs, objective: objective, standardization: nil)
    if let means = floats("means"), let stds = floats("deviations") {
      guard means.count == shape.reduce(1, *), stds.count == means.count else {
        throw CheckpointError.damaged(path: path, reason: "means of another shape")
      }
      standardization = Standardization(means: means, stds: stds)
    }
    if let characters = json["characters"]?.stringValue {
      let codec = CharacterCodec(characters: characters.unicodeScalars)
      guard codec.vocabularySize == outputs else {
        throw CheckpointError.damaged(
          path: path, reason: "\(codec.vocabularySize) characters for \(outputs) outputs")
      }
      self.codec = codec
    }
  }
}
