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
    GoldenCase("\(name)_\(suffix)", inputs, tolerance: 3, .largest) { loss($0, reduction) }
  }
}

private let pair = ["prediction", "target"]
private let binary = ["logits", "target"]
private let classified = ["logits", "labels"]

private let ofClasses: [GoldenCase] =
  reduced("cross_entropy_pixels", classified) {
    crossEntropy($0["logits"], $0["labels"], reduction: $1)
  }
  + reduced("cross_entropy_pixels_all", classified + ["weights"]) {
    crossEntropy(
      $0["logits"], $0["labels"], axis: 1, labelSmoothing: 0.25, classWeights: $0["weights"],
      reduction: $1)
  }
  + reduced("cross_entropy_places", classified) {
    crossEntropy($0["logits"], $0["labels"], reduction: $1)
  }
  + reduced("nll_pixels", ["prediction", "labels"]) {
    nllLoss($0["prediction"], $0["labels"], reduction: $1)
  }
  + reduced("cross_entropy_soft", binary) {
    crossEntropy($0["logits"], $0["target"], reduction: $1)
  }
  + reduced("cross_entropy_soft_all", binary + ["weights"]) {
    crossEntropy(
      $0["logits"], $0["target"], labelSmoothing: 0.2, classWeights: $0["weights"], reduction: $1)
  }
  + reduced("cross_entropy_soft_pixels", binary) {
    crossEntropy($0["logits"], $0["target"], axis: 1, reduction: $1)
  }
  + reduced("cross_entropy_wide", classified + ["weights"]) {
    crossEntropy(
      $0["logits"], $0["labels"], labelSmoothing: 0.1, classWeights: $0["weights"], reduction: $1)
  }
  + reduced("multi_margin", classified) {
    multiMarginLoss($0["logits"], $0["labels"], reduction: $1)
  }
  + reduced("multi_margin_all", classified + ["weights"]) {
    multiMarginLoss(
      $0["logits"], $0["labels"], power: 2, margin: 0.5, classWeights: $0["weights"],
      reduction: $1)
  }
  + reduced("multi_label_margin", ["prediction", "indices"]) {
    multiLabelMarginLoss($0["prediction"], $0["indices"], reduction: $1)
  }

private let ofNumbers: [GoldenCase] =
  reduced("bce_weights", ["probabilities", "target", "weights"]) {
    binaryCrossEntropy($0["probabilities"], $0["target"], weights: $0["weights"], reduction: $1)
  }
  + reduced("bce_logits_weights", binary + ["weights"]) {
    binaryCrossEntropyWithLogits(
      $0["logits"], $0["target"], weights: $0["weights"], reduction: $1)
  }
  + reduced("bce_logits_positive", binary + ["weights"]) {
    binaryCrossEntropyWithLogits(
      $0["logits"], $0["target"], positiveWeights: $0["weights"], reduction: $1)
  }
  + reduced("bce_logits_infinite", binary) {
    binaryCrossEntropyWithLogits($0["logits"], $0["target"], reduction: $1)
  }
  + reduced("multi_label_soft_margin", binary + ["weights"]) {
    multiLabelSoftMarginLoss(
      $0["logits"], $0["target"], classWeights: $0["weights"], reduction: $1)
  }
  + reduced("smooth_l1", pair) { smoothL1Loss($0["prediction"], $0["target"], reduction: $1) }
  + reduced("smooth_l1_beta", pair) {
    smoothL1Loss($0["prediction"], $0["target"], beta: 0.25, reduction: $1)
  }
  + reduced("smooth_l1_zero", pair) {
    smoothL1Loss($0["prediction"], $0["target"], beta: 0, reduction: $1)
  }
  + reduced("soft_margin", pair) { softMarginLoss($0["prediction"], $0["target"], reduction: $1) }
  + reduced("poisson", pair) { poissonNLLLoss($0["prediction"], $0["target"], reduction: $1) }
  + reduced("poisson_full", pair) {
    poissonNLLLoss($0["prediction"], $0["target"], logInput: false, full: true, reduction: $1)
  }
  + reduced("gaussian", pair + ["variance"]) {
    gaussianNLLLoss($0["prediction"], $0["target"], variance: $0["variance"], reduction: $1)
  }
  + reduced("gaussian_full", pair + ["variance"]) {
    gaussianNLLLoss(
      $0["prediction"], $0["target"], variance: $0["variance"], full: true, epsilon: 0.5,
      reduction: $1)
  }

private let triplet = ["a", "positive", "negative"]

private let ofDistances: [GoldenCase] =
  reduced("cosine_embedding", ["a", "b", "target"]) {
    cosineEmbeddingLoss($0["a"], $0["b"], $0["target"], margin: 0.1, reduction: $1)
  }
  + reduced("hinge_embedding", pair) {
    hingeEmbeddingLoss($0["prediction"], $0["target"], margin: 0.5, reduction: $1)
  }
  + reduced("margin_ranking", ["a", "b", "target"]) {
    marginRankingLoss($0["a"], $0["b"], $0["target"], margin: 0.25, reduction: $1)
  }
  + reduced("triplet", triplet) {
    tripletMarginLoss($0["a"], $0["positive"], $0["negative"], reduction: $1)
  }
  + reduced("triplet_all", triplet) {
    tripletMarginLoss(
      $0["a"], $0["positive"], $0["negative"], margin: 0.5, power: 3, swap: true, reduction: $1)
  }
  + [
    GoldenCase("cosine_similarity", ["a", "b"], tolerance: 2, .largest) {
      cosineSimilarity($0["a"], $0["b"])
    },
    GoldenCase("cosine_similarity_last", ["a", "b"], tolerance: 2, .largest) {
      cosineSimilarity($0["a"], $0["b"], axis: -1)
    },
  ]
  + [("", 2), ("_1", 1), ("_3", 3), ("_infinite", Double.infinity)].map { suffix, power in
    GoldenCase("pairwise_distance\(suffix)", ["a", "b"], tolerance: 2, .largest) {
      pairwiseDistance($0["a"], $0["b"], power: power)
    }
  }

private let spoken = ["x", "labels", "indices", "condition"]

/// The CTC loss of logits, with the lengths from the goldens.
private func ctc(
  _ inputs: GoldenCase.Inputs, _ reduction: Reduction, blank: Int = 0, zeroInfinity: Bool = false,
  ofLogits: Bool = true
) -> Tensor {
  ctcLoss(
    ofLogits ? inputs["x"].logSoftmax() : inputs["x"], inputs["labels"],
    inputLengths: inputs["indices"].array(of: Int32.self).map(Int.init),
    targetLengths: inputs["condition"].array(of: Int32.self).map(Int.init), blank: blank,
    reduction: reduction, zeroInfinity: zeroInfinity)
}

private let ofSequences: [GoldenCase] =
  reduced("ctc", spoken) { ctc($0, $1) }
  + reduced("ctc_joined", spoken) { ctc($0, $1) }
  + reduced("ctc_zero_infinity", spoken) { ctc($0, $1, zeroInfinity: true) }
  + reduced("ctc_infinite", spoken) { ctc($0, $1) }
  + reduced("ctc_last_blank", spoken) { ctc($0, $1, blank: 4) }
  + reduced("ctc_without_labels", spoken) { ctc($0, $1) }
  + reduced("ctc_of_log_probabilities", spoken) { ctc($0, $1, ofLogits: false) }

private let losses = ofClasses + ofNumbers + ofDistances + ofSequences

@Suite struct FurtherLossesTests {
  @Test("losses and their gradients are PyTorch's", arguments: losses, floatingPointTypes)
  func golden(_ row: GoldenCase, _ dataType: DataType) throws {
    try row.check("further_losses", dataType)
  }

  @Test("every golden is compared")
  func complete() throws {
    try GoldenCase.expectComplete(losses.map(\.name), "further_losses")
  }

  @Test(
    "an ignored sample counts nothing, whatever its logits are", arguments: [0, 0.1],
    floatingPointTypes)
  func ignored(_ smoothing: Double, _ dataType: DataType) {
    let other = Tensor([[1, 2, 3]]).converted(to: dataType)
    func gradient(_ logits: Tensor, _ labels: [Int32]) -> (loss: Double, gradient: [Double]) {
      logits.requiresGrad = true
      let loss = crossEntropy(logits, Tensor(labels), labelSmoothing: smoothing)
      loss.backward()
      return (loss.item(), logits.grad!.doubles())
    }
    let expected = gradient(other.copy(), [1])
    for value in [Double.infinity, -.infinity, .nan] {
      let strange = Tensor.concatenated([
        Tensor([[value, 1, 2]]).converted(to: dataType), other.detached(),
      ])
      let (loss, found) = gradient(strange, [-100, 1])
      #expect(loss == expected.loss)
      #expect(found == [0, 0, 0] + expected.gradient)
    }
  }

  @Test("the mean of ignored samples only is NaN, its gradient 0", arguments: [false, true])
  func allIgnored(_ isWeighted: Bool) {
    for smoothing in [0, 0.1] {
      let x = Tensor([[1, 2, 3]] as [[Float]])
      x.requiresGrad = true
      let loss = crossEntropy(
        x, Tensor([-100] as [Int32]), labelSmoothing: smoothing,
        classWeights: isWeighted ? Tensor([1, 2, 3] as [Float]) : nil)
      loss.backward()
      #expect(loss.item().isNaN && x.grad!.doubles() == [0, 0, 0])
      x.zeroGrad()
      let likelihood = nllLoss(x, Tensor([-100] as [Int32]))
      likelihood.backward()
      #expect(likelihood.item().isNaN && x.grad!.doubles() == [0, 0, 0])
    }
  }

  @Test("the last axis holds the classes where both could")
  func axes() {
    let logits = Tensor.arange(18).reshaped(to: [2, 3, 3]).sin()
    let labels = Tensor([[0, 1, 2], [2, 1, 1]] as [[Int32]])
    let last = crossEntropy(logits, labels).item()
    #expect(last == crossEntropy(logits, labels, axis: -1).item())
    #expect(last != crossEntropy(logits, labels, axis: 1).item())
    #expect(
      crossEntropy(logits, labels, axis: 1).item()
        == crossEntropy(logits.transposed(), labels, axis: 2).item())
  }

  @Test("options cost no gradient of the class weights, and bfloat16 gives a float32 loss")
  func types() {
    let weights = Tensor([1, 2, 3] as [Float])
    weights.requiresGrad = true
    let x = Tensor([[1, 2, 3]] as [[Float]]).converted(to: .bfloat16)
    x.requiresGrad = true
    let loss = crossEntropy(x, Tensor([1] as [Int32]), labelSmoothing: 0.1, classWeights: weights)
    #expect(loss.dataType == .float32)
    loss.backward()
    #expect(weights.grad == nil && x.grad!.dataType == .bfloat16)
    let wide = crossEntropy(x, Tensor([1] as [Int64]), labelSmoothing: 0.1, classWeights: weights)
    #expect(wide.item() == loss.item())
    #expect(binaryCrossEntropy(Tensor([.nan] as [Float]), .zeros([1])).item().isNaN)
  }

  @Test("one sequence without the axis of samples, and a batch that ends early")
  func sequences() {
    let x = Tensor.arange(20, .float64).reshaped(to: [5, 4]).sin().logSoftmax()
    let labels = Tensor([1, 3] as [Int32])
    let single = ctcLoss(x, labels, inputLengths: [4], targetLengths: [2], reduction: .none)
    let batch = ctcLoss(
      x.unsqueezed(axis: 1), labels, inputLengths: [4], targetLengths: [2], reduction: .none)
    #expect(single.shape == [] && batch.shape == [1] && single.item() == batch.item())
    // Two labels, two times: one alignment.
    let exact = ctcLoss(x, labels, inputLengths: [2], targetLengths: [2], reduction: .sum)
    #expect(abs(exact.item() + x[0][1].item() + x[1][3].item()) < 1e-14)
  }

  @Test("mistakes stop with the operation and the shapes")
  func mistakes() async {
    func expectMessage(_ result: ExitTest.Result?, _ parts: String...) {
      let message = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
      for part in parts { #expect(message.contains(part), "\(message.prefix(300))") }
    }
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        _ = crossEntropy(.ones([2, 3, 4, 5]), .zeros([2, 4], .int32))
      }, "crossEntropy", "[2, 3, 4, 5]", "[2, 3, 4], or [2, 4, 5] if the classes are axis 1")
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        _ = crossEntropy(.ones([2, 3, 4]), .ones([2, 3, 4]))
      }, "crossEntropy", "'axis: 1'")
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        _ = crossEntropy(.ones([1, 2]), Tensor([2] as [Int32]), labelSmoothing: 0.1)
      }, "crossEntropy: label 2 of sample 0 is out of range for 2 classes")
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        _ = binaryCrossEntropy(.ones([2, 3]), .ones([2, 3]), weights: .ones([4, 2, 3]))
      }, "binaryCrossEntropy", "[4, 2, 3]", "[2, 3]")
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        _ = binaryCrossEntropy(Tensor([0.5, .infinity] as [Float]), .zeros([2]))
      }, "binaryCrossEntropy", "[2] from 0.5 to inf are not in 0...1")
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        _ = ctcLoss(
          .ones([3, 1, 2]), Tensor([0] as [Int32]), inputLengths: [3], targetLengths: [1])
      }, "ctcLoss: target 0 of sample 0 is the blank")
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        _ = ctcLoss(
          .ones([3, 1, 2]), Tensor([1] as [Int32]), inputLengths: [4], targetLengths: [1])
      }, "ctcLoss: the input lengths [4] are not all in 0...3")
  }
}
