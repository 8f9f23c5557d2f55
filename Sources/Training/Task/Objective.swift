public import DataLoading
public import Settings
package import TensorCore

/// A loss function, and what else depends on it: the model's outputs, accuracy, predictions.
public struct Objective: NamedEntry {
  /// All objectives that can be named; "auto" chooses the first that fits the targets.
  public static let all: [Objective] = [
    .crossEntropy, .meanSquaredError, .binaryCrossEntropyWithLogits,
  ]

  /// The name.
  public let name: String
  /// Whether predictions are counted as right or wrong.
  public let hasAccuracy: Bool
  /// Whether values to predict are standardized, where the data says how.
  public let standardizesTargets: Bool
  /// None.
  public var settings: any SettingsGroup { NoSettings() }

  private let countOutputs: @Sendable (TargetKind) throws(SettingError) -> Int
  private let computeLoss: @Sendable (Tensor, Tensor) -> (loss: Tensor, correct: Int)
  private let predict: @Sendable (Tensor) -> Prediction

  /// An objective of a name.
  ///
  /// - Parameters:
  ///   - name: The name.
  ///   - hasAccuracy: Whether predictions are counted as right or wrong.
  ///   - standardizesTargets: Whether values to predict are standardized.
  ///   - outputs: How many numbers a model has to give for a sample, or with tokens for each
  ///     position; throws an error of the setting "loss" for targets that do not fit.
  ///   - loss: The mean loss of a model's outputs, and how many predictions were right.
  ///   - prediction: The prediction for one sample from the model's outputs.
  package init(
    _ name: String, hasAccuracy: Bool, standardizesTargets: Bool = false,
    outputs: @escaping @Sendable (TargetKind) throws(SettingError) -> Int,
    loss:
      @escaping @Sendable (_ outputs: Tensor, _ targets: Tensor) -> (
        loss: Tensor, correct: Int
      ),
    prediction: @escaping @Sendable (_ outputs: Tensor) -> Prediction
  ) {
    self.name = name
    self.hasAccuracy = hasAccuracy
    self.standardizesTargets = standardizesTargets
    (countOutputs, computeLoss, predict) = (outputs, loss, prediction)
  }

  /// The objective of a name, which must fit the targets; with "auto" the first that does.
  static func choose(_ name: String, for targets: TargetKind) throws(SettingError) -> Objective {
    if let objective = all.named(name) {
      _ = try objective.outputs(for: targets)
      return objective
    }
    guard name == ObjectiveChoice.automatic,
      let objective = all.first(where: { (try? $0.outputs(for: targets)) != nil })
    else {
      throw SettingError(
        "loss", "is \(name); allowed: \(ObjectiveChoice.names.joined(separator: ", "))")
    }
    return objective
  }

  /// How many numbers a model has to give for a sample, or with tokens for each position.
  ///
  /// Throws for targets that do not fit.
  public func outputs(for targets: TargetKind) throws(SettingError) -> Int {
    try countOutputs(targets)
  }

  /// The mean loss of the model's outputs over samples or tokens, and how many predictions were
  /// right.
  func evaluate(_ outputs: Tensor, _ targets: Tensor) -> (loss: Tensor, correct: Int) {
    computeLoss(outputs, targets)
  }

  /// The prediction for one sample from the model's outputs `[outputs]`.
  func prediction(_ outputs: Tensor) -> Prediction { predict(outputs) }
}

/// Which loss function is minimized.
public struct ObjectiveChoice: SettingsGroup {
  /// Leaves the choice to the targets.
  static let automatic = "auto"
  static let names = [automatic] + Objective.all.names

  /// The name of an `Objective`, or "auto".
  @Setting("loss function; auto chooses the one that fits the targets", type: .word(names))
  public var loss = automatic

  /// The automatic choice.
  public init() {}
}

/// A model's prediction for one sample.
public enum Prediction: Sendable, Equatable {
  /// The probability of each class.
  case probabilities([Float])
  /// The predicted values.
  case values([Float])
}
