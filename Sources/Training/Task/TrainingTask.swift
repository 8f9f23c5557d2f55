public import DataLoading
public import NeuralNetworks
package import Settings
public import TensorCore

/// A model, the data that it learns from, and the objective: all that does not change while
/// training, and all that evaluation needs.
public struct TrainingTask {
  /// The samples to train and to test on.
  public let data: DataSplits
  /// The objective.
  public let objective: Objective
  /// The model's inputs and outputs.
  public let signature: ModelSignature
  /// The model.
  public let model: any Layer
  /// The precision in which the model is computed.
  public let precision: Precision

  /// Chooses the objective and makes the model.
  ///
  /// Throws a `SettingError` when the objective does not fit the targets, and what `makeModel`
  /// throws.
  ///
  /// - Parameters:
  ///   - data: The samples.
  ///   - objective: The name of an `Objective`, or "auto" for the one that fits the targets.
  ///   - precision: The precision in which the model is computed.
  ///   - makeModel: Makes the model for its inputs and outputs.
  public init(
    data: DataSplits, objective name: String = ObjectiveChoice().loss,
    precision: Precision = .float32,
    makeModel: (ModelSignature) throws -> any Layer
  ) throws {
    self.data = data
    self.precision = precision
    signature = try TrainingTask.signature(of: data, objective: name)
    objective = signature.objective
    model = try makeModel(signature)
  }

  /// The inputs and outputs of a model for these samples.
  ///
  /// Throws a `SettingError` when the objective does not fit the targets.
  package static func signature(
    of data: DataSplits, objective name: String
  ) throws(SettingError) -> ModelSignature {
    let objective = try Objective.choose(name, for: data.train.targetKind)
    return ModelSignature(
      inputShape: data.train.inputShape, outputs: try objective.outputs(for: data.train.targetKind),
      objective: objective, standardization: data.standardization, codec: data.codec)
  }

  /// The mean loss of some of a batch's samples, by their positions, and how many were right.
  func loss(_ batch: Batch, _ positions: Range<Int>) -> (loss: Tensor, correct: Int) {
    precision { objective.evaluate(model(batch.inputs(positions)), batch.targets(positions)) }
  }

  /// Whether metrics count tokens, and not samples.
  public var countsTokens: Bool { data.train is TokenDataset }

  /// The samples, or tokens, to train on.
  public var trainingCount: Int { (data.train as? TokenDataset)?.tokenCount ?? data.train.count }

  /// The samples, or tokens, to test on.
  public var testCount: Int { (data.test as? TokenDataset)?.tokenCount ?? data.test.count }

  /// Fingerprints of the data, which must be the same on all ranks, by name.
  public var invariants: [String: String] {
    [
      "training data": String(data.train.fingerprint, radix: 16),
      "test data": String(data.test.fingerprint, radix: 16),
    ]
  }
}
