import NeuralNetworks
import TensorCore
import TestSupport
import Testing

/// A loss with each of its reductions.
private func reduced(
  _ name: String, _ inputs: [String],
  _ loss: @escaping @Sendable (GoldenCase.Inputs, Reduction) -> Tensor
) -> [GoldenCase] {
  let reductions: [(String, Reduction)] = [("none", .none), ("sum", .sum), ("mean", .mean)]
  return reductions.map { suffix, reduction in
    GoldenCase("\(name)_\(suffix)", inputs, tolerance: 2, .largest) { loss($0, reduction) }
  }
}

private let pair = ["prediction", "target"]
private let classified = ["logits", "labels"]

private let losses: [GoldenCase] =
  reduced("l1", pair) { l1Loss($0["prediction"], $0["target"], reduction: $1) }
  + reduced("huber", pair) { huberLoss($0["prediction"], $0["target"], reduction: $1) }
  + reduced("huber_delta", pair) {
    huberLoss($0["prediction"], $0["target"], delta: 0.5, reduction: $1)
  }
  + reduced("cross_entropy_smooth", classified) {
    crossEntropy($0["logits"], $0["labels"], labelSmoothing: 0.1, reduction: $1)
  }
  + reduced("cross_entropy_ignore", classified) {
    crossEntropy($0["logits"], $0["labels"], ignoreIndex: -100, reduction: $1)
  }
  + reduced("cross_entropy_weights", classified + ["weights"]) {
    crossEntropy($0["logits"], $0["labels"], classWeights: $0["weights"], reduction: $1)
  }
  + reduced("cross_entropy_all", classified + ["weights"]) {
    crossEntropy(
      $0["logits"], $0["labels"], labelSmoothing: 0.2, ignoreIndex: -100,
      classWeights: $0["weights"], reduction: $1)
  }
  + reduced("nll", ["prediction", "labels"]) {
    nllLoss($0["prediction"], $0["labels"], reduction: $1)
  }
  + reduced("nll_all", ["prediction", "labels", "weights"]) {
    nllLoss(
      $0["prediction"], $0["labels"], ignoreIndex: -100, classWeights: $0["weights"], reduction: $1)
  }
  + reduced("hinge", classified) { hingeLoss($0["logits"], $0["labels"], reduction: $1) }
  + reduced("hinge_margin", classified) {
    hingeLoss($0["logits"], $0["labels"], margin: 0.5, reduction: $1)
  }
  + reduced("kl", pair) { klDivergence($0["prediction"], $0["target"], reduction: $1) }
  + reduced("kl_zero", pair) { klDivergence($0["prediction"], $0["target"], reduction: $1) }
  + reduced("kl_log", pair) {
    klDivergence($0["prediction"], $0["target"], logTarget: true, reduction: $1)
  }

@Suite struct MoreLossesTests {
  @Test("losses and their gradients are PyTorch's", arguments: losses, floatingPointTypes)
  func golden(_ row: GoldenCase, _ dataType: DataType) throws {
    try row.check("more_losses", dataType)
  }

  @Test("every golden is compared")
  func complete() throws { try GoldenCase.expectComplete(losses.map(\.name), "more_losses") }

  @Test("the hinge loss of the CS231n example is 2.9")
  func hinge() {
    let scores = Tensor([[3.2, 5.1, -1.7], [1.3, 4.9, 2.0], [2.2, 2.5, -3.1]] as [[Double]])
    let losses = hingeLoss(scores, Tensor([0, 1, 2] as [Int32]), reduction: .none).doubles()
    // Differences of scores of up to 10, in float64.
    for (loss, expected) in zip(losses, [2.9, 0, 12.9]) { #expect(abs(loss - expected) < 1e-12) }
  }

  @Test("labels over several axes, and the mean of nothing")
  func shapes() {
    let logits = Tensor.arange(24, .float64).reshaped(to: [2, 3, 4]).sin()
    let labels = Tensor([[0, 1, 9], [3, 9, 2]] as [[Int32]])
    let flat = crossEntropy(
      logits.reshaped(to: [6, 4]), labels.reshaped(to: [6]), labelSmoothing: 0.1, ignoreIndex: 9)
    let shaped = crossEntropy(logits, labels, labelSmoothing: 0.1, ignoreIndex: 9)
    #expect(abs(flat.item() - shaped.item()) < 1e-14)
    #expect(crossEntropy(logits, .full([2, 3], 9, .int32), ignoreIndex: 9).item().isNaN)
  }

  @Test("labels out of range and shapes that differ stop")
  func mistakes() async {
    await #expect(processExitsWith: .failure) {
      _ = crossEntropy(.ones([1, 2]), Tensor([2] as [Int32]), labelSmoothing: 0.1)
    }
    await #expect(processExitsWith: .failure) {
      _ = nllLoss(.ones([1, 2]), Tensor([-100] as [Int32]), ignoreIndex: nil)
    }
    await #expect(processExitsWith: .failure) { _ = l1Loss(.ones([2]), .ones([2, 1])) }
    await #expect(processExitsWith: .failure) {
      _ = crossEntropy(.ones([1, 2]), Tensor([0] as [Int32]), classWeights: .ones([3]))
    }
  }
}
