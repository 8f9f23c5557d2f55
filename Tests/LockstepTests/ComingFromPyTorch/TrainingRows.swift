import Foundation
import Lockstep
import Testing

@Suite("Coming from PyTorch: training") struct TrainingRows {
  @Test("Losses") func losses() {
    let z = Tensor([[1, 2, 3], [3, 1, 2]])
    let y = Tensor([2, 1] as [Int32])
    let (w, l, probabilities) = (Tensor([1, 2, 1]), z.logSoftmax(), z.softmax())
    use(crossEntropy(z, y, labelSmoothing: 0.1, ignoreIndex: 0, classWeights: w))
    let (images, pixels) = (Tensor.zeros([2, 3, 4, 4]), Tensor.zeros([2, 4, 4], .int32))
    use(crossEntropy(z, probabilities), crossEntropy(images, pixels))
    use(nllLoss(l, y), klDivergence(l, probabilities))
    let (p, t, q) = (Tensor([0.5, -1]), Tensor([1, 0]), Tensor([0.7, 0.2]))
    use(
      meanSquaredError(p, t), l1Loss(p, t), huberLoss(p, t), smoothL1Loss(p, t, beta: 0.5))
    let weight = Tensor([2, 1])
    use(
      binaryCrossEntropy(q, t), binaryCrossEntropyWithLogits(p, t, positiveWeights: weight))
    let (u, v, sign) = (Tensor([1, 2]), Tensor([2, 1]), Tensor([1, -1]))
    do {
      let (a, b, p, n) = (z, z + 1, z * 2, z - 1)
      use(
        cosineEmbeddingLoss(a, b, sign), tripletMarginLoss(a, p, n), marginRankingLoss(u, v, sign))
    }
    let (logProbabilities, targets) = (
      Tensor.zeros([4, 1, 3]).logSoftmax(), Tensor([[1, 2]] as [[Int32]])
    )
    use(ctcLoss(logProbabilities, targets, inputLengths: [4], targetLengths: [2]))
    use(poissonNLLLoss(p, t), gaussianNLLLoss(p, t, variance: q))
    use(multiMarginLoss(z, y), hingeLoss(z, y))
    use(softMarginLoss(u, sign), hingeEmbeddingLoss(u, sign))
    let lists = Tensor([[0, -1, -1], [2, 1, -1]] as [[Int32]])
    use(multiLabelMarginLoss(z, lists), multiLabelSoftMarginLoss(z, probabilities))
    use(l1Loss(p, t, reduction: .sum), l1Loss(p, t, reduction: .none))
    #expect(l1Loss(p, t, reduction: .sum).item() == 1.5)
  }

  @Test("Training") func training() throws {
    let model = Sequential(Linear(2, 3), Tanh(), Linear(3, 1))
    let arena = ParameterArena(model)
    let optimizer = SGD(arena, SGD.Options(momentum: 0.9))
    use(SGD(arena, SGD.Options(momentum: 0.9)))
    use(AdamW(arena), Adam(arena), RMSprop(arena), Adagrad(arena))
    use(Lion(arena), LARS(arena), LAMB(arena))
    arena.zeroGrad()
    model(Tensor([[1, 2]])).sum().backward()
    use(arena.clipGradients(toNorm: 1))
    optimizer.step(learningRate: 0.1)
    arena.setGroups([ParameterGroup("*.bias", learningRate: 2, weightDecay: 0)])
    use(Adam(arena, .init(amsgrad: true)), RMSprop(arena, .init(centered: true)))
    use(LearningRateSchedule(base: 0.1, warmupSteps: 10, .cosine(steps: 100, minimum: 0)))
    use(
      LearningRateSchedule(base: 0.1, .multiStep(milestones: [30, 80], gamma: 0.1)),
      LearningRateSchedule(base: 0.1, .exponential(gamma: 0.9)))
    use(LearningRateSchedule(base: 0.1, .polynomial(steps: 100, power: 2, minimum: 0)))
    use(LearningRateSchedule(base: 0.1, .cosineRestarts(period: 10, factor: 2, minimum: 0)))
    use(
      LearningRateSchedule(
        base: 0.1,
        .oneCycle(
          steps: 100, riseFraction: 0.3, startDivisor: 25, endDivisor: 1e4, anneal: .cosine)),
      LearningRateSchedule(
        base: 0.1, .cyclic(minimum: 0.01, up: 20, down: 20, mode: .triangular, gamma: 1)))
    var plateau = ReduceOnPlateau(.init(patience: 2))
    plateau.note(0.5)
    optimizer.step(learningRate: plateau.rate(0.1))
    let average = WeightAverage(of: model, in: arena, decay: 0.999)
    average.update()
    use(average.withAverages { model(Tensor([[1, 2]])) })
    let path = FileManager.default.temporaryDirectory.appending(
      path: "coming-from-pytorch-\(UUID()).safetensors"
    ).path()
    defer { try? FileManager.default.removeItem(atPath: path) }
    try model.save(to: path)
    try model.load(from: path)
  }
}
