import DataLoading
import NeuralNetworks
public import Settings
import TensorCore

/// What is done about classes of which there are many more samples than of others.
public enum ClassBalance: String, Sendable, CaseIterable, SettingRepresentable {
  /// Nothing.
  case none
  /// The loss of a sample is weighted by the inverse frequency of its class: samples / (classes x
  /// samples of the class), as scikit-learn's "balanced".
  case loss
  /// Samples are drawn at random, with replacement, so that each class is as likely as any other.
  case sampling
}

/// How samples of different classes count in training; validation and test count every sample once.
public struct ClassOptions: SettingsGroup {
  /// What is done about unequal classes.
  @Setting(
    "unequal classes: weight the loss by inverse frequency, or sample all classes equally often")
  public var classBalance = ClassBalance.none
  /// The weight of each class in the training loss, in their order; empty for none.
  @Setting("weight of each class in the training loss, in their order; [] for none", in: 0...)
  public var classWeights: [Double] = []
  /// The part of each label that is distributed evenly over all classes, as PyTorch's `label_smoothing`
  /// (Szegedy et al., 2016).
  @Setting("part of each label that is spread over all classes in the training loss", in: 0..<1)
  public var labelSmoothing = 0.0

  /// All samples count the same.
  public init() {}

  /// Throws when there are two weights for a class.
  public func check() throws(SettingError) {
    guard classWeights.isEmpty || classBalance == .none else {
      throw SettingError(
        "classWeights", "are set, and 'classBalance' is \(classBalance.rawValue): set one of them")
    }
    guard classWeights.isEmpty || classWeights.contains(where: { $0 > 0 }) else {
      throw SettingError("classWeights", "are all 0: nothing would be learned")
    }
  }
}

/// The cross-entropy of training, where classes have weights, or labels are smoothed or mixed.
struct WeightedCrossEntropy {
  private let weights: Tensor?
  private let smoothing: Double

  /// The plain cross-entropy.
  init() { (weights, smoothing) = (nil, 0) }

  /// The loss that options ask for; nil for the plain one.
  ///
  /// Throws where the data has no such classes, or the objective is another.
  init?(_ options: ClassOptions, _ objective: Objective, _ data: any Dataset) throws(SettingError) {
    try options.validate()
    guard options != ClassOptions() else { return nil }
    let isCrossEntropy = objective.name == Objective.crossEntropy.name
    guard isCrossEntropy || options.labelSmoothing == 0 else {
      throw SettingError(
        "labelSmoothing",
        "is \(options.labelSmoothing), which needs the loss crossEntropy; it is "
          + objective.name)
    }
    smoothing = options.labelSmoothing
    let isBalanced = options.classBalance != .none
    guard isBalanced || !options.classWeights.isEmpty else {
      weights = nil
      return
    }
    let setting = isBalanced ? "classBalance" : "classWeights"
    guard case .classes(let count) = data.targetKind,
      isCrossEntropy || options.classBalance == .sampling
    else {
      throw SettingError(
        setting, "is set, but the targets are not classes with the loss crossEntropy")
    }
    switch options.classBalance {
    case .none:
      guard options.classWeights.count == count else {
        throw SettingError(
          setting, "has \(options.classWeights.count) weights, but there are \(count) classes")
      }
      weights = Tensor(options.classWeights.map { Float($0) })
    case .loss:
      let counts = try WeightedCrossEntropy.labels(data).reduce(
        into: [Float](repeating: 0, count: count)
      ) { $0[Int($1)] += 1 }
      let present = Float(counts.count { $0 > 0 })
      weights = Tensor(counts.map { $0 > 0 ? Float(data.count) / (present * $0) : 0 })
    case .sampling:
      _ = try WeightedCrossEntropy.labels(data)
      if smoothing == 0 { return nil }
      weights = nil
    }
  }

  private static func labels(_ data: any Dataset) throws(SettingError) -> [Int32] {
    guard let labels = data.labels else {
      throw SettingError(
        "classBalance", "is set, but the classes of this data are not known beforehand")
    }
    return labels
  }

  /// The sum of the weighted losses over the number of labels, and how many predictions were right.
  ///
  /// PyTorch divides by the sum of the weights of the batch; with one divisor for all batches, the
  /// gradient of a batch is the sum of those of its slices, on any number of ranks.
  func callAsFunction(_ outputs: Tensor, _ targets: Tensor) -> (loss: Tensor, correct: Int) {
    let sum = crossEntropy(
      outputs, targets, labelSmoothing: smoothing,
      classWeights: weights.map { $0.converted(to: outputs.dataType) }, reduction: .sum)
    return (sum / Double(max(targets.count, 1)), outputs.rightCount(targets))
  }

  /// The same for samples with two labels: share * CE(first) + (1 - share) * CE(second), as in mixup.
  ///
  /// Right are predictions of the first label.
  func callAsFunction(
    _ outputs: Tensor, _ first: Tensor, _ second: Tensor, shares: Tensor
  ) -> (loss: Tensor, correct: Int) {
    func losses(_ labels: Tensor) -> Tensor {
      crossEntropy(
        outputs, labels, labelSmoothing: smoothing,
        classWeights: weights.map { $0.converted(to: outputs.dataType) }, reduction: .none)
    }
    let shares = shares.converted(to: outputs.dataType)
    let sum = (shares * losses(first) + (1 - shares) * losses(second)).sum()
    return (sum / Double(max(first.count, 1)), outputs.rightCount(first))
  }
}
