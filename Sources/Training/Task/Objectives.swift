import DataLoading
import NeuralNetworks
import Settings
import TensorCore

extension Objective {
  /// Cross-entropy of class labels, or of tokens.
  public static let crossEntropy = Objective(
    "crossEntropy", hasAccuracy: true,
    outputs: { targets throws(SettingError) in
      switch targets {
      case .classes(let count), .tokens(let count, _): return count
      case .values:
        throw SettingError(
          "loss",
          "is crossEntropy, which needs classes, but the data has values: use meanSquaredError")
      }
    },
    loss: { outputs, targets in
      (
        NeuralNetworks.crossEntropy(outputs, targets), outputs.rightCount(targets)
      )
    },
    prediction: { .probabilities($0.softmax().array()) })

  /// Mean squared error of values.
  public static let meanSquaredError = Objective(
    "meanSquaredError", hasAccuracy: false, standardizesTargets: true,
    outputs: { targets throws(SettingError) in
      switch targets {
      case .values(let shape): return shape.reduce(1, *)
      case .classes:
        throw SettingError(
          "loss",
          "is meanSquaredError, which needs values, but the data has classes: use crossEntropy, or 'data.target' values"
        )
      case .tokens:
        throw SettingError("loss", "is meanSquaredError, but the data is text: use crossEntropy")
      }
    },
    loss: { outputs, targets in
      (NeuralNetworks.meanSquaredError(outputs.reshaped(to: targets.shape), targets), 0)
    },
    prediction: { .values($0.array()) })

  /// Binary cross-entropy of logits; two classes need one output, values as many as there are.
  public static let binaryCrossEntropyWithLogits = Objective(
    "binaryCrossEntropyWithLogits", hasAccuracy: true,
    outputs: { targets throws(SettingError) in
      switch targets {
      case .classes(2): return 1
      case .values(let shape): return shape.reduce(1, *)
      case .classes(let count):
        throw SettingError(
          "loss",
          "is binaryCrossEntropyWithLogits, which is for two classes; the data has \(count): use crossEntropy"
        )
      case .tokens:
        throw SettingError(
          "loss", "is binaryCrossEntropyWithLogits, but the data is text: use crossEntropy")
      }
    },
    loss: { outputs, targets in
      let logits = outputs.reshaped(to: targets.shape)
      let target = targets.converted(to: .float32)
      // A sample is right when all its outputs are on the right side.
      let isRight = withoutGrad {
        ((logits .> 0) .== (target .> 0.5)).flattened(from: 0)
          .reshaped(to: [target.shape[0], -1]).min(axes: [1])
      }
      return (
        NeuralNetworks.binaryCrossEntropyWithLogits(logits, target), isRight.trueCount
      )
    },
    prediction: { logits in
      guard logits.count == 1 else { return .values(logits.sigmoid().array()) }
      let p = logits.sigmoid().array(of: Float.self)[0]
      return .probabilities([1 - p, p])
    })
}

extension Tensor {
  /// How many of these scores `[..., classes]` are largest at the target.
  func rightCount(_ targets: Tensor) -> Int {
    withoutGrad { argmax(axis: -1) .== targets }.trueCount
  }

  /// How many elements of this int32 tensor of zeros and ones are one.
  fileprivate var trueCount: Int { Int(sum().item()) }
}
