import TensorCore

private let name = "recurrentStates(RecurrentCell, weight:bias:initial:lengths:reversed:)"

/// The rows of recurrent layers, further activations and their relatives.
let recurrentGradientCases: [GradientCase] = [
  .init(name, [3, 2, 3], [3, 3], [3], [2, 3]) {
    $0[0].recurrentStates(.tanh, weight: $0[1], bias: $0[2], initial: [$0[3]])
  },
  .init(name + ", relu", [3, 2, 3], [3, 3], [3], [2, 3], range: -1.3...2) {
    $0[0].recurrentStates(.relu, weight: $0[1] * 0.2, bias: $0[2], initial: [$0[3]])
  },
  .init(name + ", lstm", [3, 2, 8], [8, 2], [8], [2, 2], [2, 2]) {
    $0[0].recurrentStates(.lstm, weight: $0[1], bias: $0[2], initial: [$0[3], $0[4]])
  },
  .init(name + ", gru", [3, 2, 6], [6, 2], [6], [2, 2]) {
    $0[0].recurrentStates(.gru, weight: $0[1], bias: $0[2], initial: [$0[3]])
  },
  .init(name + ", tanh of several lengths", [3, 3, 2], [2, 2], [3, 2]) {
    $0[0].recurrentStates(.tanh, weight: $0[1], initial: [$0[2]], lengths: [2, 3, 1])
  },
  .init(name + ", lstm of several lengths reversed", [3, 3, 8], [8, 2], [3, 2], [3, 2]) {
    $0[0].recurrentStates(
      .lstm, weight: $0[1], initial: [$0[2], $0[3]], lengths: [2, 3, 1], reversed: true)
  },
  .init(name + ", gru of several lengths reversed", [3, 3, 6], [6, 2], [6], [3, 2]) {
    $0[0].recurrentStates(
      .gru, weight: $0[1], bias: $0[2], initial: [$0[3]], lengths: [2, 3, 1], reversed: true)
  },
  // Activations
  .init("hardtanh(min:max:)", [7]) { $0[0].hardtanh() },
  .init("hardtanh(min:max:), other limits", [2, 4]) {
    $0[0].transposed().hardtanh(min: -0.5, max: 1.5).exp()
  },
  .init("relu6()", [9], range: -2...8) { $0[0].relu6() },
  .init("hardsigmoid()", [9], range: -5...5) { $0[0].hardsigmoid() },
  .init("hardswish()", [9], range: -5...5) { $0[0].hardswish() },
  .init("mish()", [7]) { $0[0].mish() },
  .init("selu()", [7]) { $0[0].selu() },
  .init("celu(alpha:)", [7]) { $0[0].celu() },
  .init("celu(alpha:), another alpha", [7]) { $0[0].celu(alpha: 0.5) },
  .init("logSigmoid()", [7]) { $0[0].logSigmoid() },
  .init("softsign()", [7]) { $0[0].softsign() },
  .init("hardshrink(lambda:)", [7]) { $0[0].hardshrink() },
  .init("softshrink(lambda:)", [7]) { $0[0].softshrink() },
  .init("tanhshrink()", [7]) { $0[0].tanhshrink() },
  .init("threshold(Double, value:)", [7]) { $0[0].threshold(0.3, value: 2) },
  .init("glu(axis:)", [3, 4]) { $0[0].glu() },
  .init("glu(axis:), the first one", [4, 3]) { $0[0].glu(axis: 0) },
  .init("prelu(Tensor)", [3, 4], [1]) { $0[0].prelu($0[1]) },
  .init("prelu(Tensor), of channels", [2, 3, 2], [3]) { $0[0].prelu($0[1]) },
  // Relatives of dropout
  .init("channelDropout(Double)", [3, 4, 2]) { x in
    withTraining(SampleRandomness(seed: 7, epoch: 2, firstSample: 3)) { x[0].channelDropout(0.4) }
  },
  .init("alphaDropout(Double)", [4, 5]) { x in
    withTraining(SampleRandomness(seed: 7, epoch: 2, firstSample: 3)) { x[0].alphaDropout(0.4) }
  },
  // Channels and pixels
  .init("pixelShuffled(Int)", [1, 8, 2, 1]) { $0[0].pixelShuffled(2).exp() },
  .init("pixelUnshuffled(Int)", [2, 4, 2]) { $0[0].pixelUnshuffled(2).exp() },
]
