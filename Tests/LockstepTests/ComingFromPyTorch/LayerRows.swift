import Foundation
import Lockstep
import Testing

private struct Net: Module {
  let backbone = Linear(2, 3)
  let head = Linear(3, 1)
  let scale = Buffer(Tensor([2]))
  func callAsFunction(_ x: Tensor) -> Tensor { scale * head(backbone(x).relu()) }
}

@Suite("Coming from PyTorch: layers") struct LayerRows {
  private let images = Tensor.arange(512).reshaped(to: [2, 4, 8, 8]) * 0.01
  private let x = Tensor([[0.2, 0.4, 0.6], [0.3, 0.5, 0.7]])

  @Test("Modules") func modules() throws {
    let t = Tensor([1, 2])
    use(Parameter(t), Buffer(t))
    let net = Net()
    let x = Tensor([[1, 2]])
    use(net(x))
    let model = Sequential(Linear(2, 3), ReLU(), Linear(3, 1))
    use(Sequential(Linear(2, 3), ReLU()))
    use(model[0], model[1..<3])
    use(withEvaluation { model(x) })
    let backbone = Linear(2, 3)
    use(InEvaluation(backbone))
    backbone.requiresGrad = false
    try net.freeze(["backbone.*"])
    use(
      Hooked(Linear(2, 3), after: { input, output in nil }),
      Hooked(Linear(2, 3), before: { input in nil }))
    use(model.activations(x))
    use(model.namedParameters(), model.namedBuffers())
    use(model.parameterCount)
    let state = Dictionary(
      uniqueKeysWithValues: model.stateDictionary().map { ($0.name, $0.value) })
    try model.load(stateDictionary: state)
    #expect(net.namedParameters().map(\.name).first == "backbone.weight")
    #expect(net.trainedParameters().count == 2 && !backbone.requiresGrad)
  }

  @Test("Layers") func layers() {
    use(Linear(3, 5, bias: false), Bilinear(2, 3, 5))
    use(Conv2d(3, 7, kernel: 3, padding: 1), Conv2d(3, 7, kernel: 3, padding: .same))
    use(Conv1d(3, 7, kernel: 3), Conv3d(3, 7, kernel: 3))
    use(
      ConvTranspose1d(3, 7, kernel: 3), ConvTranspose2d(3, 7, kernel: 3),
      ConvTranspose3d(3, 7, kernel: 3))
    let windows: [any Layer] = [
      MaxPool2d(2), AvgPool2d(2), AdaptiveAvgPool2d(1), AdaptiveMaxPool2d(1), Unfold(kernel: 3),
      PixelShuffle(2), Upsample(scale: 2), Padding([1, 1, 1, 1]),
      Padding([1, 1, 1, 1], mode: .reflect), BatchNorm2d(4, epsilon: 1e-3), SyncBatchNorm(4),
      GroupNorm(2, 4), InstanceNorm2d(4, affine: true), LocalResponseNorm(5), Dropout2d(0.5),
    ]
    for layer in windows { use(layer(images)) }
    let sequences: [any Layer] = [
      MaxPool1d(2), AvgPool1d(2), AdaptiveAvgPool1d(4), AdaptiveMaxPool1d(4), InstanceNorm1d(4),
      BatchNorm1d(4),
    ]
    for layer in sequences { use(layer(images.reshaped(to: [2, 4, 64]))) }
    let volumes: [any Layer] = [
      MaxPool3d(2), AvgPool3d(2), AdaptiveAvgPool3d([1, 2, 2]), AdaptiveMaxPool3d(1),
      InstanceNorm3d(4), BatchNorm3d(4),
    ]
    for layer in volumes { use(layer(images.reshaped(to: [2, 4, 4, 4, 4]))) }
    use(Fold(4, kernel: 3)(Tensor.zeros([1, 9, 4])))
    let rows = Tensor.zeros([2, 4])
    use(LayerNorm(4)(rows), RMSNorm(4)(rows))
    let tokens = Tensor([[0, 1]] as [[Int32]])
    use(
      Embedding(10, 4, paddingIndex: 0)(tokens), EmbeddingBag(10, 4, mode: .sum)(tokens))
    let functions: [any Layer] = [
      ReLU(), Sigmoid(), Tanh(), GELU(), SiLU(), Softplus(), Mish(), SELU(), Identity(), ReLU6(),
      Hardswish(), Hardsigmoid(), Hardtanh(), LogSigmoid(), Softsign(), Hardshrink(), Softshrink(),
      Tanhshrink(), Threshold(0.5, value: 20), LeakyReLU(slope: 0.2), ELU(alpha: 1), CELU(alpha: 1),
      PReLU(), GLU(), Softmax(axis: 1), LogSoftmax(axis: 1), Dropout(0.5), AlphaDropout(0.5),
      Flatten(),
    ]
    for layer in functions { use(layer(rows)) }
    functionsOfTensors()
  }

  private func functionsOfTensors() {
    use(x.relu(), x.gelu(), x.silu(), x.softplus(), x.leakyRelu(slope: 0.2), x.elu())
    use(
      x.relu6(), x.hardtanh(min: -1, max: 1), x.hardsigmoid(), x.hardswish(), x.mish(), x.selu(),
      x.celu(alpha: 0.5))
    let slopes = Tensor([0.25])
    use(x.logSigmoid(), x.softsign(), images.glu(axis: 1), x.prelu(slopes))
    use(x.hardshrink(), x.softshrink(), x.tanhshrink(), x.threshold(0.5, value: 20))
    use(x.dropout(0.2), images.channelDropout(0.2), x.alphaDropout(0.2))
    let (sequence, kernel1) = (Tensor.ones([1, 3, 8]), Tensor.ones([2, 3, 3]))
    let (volume, kernel3) = (Tensor.ones([1, 3, 4, 4, 4]), Tensor.ones([2, 3, 2, 2, 2]))
    use(
      sequence.conv1d(weight: kernel1), volume.conv3d(weight: kernel3), images.instanceNorm())
    let (w, b, kernel2) = (Tensor.ones([4, 3]), Tensor.ones([4]), Tensor.ones([2, 4, 3, 3]))
    use(
      x.linear(weight: w, bias: b), images.conv2d(weight: kernel2), images.maxPool2d(kernel: 2),
      x.layerNorm([3]))
    let (labels, table) = (Tensor([0, 2] as [Int32]), Tensor.ones([3, 4]))
    use(labels.oneHot(3), table.embedding(labels))
    do {
      let (a, b) = (x, x + 1)
      use(cosineSimilarity(a, b), pairwiseDistance(a, b))
    }
  }

  @Test("Sequences and attention") func sequences() {
    let sequences = Tensor.ones([2, 5, 3])
    use(LSTM(3, 4, layers: 2, dropout: 0.1, bidirectional: true), GRU(3, 4), RNN(3, 4))
    let lstm = LSTM(3, 4)
    let (y, h, c) = lstm(sequences)
    use(lstm(sequences, (h, c)), lstm(sequences, lengths: [5, 3]))
    #expect(y.shape == [2, 5, 4])
    use(RNNCell(3, 4), LSTMCell(3, 4), GRUCell(3, 4))
    let attention = MultiHeadAttention(8, heads: 2)
    use(MultiHeadAttention(8, heads: 2))
    let tokens = Tensor.ones([2, 3, 8])
    let lengths = Tensor([3, 2] as [Int32])
    let p = Tensor.paddingMask(lengths: lengths, count: 3)
    do {
      let m = Tensor.ones([3, 3]) .> 0
      use(attention(tokens, paddingMask: p), attention(tokens, mask: m))
    }
    use(attention(query: tokens, key: tokens, value: tokens))
    let (q, k, v) = (
      Tensor.ones([2, 4, 3, 8]), Tensor.ones([2, 4, 3, 8]), Tensor.ones([2, 4, 3, 8])
    )
    let (m, shared) = (Tensor.zeros([3, 3]), Tensor.ones([2, 2, 3, 8]))
    use(Tensor.scaledDotProductAttention(q, k, v, mask: m))
    use(
      Tensor.scaledDotProductAttention(q, k, v, dropout: 0.1, causal: true, scale: 0.5),
      Tensor.scaledDotProductAttention(q, shared, shared))
    use(
      TransformerEncoderLayer(8, heads: 2, hidden: 16)(tokens),
      TransformerDecoderLayer(8, heads: 2, hidden: 16)(tokens, memory: tokens))
    let gain = Tensor.ones([8])
    use(tokens.rmsNorm([8], weight: gain, epsilon: 1e-6), RotaryEmbedding(8)(q))
    use(
      ResNet(depth: 18, stem: .imageNet), VGG(depth: 11, size: 32, hidden: 16),
      MobileNetV2(widthFactor: 0.35),
      VisionTransformer(
        VisionTransformer.Options(size: 8, patch: 4, layers: 1, heads: 2, width: 8)))
    use(
      Llama(Llama.Options(vocabulary: 7, context: 8, layers: 1, heads: 2, width: 8)),
      GPT(GPT.Options(vocabulary: 7, context: 8, layers: 1, heads: 2, width: 8)))
  }

  @Test("Initial values") func initialValues() {
    let w = Linear(3, 4).weight
    w.assign(Initializer.xavierUniform(w.shape))
    use(Initializer.xavierNormal([4, 3]))
    use(
      Initializer.kaimingNormal([4, 3], mode: .fanOut), Initializer.kaimingUniform([4, 3]))
    use(
      Initializer.truncatedNormal([4, 3], std: 0.02), Initializer.orthogonal([4, 3]),
      Initializer.constant([4], 1))
    use(
      Initializer.identity([3, 3]), Initializer.dirac([4, 4, 3]),
      Initializer.sparse([4, 3], sparsity: 0.1), Nonlinearity.tanh.gain)
  }
}
