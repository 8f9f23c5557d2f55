import NeuralNetworks
import TensorCore

/// MobileNet's first version (Howard et al., 2017) with widths from 32 to 512: a 3x3 stem with stride 2, and 13
/// blocks of a depthwise 3x3 and a pointwise 1x1 convolution, for images `[N, 3, H, W]`.
func mobileNet(classes: Int) -> Sequential {
  /// The outputs of each block, and its stride.
  let blocks =
    [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1)]
    + [(512, 2)] + Array(repeating: (512, 1), count: 5) + [(512, 2), (512, 1)]
  var width = 32
  var layers: [any Layer] = [NormalizedConvolution(3, width, kernel: 3, stride: 2)]
  for (outputs, stride) in blocks {
    layers += [
      NormalizedConvolution(width, width, kernel: 3, stride: stride, groups: width),
      NormalizedConvolution(width, outputs, kernel: 1),
    ]
    width = outputs
  }
  return Sequential(layers + [AdaptiveAvgPool2d(1), Flatten(), Linear(width, classes)])
}

/// A convolution without bias, batch normalization and ReLU.
private struct NormalizedConvolution: Layer {
  let conv: Conv2d
  let bn: BatchNorm2d

  init(_ inputs: Int, _ outputs: Int, kernel: Int, stride: Int = 1, groups: Int = 1) {
    conv = Conv2d(
      inputs, outputs, kernel: Size2d(kernel), stride: Size2d(stride), padding: Size2d(kernel / 2),
      groups: groups, bias: false)
    bn = BatchNorm2d(outputs)
  }

  func callAsFunction(_ x: Tensor) -> Tensor { bn(conv(x), adding: nil, relu: true) }
}
