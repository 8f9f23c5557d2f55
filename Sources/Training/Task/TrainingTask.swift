public import DataLoading
public import NeuralNetworks
package import Settings
public import TensorCore

/// A model, the data that it learns from, and the objective: all that does not change while
/// training, and all that evaluation needs.
public struct TrainingTask {
  /// The samples to train, to validate and to test on.
  public let data: DataSplits
  /// The objective.
  public let objective: Objective
  /// The model's inputs and outputs.
  public let signature: ModelSignature
  /// The model.
  public let model: any Layer
  /// The precision in which the model is computed.
  public let precision: Precision
  /// How classes count in training.
  let classOptions: ClassOptions
  private let weightedLoss: WeightedCrossEntropy?

  /// Chooses the objective and makes the model.
  ///
  /// Throws a `SettingError` when the objective does not fit the targets, and what `makeModel`
  /// throws.
  ///
  /// - Parameters:
  ///   - data: The samples.
  ///   - objective: The name of an `Objective`, or "auto" for the one that fits the targets.
  ///   - precision: The precision in which the model is computed.
  ///   - classes: How classes count in training.
  ///   - makeModel: Makes the model for its inputs and outputs.
  public init(
    data: DataSplits, objective name: String = ObjectiveChoice().loss,
    precision: Precision = .float32, classes: ClassOptions = ClassOptions(),
    makeModel: (ModelSignature) throws -> any Layer
  ) throws {
    self.precision = precision
    signature = try TrainingTask.signature(of: data, objective: name)
    objective = signature.objective
    self.data =
      signature.preparation.targetStandardization.map { data.standardizingTargets($0) } ?? data
    classOptions = classes
    weightedLoss = try WeightedCrossEntropy(classes, objective, data.train)
    model = try makeModel(signature)
  }

  /// The inputs and outputs of a model for these samples.
  ///
  /// Throws a `SettingError` when the objective does not fit the targets.
  package static func signature(
    of data: DataSplits, objective name: String
  ) throws(SettingError) -> ModelSignature {
    let objective = try Objective.choose(name, for: data.train.targetKind)
    if data.train.mixesLabels && objective.name != Objective.crossEntropy.name {
      throw SettingError(
        "loss",
        "is \(objective.name), but 'data.augment' mixes labels (mixup, cutmix): use crossEntropy")
    }
    var preparation = data.preparation
    if !objective.standardizesTargets { preparation.targetStandardization = nil }
    var tokens: Int?
    if case .tokens(let count) = data.train.inputKind { tokens = count }
    return ModelSignature(
      inputShape: data.train.inputShape, outputs: try objective.outputs(for: data.train.targetKind),
      tokens: tokens, objective: objective, preparation: preparation)
  }

  /// The mean loss of some of a batch's samples, by their positions, and how many were right.
  func loss(_ batch: Batch, _ positions: Range<Int>) -> (loss: Tensor, correct: Int) {
    precision { objective.evaluate(model(batch.inputs(positions)), batch.targets(positions)) }
  }

  /// The loss that training minimizes: as above, but for the weights of classes, label smoothing and
  /// mixed labels.
  func trainingLoss(_ batch: Batch, _ positions: Range<Int>) -> (loss: Tensor, correct: Int) {
    if let mixed = batch.mixedTargets(positions) {
      let loss = weightedLoss ?? WeightedCrossEntropy()
      return precision {
        loss(
          model(batch.inputs(positions)), batch.targets(positions), mixed.labels,
          shares: mixed.shares)
      }
    }
    guard let weightedLoss else { return loss(batch, positions) }
    return precision { weightedLoss(model(batch.inputs(positions)), batch.targets(positions)) }
  }

  /// Whether metrics count tokens, and not samples.
  public var countsTokens: Bool { data.train is TokenDataset }

  /// The samples, or tokens, of a part of the data.
  public func count(_ part: DataPart) -> Int {
    let dataset = data[part]
    return (dataset as? TokenDataset)?.tokenCount ?? dataset.count
  }

  /// Fingerprints of the data, which must be the same on all ranks, by name.
  public var invariants: [String: String] {
    var invariants = [
      "training data": String(data.train.fingerprint, radix: 16),
      "validation data": String(data.validation.fingerprint, radix: 16),
    ]
    if data.test.count > 0 { invariants["test data"] = String(data.test.fingerprint, radix: 16) }
    return invariants
  }

  /// The fingerprints of a run with the names that they have today: validation data were called test
  /// data.
  static func currentInvariants(_ saved: [String: String]) -> [String: String] {
    guard saved["validation data"] == nil, let test = saved["test data"] else { return saved }
    var invariants = saved
    invariants["validation data"] = test
    invariants["test data"] = nil
    return invariants
  }
}

extension DataSplits {
  /// The same, with values to predict that are standardized.
  fileprivate func standardizingTargets(_ standardization: Standardization) -> DataSplits {
    DataSplits(
      train: StandardizedTargets(train, standardization),
      validation: StandardizedTargets(validation, standardization),
      test: StandardizedTargets(test, standardization), preparation: preparation)
  }
}
