public import DataLoading
import NeuralNetworks
import TensorCore

/// What is minimized, and how well it went.
public enum Objective: String, Sendable {
  /// Cross-entropy of class labels.
  case crossEntropy
  /// Mean squared error of values.
  case meanSquaredError
  /// Binary cross-entropy of logits; two classes need one output, values as many as there are.
  case binaryCrossEntropyWithLogits

  /// The objective that a configuration names, or with `auto` the one that fits the targets.
  public init(
    _ loss: TrainingConfiguration.Training.Loss, for targets: TargetKind
  ) throws(ConfigurationError) {
    switch (loss, targets) {
    case (.auto, .classes), (.auto, .tokens), (.crossEntropy, .classes), (.crossEntropy, .tokens):
      self = .crossEntropy
    case (.auto, .values), (.meanSquaredError, .values): self = .meanSquaredError
    case (.binaryCrossEntropyWithLogits, .classes(2)), (.binaryCrossEntropyWithLogits, .values):
      self = .binaryCrossEntropyWithLogits
    case (.binaryCrossEntropyWithLogits, .classes(let count)):
      throw ConfigurationError(
        "'training.loss' is binaryCrossEntropyWithLogits, which is for two classes; the data has \(count): use crossEntropy"
      )
    case (.binaryCrossEntropyWithLogits, .tokens), (.meanSquaredError, .tokens):
      throw ConfigurationError(
        "'training.loss' is \(loss.rawValue), but the data is text: use crossEntropy")
    case (.crossEntropy, .values):
      throw ConfigurationError(
        "'training.loss' is crossEntropy, which needs classes, but the data has values: use meanSquaredError"
      )
    case (.meanSquaredError, .classes):
      throw ConfigurationError(
        "'training.loss' is meanSquaredError, which needs values, but the data has classes: use crossEntropy, or 'data.target' values"
      )
    }
  }

  /// How many numbers a model has to give for a sample, or with tokens for each position.
  public func outputs(for targets: TargetKind) -> Int {
    switch (self, targets) {
    case (.crossEntropy, .classes(let count)), (.crossEntropy, .tokens(let count, _)): count
    case (_, .classes), (_, .tokens): 1
    case (_, .values(let shape)): shape.reduce(1, *)
    }
  }

  /// Whether samples, or tokens, are counted as right or wrong.
  public var hasAccuracy: Bool { self != .meanSquaredError }

  /// The mean loss of the model's outputs over samples or tokens, and how many were right.
  func evaluate(_ outputs: Tensor, _ targets: Tensor) -> (loss: Tensor, correct: Int) {
    switch self {
    case .crossEntropy:
      (
        NeuralNetworks.crossEntropy(outputs, targets),
        withoutGrad { outputs.argmax() .== targets }.trueCount
      )
    case .meanSquaredError:
      (NeuralNetworks.meanSquaredError(outputs.reshaped(to: targets.shape), targets), 0)
    case .binaryCrossEntropyWithLogits:
      binary(outputs.reshaped(to: targets.shape), targets)
    }
  }

  private func binary(_ logits: Tensor, _ targets: Tensor) -> (loss: Tensor, correct: Int) {
    let target = targets.converted(to: .float32)
    // A sample is right when all its outputs are on the right side.
    let isRight = withoutGrad {
      ((logits .> 0) .== (target .> 0.5)).flattened(from: 0).reshaped(to: [target.shape[0], -1])
        .min(axes: [1])
    }
    return (NeuralNetworks.binaryCrossEntropyWithLogits(logits, target), isRight.trueCount)
  }
}

extension Tensor {
  /// How many elements of this int32 tensor of zeros and ones are one.
  fileprivate var trueCount: Int { Int(sum().item()) }
}

extension TargetKind {
  /// How many losses are averaged in a sample's: one at each position of a text, else one.
  var lossCount: Int { max(1, labelCount) }
}

extension Batch {
  /// The inputs of some of this batch's samples: float32 numbers or int32 tokens.
  func inputs(_ samples: Range<Int>) -> Tensor {
    switch inputKind {
    case .numbers: withInputs { tensor($0, inputShape, samples) }
    case .tokens: withTokens { tensor($0, inputShape, samples) }
    }
  }

  /// The targets of some of this batch's samples: int32 labels or float32 values.
  func targets(_ samples: Range<Int>) -> Tensor {
    switch targetKind {
    case .classes, .tokens: withLabels { tensor($0, targetShape, samples) }
    case .values: withValues { tensor($0, targetShape, samples) }
    }
  }

  private func tensor<Scalar: TensorScalar>(
    _ buffer: UnsafeBufferPointer<Scalar>, _ shape: [Int], _ samples: Range<Int>
  ) -> Tensor {
    let size = shape.dropFirst().reduce(1, *)
    let part = buffer.extracting(samples.lowerBound * size..<samples.upperBound * size)
    return .copying(part, shape: TensorShape([samples.count] + shape.dropFirst()))
  }
}
