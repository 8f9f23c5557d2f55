import DataLoading
import NeuralNetworks
import TensorCore

/// What a model says about one sample.
public enum Prediction: Sendable, Equatable {
  /// The probability of each class.
  case probabilities([Float])
  /// The predicted values.
  case values([Float])
}

/// A trained model, ready to be applied to files of samples.
public final class Predictor {
  private let model: any Layer
  private let inputShape: [Int]
  private let objective: Objective
  private let standardization: Standardization?

  /// Loads the model of a checkpoint.
  ///
  /// Needs none of the data that it was trained on.
  public init(_ checkpoint: Checkpoint) throws {
    let signature = try checkpoint.signature()
    guard try checkpoint.configuration().data.kind != .text else {
      throw ConfigurationError(
        "the model of '\(checkpoint.path)' continues text; predictions are for samples of numbers")
    }
    (inputShape, objective, standardization) = (
      signature.inputShape, signature.objective, signature.standardization
    )
    model = try checkpoint.model(signature)
  }

  /// Applies the model to all samples of a file.
  public func predictions(for path: String) throws -> [Prediction] {
    let file = try InputFile(path: path, inputShape: inputShape)
    var inputs = file.inputs
    inputs.withUnsafeMutableBufferPointer {
      standardization?.apply(to: $0.baseAddress!, rows: file.count)
    }
    let x = Tensor.of(inputs, shape: TensorShape([file.count] + inputShape))
    let outputs = withEvaluation { withoutGrad { model(x).flattened(from: 1) } }
    return (0..<file.count).map { index in
      let sample = outputs[index]
      switch objective {
      case .crossEntropy: return .probabilities(sample.softmax().array())
      case .binaryCrossEntropyWithLogits where sample.count == 1:
        let p = sample.sigmoid().array(of: Float.self)[0]
        return .probabilities([1 - p, p])
      case .binaryCrossEntropyWithLogits: return .values(sample.sigmoid().array())
      case .meanSquaredError: return .values(sample.array())
      }
    }
  }
}

/// What a model takes and gives: with this, a checkpoint can be used without the data it was
/// trained on.
struct ModelSignature {
  /// The shape of one sample.
  var inputShape: [Int]
  /// How many numbers the model gives for a sample.
  var outputs: Int
  /// What was minimized.
  var objective: Objective
  /// How inputs were normalized.
  var standardization: Standardization?
  /// What its tokens stand for, if it was trained on a text.
  var codec: CharacterCodec?

  var json: JSONValue {
    .object([
      "inputShape": .array(inputShape.map { .integer($0) }),
      "outputs": .integer(outputs),
      "objective": .string(objective.rawValue),
      "means": standardization.map { .array($0.means.map { .number($0) }) } ?? .null,
      "deviations": standardization.map { .array($0.deviations.map { .number($0) }) } ?? .null,
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
      let objective = json["objective"]?.stringValue.flatMap(Objective.init(rawValue:))
    else { throw CheckpointError.damaged(path: path, reason: "a value is missing") }
    self.init(inputShape: shape, outputs: outputs, objective: objective, standardization: nil)
    if let means = floats("means"), let deviations = floats("deviations") {
      guard means.count == shape.reduce(1, *), deviations.count == means.count else {
        throw CheckpointError.damaged(path: path, reason: "means of another shape")
      }
      standardization = Standardization(means: means, deviations: deviations)
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
