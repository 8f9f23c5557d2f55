public import TensorCore

/// A two-dimensional convolution: images `[N, inputs, H, W]` become `[N, outputs, H', W']`.
public struct Conv2d: Layer {
  /// The weight, `[outputs, inputs / groups, kernel height, kernel width]` as in PyTorch.
  public let weight: Parameter
  /// The bias, `[outputs]`.
  public let bias: Parameter?
  /// The stride of the windows.
  public let stride: Size2d
  /// The zeros added around the images.
  public let padding: Size2d
  /// The rows and columns of zeros added at the end besides: with the padding `same` of an even kernel.
  public let extraPadding: Size2d
  /// What the padding consists of; `constant` is zeros, PyTorch's default.
  public let paddingMode: PaddingMode
  /// The distance between the elements of a window.
  public let dilation: Size2d
  /// The number of groups; inputs and outputs of different groups are not connected.
  public let groups: Int

  /// A layer with PyTorch's default initialization: weights and biases uniform in ±1/√n, where n =
  /// inputs / groups · kernel height · kernel width.
  public init(
    _ inputs: Int, _ outputs: Int, kernel: Size2d, stride: Size2d = 1, padding: Size2d = 0,
    dilation: Size2d = 1, groups: Int = 1, bias: Bool = true,
    paddingMode: PaddingMode = .constant
  ) {
    checkGroups("Conv2d", inputs, outputs, groups)
    (weight, self.bias) = initializedConvolution(
      [outputs, inputs / groups, kernel.height, kernel.width], outputs: outputs, bias: bias)
    (self.stride, self.padding, extraPadding) = (stride, padding, 0)
    (self.dilation, self.groups) = (dilation, groups)
    self.paddingMode = paddingMode
  }

  /// A layer with a padding by its effect, `same` or `valid`.
  public init(
    _ inputs: Int, _ outputs: Int, kernel: Size2d, stride: Size2d = 1, padding: NamedPadding,
    dilation: Size2d = 1, groups: Int = 1, bias: Bool = true,
    paddingMode: PaddingMode = .constant
  ) {
    checkGroups("Conv2d", inputs, outputs, groups)
    (weight, self.bias) = initializedConvolution(
      [outputs, inputs / groups, kernel.height, kernel.width], outputs: outputs, bias: bias)
    self.stride = stride
    func sizes(_ part: KeyPath<Size2d, Int>) -> (padding: Int, extra: Int) {
      padding.sizes(
        "Conv2d", kernel: kernel[keyPath: part], stride: stride[keyPath: part],
        dilation: dilation[keyPath: part])
    }
    let (height, width) = (sizes(\.height), sizes(\.width))
    self.padding = [height.padding, width.padding]
    extraPadding = [height.extra, width.extra]
    (self.dilation, self.groups) = (dilation, groups)
    self.paddingMode = paddingMode
  }

  /// A layer with the given weight, `[outputs, inputs / groups, kernel height, kernel width]`, and
  /// bias, `[outputs]`.
  public init(
    weight: Tensor, bias: Tensor? = nil, stride: Size2d = 1, padding: Size2d = 0,
    dilation: Size2d = 1, groups: Int = 1, paddingMode: PaddingMode = .constant
  ) {
    self.weight = Parameter(weight)
    self.bias = bias.map(Parameter.init)
    (self.stride, self.padding, extraPadding) = (stride, padding, 0)
    (self.dilation, self.groups) = (dilation, groups)
    self.paddingMode = paddingMode
  }

  /// Applies the layer.
  public func callAsFunction(_ x: Tensor) -> Tensor { self(x, relu: false) }

  /// Applies the layer, and ReLU to its result if `relu`: all in one pass over memory.
  public func callAsFunction(_ x: Tensor, relu: Bool) -> Tensor {
    let (x, padding) = padded(x)
    return x.conv2d(
      weight: weight, bias: bias, stride: stride, padding: padding, dilation: dilation,
      groups: groups, relu: relu)
  }

  /// Applies the layer to images `[N, inputs, H, W]`, and sums the statistics of the channels of its result in
  /// the same pass over memory.
  public func withStatistics(_ x: Tensor) -> (result: Tensor, statistics: ChannelStatistics) {
    let (x, padding) = padded(x)
    return x.conv2dWithStatistics(
      weight: weight, bias: bias, stride: stride, padding: padding, dilation: dilation,
      groups: groups)
  }

  /// The input with the padding that the convolution does not add itself, and what that adds.
  private func padded(_ x: Tensor) -> (Tensor, Size2d) {
    if paddingMode == .constant, extraPadding == 0 { return (x, padding) }
    let padding = paddingMode == .constant ? 0 : self.padding
    let ends = [
      padding.width, padding.width + extraPadding.width,
      padding.height, padding.height + extraPadding.height,
    ]
    return (x.padded(ends, mode: paddingMode), paddingMode == .constant ? self.padding : 0)
  }
}

/// A transposed two-dimensional convolution, which reverses the change of size of `Conv2d`: images
/// `[N, inputs, H, W]` become `[N, outputs, H', W']`.
public struct ConvTranspose2d: Layer {
  /// The weight, `[inputs, outputs / groups, kernel height, kernel width]` as in PyTorch.
  public let weight: Parameter
  /// The bias, `[outputs]`.
  public let bias: Parameter?
  /// The stride of the windows in the output.
  public let stride: Size2d
  /// The rows and columns removed around the output.
  public let padding: Size2d
  /// Rows and columns added at the end of the output; the stride leaves its size ambiguous.
  public let outputPadding: Size2d
  /// The distance between the elements of a window.
  public let dilation: Size2d
  /// The number of groups; inputs and outputs of different groups are not connected.
  public let groups: Int

  /// A layer with PyTorch's default initialization: weights and biases uniform in ±1/√n, where n =
  /// outputs / groups · kernel height · kernel width.
  public init(
    _ inputs: Int, _ outputs: Int, kernel: Size2d, stride: Size2d = 1, padding: Size2d = 0,
    outputPadding: Size2d = 0, dilation: Size2d = 1, groups: Int = 1, bias: Bool = true
  ) {
    checkGroups("ConvTranspose2d", inputs, outputs, groups)
    (weight, self.bias) = initializedConvolution(
      [inputs, outputs / groups, kernel.height, kernel.width], outputs: outputs, bias: bias)
    self.stride = stride
    self.padding = padding
    self.outputPadding = outputPadding
    self.dilation = dilation
    self.groups = groups
  }

  /// A layer with the given weight, `[inputs, outputs / groups, kernel height, kernel width]`, and
  /// bias, `[outputs]`.
  public init(
    weight: Tensor, bias: Tensor? = nil, stride: Size2d = 1, padding: Size2d = 0,
    outputPadding: Size2d = 0, dilation: Size2d = 1, groups: Int = 1
  ) {
    self.weight = Parameter(weight)
    self.bias = bias.map(Parameter.init)
    self.stride = stride
    self.padding = padding
    self.outputPadding = outputPadding
    self.dilation = dilation
    self.groups = groups
  }

  /// Applies the layer.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    x.convTranspose2d(
      weight: weight, bias: bias, stride: stride, padding: padding, outputPadding: outputPadding,
      dilation: dilation, groups: groups)
  }
}
