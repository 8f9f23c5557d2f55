import NeuralNetworks
import TensorCore
import TestSupport
import Testing

private typealias Loss = @Sendable (GoldenCase.Inputs, Reduction) -> Tensor

/// A loss with each of its reductions.
private func reduced(
  _ name: String, _ inputs: [String], tolerance: Double = 1, scale: Golden.Scale = .element,
  _ loss: @escaping Loss
) -> [GoldenCase] {
  let reductions: [(String, Reduction)] = [("none", .none), ("sum", .sum), ("mean", .mean)]
  return reductions.map { suffix, reduction in
    GoldenCase("\(name)_\(suffix)", inputs, tolerance: tolerance, scale) { loss($0, reduction) }
  }
}

private let ofClasses: Loss = { crossEntropy($0["logits"], $0["labels"], reduction: $1) }
private let ofProbabilities: Loss = {
  binaryCrossEntropy($0["probabilities"], $0["target"], reduction: $1)
}
private let ofLogits: Loss = {
  binaryCrossEntropyWithLogits($0["logits"], $0["target"], reduction: $1)
}

private let losses: [GoldenCase] =
  reduced("mse", ["prediction", "target"], scale: .largest) {
    meanSquaredError($0["prediction"], $0["target"], reduction: $1)
  }
  + reduced("cross_entropy", ["logits", "labels"], scale: .largest, ofClasses)
  // Backward takes exp(x - log(sum(exp(x)))), and at 1000 a float32 number is that coarse.
  + reduced("cross_entropy_large", ["logits", "labels"], ofClasses)
  + reduced("nll_of_log_softmax", ["logits", "labels"], scale: .largest) { inputs, reduction in
    let chosen = inputs["labels"].oneHot(4, inputs["logits"].dataType)
    let losses = -(inputs["logits"].logSoftmax() * chosen).sum(axes: [1])
    return switch reduction {
    case .none: losses
    case .sum: losses.sum()
    case .mean: losses.mean()
    }
  }
  + reduced("bce", ["probabilities", "target"], ofProbabilities)
  + reduced("bce_soft", ["probabilities", "target"], scale: .largest, ofProbabilities)
  + reduced("bce_edges", ["probabilities", "target"], ofProbabilities)
  + reduced("bce_with_logits", ["logits", "target"], scale: .largest, ofLogits)
  + reduced("bce_with_logits_large", ["logits", "target"], ofLogits)

@Suite struct LossesTests {
  @Test("losses and their gradients are PyTorch's", arguments: losses, floatingPointTypes)
  func golden(_ row: GoldenCase, _ dataType: DataType) throws {
    try row.check("losses", dataType)
  }

  @Test("every golden is compared")
  func complete() throws { try GoldenCase.expectComplete(losses.map(\.name), "losses") }

  @Test("the mean is what remains unsaid")
  func defaultReduction() {
    let (x, y) = (
      Tensor([[0.25, -1], [3, 0.5]] as [[Double]]), Tensor([[1.0, 0], [0.5, 0.75]] as [[Double]])
    )
    let labels = Tensor([0, 1] as [Int32])
    let p = x.sigmoid()
    #expect(meanSquaredError(x, y).item() == meanSquaredError(x, y, reduction: .mean).item())
    #expect(crossEntropy(x, labels).item() == crossEntropy(x, labels, reduction: .mean).item())
    #expect(binaryCrossEntropy(p, y).item() == binaryCrossEntropy(p, y, reduction: .mean).item())
    #expect(
      binaryCrossEntropyWithLogits(x, y).item()
        == binaryCrossEntropyWithLogits(x, y, reduction: .mean).item())
  }
}
