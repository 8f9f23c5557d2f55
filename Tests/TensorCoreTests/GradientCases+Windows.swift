import TensorCore

/// The rows of convolutions and pooling of sequences and volumes, and of unfolding.
let windowGradientCases: [GradientCase] = [
  .init(
    "conv1d(weight:bias:stride:padding:dilation:groups:relu:)", [2, 2, 6], [4, 1, 2], [4],
    range: -1...1
  ) {
    $0[0].conv1d(
      weight: $0[1], bias: $0[2], stride: 2, padding: 1, dilation: 2, groups: 2
    ).sin()
  },
  .init(
    "convTranspose1d(weight:bias:stride:padding:outputPadding:dilation:groups:)", [2, 3, 3],
    [3, 2, 3], [2], range: -1...1
  ) {
    $0[0].convTranspose1d(
      weight: $0[1], bias: $0[2], stride: 2, padding: 1, outputPadding: 1
    ).sin()
  },
  .init(
    "conv3d(weight:bias:stride:padding:dilation:groups:relu:)", [1, 2, 3, 3, 2], [2, 2, 2, 2, 1],
    [2], range: -1...1
  ) {
    $0[0].conv3d(weight: $0[1], bias: $0[2]).sin()
  },
  .init(
    "conv3d(weight:bias:stride:padding:dilation:groups:relu:), with stride, padding, dilation and groups",
    [1, 2, 4, 3, 2], [4, 1, 2, 2, 2], range: -1...1
  ) {
    $0[0].conv3d(
      weight: $0[1], stride: [2, 1, 1], padding: [1, 0, 1], dilation: [2, 1, 1], groups: 2
    ).sin()
  },
  .init(
    "convTranspose3d(weight:bias:stride:padding:outputPadding:dilation:groups:)", [1, 2, 2, 2, 2],
    [2, 1, 2, 2, 1], [2], range: -1...1
  ) {
    $0[0].convTranspose3d(
      weight: $0[1], bias: $0[2], stride: [2, 1, 1], padding: [1, 0, 0], groups: 2
    ).sin()
  },
  .init("unfolded(axis:size:step:dilation:)", [3, 7]) {
    $0[0].unfolded(axis: 1, size: 3, step: 2).exp()
  },
  .init("unfolded(axis:size:step:dilation:), of the first axis", [5, 2]) {
    $0[0].unfolded(axis: 0, size: 2, dilation: 3).exp()
  },
  .init("unfolded(kernel:stride:padding:dilation:)", [1, 2, 4, 3]) {
    $0[0].unfolded(kernel: 2, stride: [2, 1], padding: [0, 1], dilation: [1, 2]).exp()
  },
  .init("folded(to:kernel:stride:padding:dilation:)", [1, 8, 8]) {
    $0[0].folded(to: [4, 3], kernel: 2, stride: [2, 1], padding: [0, 1]).exp()
  },
  .init("maxPool1d(kernel:stride:padding:dilation:ceilMode:)", [2, 2, 7]) {
    $0[0].maxPool1d(kernel: 3, stride: 2, padding: 1).exp()
  },
  .init("avgPool1d(kernel:stride:padding:ceilMode:countIncludePad:)", [2, 2, 7]) {
    $0[0].avgPool1d(kernel: 3, stride: 2, padding: 1).exp()
  },
  .init("adaptiveAvgPool1d(Int)", [2, 7]) { $0[0].adaptiveAvgPool1d(3).exp() },
  .init("adaptiveMaxPool1d(Int)", [2, 7]) { $0[0].adaptiveMaxPool1d(3).exp() },
  .init("adaptiveMaxPool2d(Size2d)", [1, 2, 5, 4]) { $0[0].adaptiveMaxPool2d([3, 2]).exp() },
  .init("maxPool3d(kernel:stride:padding:dilation:ceilMode:)", [1, 2, 4, 3, 4]) {
    $0[0].maxPool3d(kernel: 2, stride: [2, 1, 2], padding: [1, 0, 0]).exp()
  },
  .init("avgPool3d(kernel:stride:padding:ceilMode:countIncludePad:)", [1, 1, 4, 3, 4]) {
    $0[0].avgPool3d(kernel: 2, stride: [2, 1, 2], padding: [1, 0, 0]).exp()
  },
  .init("adaptiveAvgPool3d(Size3d)", [2, 3, 4, 3]) { $0[0].adaptiveAvgPool3d([2, 3, 1]).exp() },
  .init("adaptiveMaxPool3d(Size3d)", [2, 3, 4, 3]) { $0[0].adaptiveMaxPool3d([2, 3, 1]).exp() },
]
