import TensorCore

/// The rows of convolutions and pooling.
let convolutionGradientCases: [GradientCase] = [
  .init(
    "conv2d(weight:bias:stride:padding:dilation:groups:relu:)", [2, 2, 4, 3], [3, 2, 2, 2], [3],
    range: -1...1
  ) {
    $0[0].conv2d(weight: $0[1], bias: $0[2]).sin()
  },
  .init(
    "conv2d(weight:bias:stride:padding:dilation:groups:relu:), with stride, padding, dilation and groups",
    [1, 2, 5, 4], [2, 1, 2, 3], range: -1...1
  ) {
    $0[0].conv2d(weight: $0[1], stride: [2, 1], padding: [1, 2], dilation: [1, 2], groups: 2).sin()
  },
  .init(
    "conv2d(weight:bias:stride:padding:dilation:groups:relu:), of one image, pointwise", [2, 3, 2],
    [2, 2, 1, 1], [2], range: -1...1
  ) {
    $0[0].conv2d(weight: $0[1], bias: $0[2]).sin()
  },
  .init(
    "conv2d(weight:bias:stride:padding:dilation:groups:relu:), of transposed tensors",
    [4, 3, 2, 2],
    [2, 3, 3, 2], range: -1...1
  ) {
    $0[0].transposed(0, 3).conv2d(weight: $0[1].transposed(), padding: 1).sin()
  },
  .init(
    "conv2d(weight:bias:stride:padding:dilation:groups:relu:), linear in its inputs", [1, 1, 3, 3],
    [1, 1, 2, 2]
  ) { $0[0].conv2d(weight: $0[1]) },
  .init(
    "conv2dWithStatistics(weight:bias:stride:padding:dilation:groups:), normalized",
    [2, 2, 4, 3], [3, 2, 2, 2], [3]
  ) {
    let (y, statistics) = $0[0].conv2dWithStatistics(weight: $0[1], bias: $0[2])
    return y.batchNorm(statistics: statistics).result.sin()
  },
  .init(
    "conv2d(weight:bias:stride:padding:dilation:groups:relu:), with ReLU", [2, 2, 4, 3],
    [3, 2, 2, 2], [3], range: -1...1
  ) {
    $0[0].conv2d(weight: $0[1], bias: $0[2], relu: true).sin()
  },
  .init(
    "convTranspose2d(weight:bias:stride:padding:outputPadding:dilation:groups:)", [2, 2, 2, 3],
    [2, 2, 2, 2], [2], range: -1...1
  ) {
    $0[0].convTranspose2d(weight: $0[1], bias: $0[2]).sin()
  },
  .init(
    "convTranspose2d(weight:bias:stride:padding:outputPadding:dilation:groups:), with stride, padding, dilation and groups",
    [1, 2, 2, 3], [2, 2, 3, 2], [4],
    range: -1...1
  ) {
    $0[0].convTranspose2d(
      weight: $0[1], bias: $0[2], stride: [2, 3], padding: 1, outputPadding: [1, 0],
      dilation: [1, 2], groups: 2
    ).sin()
  },
  .init("maxPool2d(kernel:stride:padding:dilation:ceilMode:)", [2, 1, 4, 4]) {
    $0[0].maxPool2d(kernel: 2).exp()
  },
  .init(
    "maxPool2d(kernel:stride:padding:dilation:ceilMode:), overlapping with padding and dilation",
    [1, 2, 5, 4], range: -1...1
  ) {
    $0[0].maxPool2d(kernel: [3, 2], stride: 1, padding: 1, dilation: [1, 2]).exp()
  },
  .init("avgPool2d(kernel:stride:padding:ceilMode:countIncludePad:)", [1, 2, 4, 5]) {
    $0[0].avgPool2d(kernel: [2, 3]).exp()
  },
  .init(
    "avgPool2d(kernel:stride:padding:ceilMode:countIncludePad:), overlapping with padding",
    [1, 1, 5, 4]
  ) {
    $0[0].avgPool2d(kernel: 3, stride: 2, padding: 1, ceilMode: true, countIncludePad: false).exp()
  },
  .init("adaptiveAvgPool2d(Size2d)", [2, 5, 3]) { $0[0].adaptiveAvgPool2d([2, 2]).exp() },
]
