public import TensorCore

/// A three-dimensional convolution: volumes `[N, inputs, D, H, W]` become `[N, outputs, D', H', W']`.
public struct Conv3d: Layer {
  /// The weight, `[outputs, inputs / groups, depth, height, width]` as in PyTorch.
  public let weight: Parameter
  /// The bias, `[outputs]`.
  public let bias: Parameter?
  /// The stride of the windows.
  public let stride: Size3d
  /// The zeros added on all sides of the volumes.
  public let padding: Size3d
  /// The zeros added at the end besides: 1 with the padding `same` of an even kernel.
  public let extraPadding: Size3d
  /// What the padding consists of; `constant` is zeros, PyTorch's default.
  public let paddingMode: PaddingMode
  /// The distance between the elements of a window.
  public let dilation: Size3d
  /// The number of groups; inputs and outputs of different groups are not connected.
  public let groups: Int

  /// A layer with PyTorch's default initialization: weights and biases uniform in ±1/√n, where n =
  /// inputs / groups · the elements of the kernel.
  public init(
    _ inputs: Int, _ outputs: Int, kernel: Size3d, stride: Size3d = 1, padding: Size3d = 0,
    dilation: Size3d = 1, groups: Int = 1, bias: Bool = true,
    paddingMode: PaddingMode = .constant
  ) {
    checkGroups("Conv3d", inputs, outputs, groups)
    (weight, self.bias) = initializedConvolution(
      [outputs, inputs / groups, kernel.depth, kernel.height, kernel.width], outputs: outputs,
      bias: bias)
    (self.stride, self.padding, extraPadding) = (stride, padding, 0)
    (self.dilation, self.groups) = (dilation, groups)
    self.paddingMode = paddingMode
  }

  /// A layer with a padding by its effect, `same` or `valid`.
  public init(
    _ inputs: Int, _ outputs: Int, kernel: Size3d, stride: Size3d = 1, padding: NamedPadding,
    dilation: Size3d = 1, groups: Int = 1, bias: Bool = true,
    paddingMode: PaddingMode = .constant
  ) {
    checkGroups("Conv3d", inputs, outputs, groups)
    (weight, self.bias) = initializedConvolution(
      [outputs, inputs / groups, kernel.depth, kernel.height, kernel.width], outputs: outputs,
      bias: bias)
    self.stride = stride
    func sizes(_ part: KeyPath<Size3d, Int>) -> (padding: Int, extra: Int) {
      padding.sizes(
        "Conv3d", kernel: kernel[keyPath: part], stride: stride[keyPath: part],
        dilation: dilation[keyPath: part])
    }
    let (depth, height, width) = (sizes(\.depth), sizes(\.height), sizes(\.width))
    self.padding = [depth.padding, height.padding, width.padding]
    extraPadding = [depth.extra, height.extra, width.extra]
    (self.dilation, self.groups) = (dilation, groups)
    self.paddingMode = paddingMode
  }

  /// A layer with the given weight, `[outputs, inputs / groups, depth, height, width]`, and bias, `[outputs]`.
  public init(
    weight: Tensor, bias: Tensor? = nil, stride: Size3d = 1, padding: Size3d = 0,
    dilation: Size3d = 1, groups: Int = 1, paddingMode: PaddingMode = .constant
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
    return x.conv3d(
      weight: weight, bias: bias, stride: stride, padding: padding, dilation: dilation,
      groups: groups, relu: relu)
  }

  /// The input with the padding that the convolution does not add itself, and what that adds.
  private func padded(_ x: Tensor) -> (Tensor, Size3d) {
    if paddingMode == .constant, extraPadding == 0 { return (x, padding) }
    let padding = paddingMode == .constant ? 0 : self.padding
    let ends = [
      padding.width, padding.width + extraPadding.width,
      padding.height, padding.height + extraPadding.height,
      padding.depth, padding.depth + extraPadding.depth,
    ]
    return (x.padded(ends, mode: paddingMode), paddingMode == .constant ? self.padding : 0)
  }
}

/// A transposed three-dimensional convolution, which reverses the change of size of `Conv3d`: volumes
/// `[N, inputs, D, H, W]` become `[N, outputs, D', H', W']`.
public struct ConvTranspose3d: Layer {
  /// The weight, `[inputs, outputs / groups, depth, height, width]` as in PyTorch.
  public let weight: Parameter
  /// The bias, `[outputs]`.
  public let bias: Parameter?
  /// The stride of the windows in the output.
  public let stride: Size3d
  /// The planes, rows and columns removed on all sides of the output.
  public let padding: Size3d
  /// Planes, rows and columns added at the end of the output; the stride leaves its size ambiguous.
  public let outputPadding: Size3d
  /// The distance between the elements of a window.
  public let dilation: Size3d
  /// The number of groups; inputs and outputs of different groups are not connected.
  public let groups: Int

  /// A layer with PyTorch's default initialization: weights and biases uniform in ±1/√n, where n =
  /// outputs / groups · the elements of the kernel.
  public init(
    _ inputs: Int, _ outputs: Int, kernel: Size3d, stride: Size3d = 1, padding: Size3d = 0,
    outputPadding: Size3d = 0, dilation: Size3d = 1, groups: Int = 1, bias: Bool = true
  ) {
    checkGroups("ConvTranspose3d", inputs, outputs, groups)
    (weight, self.bias) = initializedConvolution(
      [inputs, outputs / groups, kernel.depth, kernel.height, kernel.width], outputs: outputs,
      bias: bias)
    (self.stride, self.padding, self.outputPadding) = (stride, padding, outputPadding)
    (self.dilation, self.groups) = (dilation, groups)
  }

  /// A layer with the given weight, `[inputs, outputs / groups, depth, height, width]`, and bias, `[outputs]`.
  public init(
    weight: Tensor, bias: Tensor? = nil, stride: Size3d = 1, padding: Size3d = 0,
    outputPadding: Size3d = 0,
    dilation: Size3d = 1, groups: Int = 1
  ) {
    self.weight = Parameter(weight)
    self.bias = bias.map(Parameter.init)
    (self.stride, self.padding, self.outputPadding) = (stride, padding, outputPadding)
    (self.dilation, self.groups) = (dilation, groups)
  }

  /// Applies the layer.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    x.convTranspose3d(
      weight: weight, bias: bias, stride: stride, padding: padding, outputPadding: outputPadding,
      dilation: dilation, groups: groups)
  }
}
