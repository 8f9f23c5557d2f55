import TensorCore

private let entropy = "crossEntropy(Tensor, ignoreIndex:labelSmoothing:classWeights:)"
private let ctc = "ctcLoss(Tensor, inputLengths:targetLengths:blank:zeroInfinity:)"
private var labels: Tensor { Tensor([0, 3, 1] as [Int32]) }
private var someIgnored: Tensor { Tensor([0, -100, 1] as [Int32]) }

/// The rows of losses with kernels of their own.
let lossGradientCases: [GradientCase] = [
  .init(entropy, [3, 4]) { $0[0].crossEntropy(labels) },
  .init("\(entropy), mean", [3, 4]) { $0[0].crossEntropy(labels).mean() },
  .init("\(entropy), ignored", [3, 4]) { $0[0].crossEntropy(someIgnored) },
  .init("\(entropy), smoothed", [3, 4]) { $0[0].crossEntropy(labels, labelSmoothing: 0.3) },
  .init("\(entropy), smoothed only", [3, 4]) { $0[0].crossEntropy(labels, labelSmoothing: 1) },
  .init("\(entropy), weighted", [3, 40]) {
    let weights = Tensor.arange(40, .float32) / 10 + 0.5
    return $0[0].crossEntropy(labels, classWeights: weights.converted(to: $0[0].dataType))
  },
  .init("\(entropy), with everything", [3, 20]) {
    let weights = (Tensor.arange(20, .float32) / 10 + 0.5).converted(to: $0[0].dataType)
    return $0[0].crossEntropy(
      someIgnored, ignoreIndex: -100, labelSmoothing: 0.2, classWeights: weights
    ).sum()
  },
  // Of logits, because the gradient takes the log-probabilities to be normalized.
  .init(ctc, [6, 2, 4], twice: false) {
    $0[0].logSoftmax().ctcLoss(
      .of([1, 2, 2, 3, 1, 1] as [Int32], shape: [2, 3]), inputLengths: [6, 5],
      targetLengths: [3, 2])
  },
  .init("\(ctc), without labels, and with another blank", [4, 3, 3], twice: false) {
    $0[0].logSoftmax().ctcLoss(
      Tensor([0, 0] as [Int32]), inputLengths: [4, 3, 2], targetLengths: [2, 0, 0], blank: 2)
  },
  .init("\(ctc), with an infinite one", [3, 2, 3], twice: false) {
    $0[0].logSoftmax().ctcLoss(
      Tensor([[1, 1], [1, 2]] as [[Int32]]), inputLengths: [2, 3], targetLengths: [2, 2],
      zeroInfinity: true)
  },
]
