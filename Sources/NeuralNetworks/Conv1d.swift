public import TensorCore

/// A one-dimensional convolution: sequences `[N, inputs, L]` become `[N, outputs, L']`.
public struct Conv1d: Layer {
  /// The weight, `[outputs, inputs / groups, kernel]` as in PyTorch.
  public let weight: Parameter
  /// The bias, `[outputs]`.
  public let bias: Parameter?
  /// The stride of the windows.
  public let stride: Int
  /// The zeros added at both ends of the sequences.
  public let padding: Int
  /// The zeros added at the end besides: 1 with the padding `same` of an even kernel.
  public let extraPadding: Int
  /// What the padding consists of; `constant` is zeros, PyTorch's default.
  public let paddingMode: PaddingMode
  /// The distance between the elements of a window.
  public let dilation: Int
  /// The number of groups; inputs and outputs of different groups are not connected.
  public let groups: Int

  /// A layer with PyTorch's default initialization: weights and biases uniform in ±1/√n, where n =
  /// inputs / groups · kernel.
  public init(
    _ inputs: Int, _ outputs: Int, kernel: Int, stride: Int = 1, padding: Int = 0,
    dilation: Int = 1, groups: Int = 1, bias: Bool = true,
    paddingMode: PaddingMode = .constant
  ) {
    checkGroups("Conv1d", inputs, outputs, groups)
    (weight, self.bias) = initializedConvolution(
      [outputs, inputs / groups, kernel], outputs: outputs, bias: bias)
    (self.stride, self.padding, extraPadding) = (stride, padding, 0)
    (self.dilation, self.groups) = (dilation, groups)
    self.paddingMode = paddingMode
  }

  /// A layer with a padding by its effect, `same` or `valid`.
  public init(
    _ inputs: Int, _ outputs: Int, kernel: Int, stride: Int = 1, padding: NamedPadding,
    dilation: Int = 1, groups: Int = 1, bias: Bool = true,
    paddingMode: PaddingMode = .constant
  ) {
    checkGroups("Conv1d", inputs, outputs, groups)
    (weight, self.bias) = initializedConvolution(
      [outputs, inputs / groups, kernel], outputs: outputs, bias: bias)
    self.stride = stride
    (self.padding, extraPadding) = padding.sizes(
      "Conv1d", kernel: kernel, stride: stride, dilation: dilation)
    (self.dilation, self.groups) = (dilation, groups)
    self.paddingMode = paddingMode
  }

  /// A layer with the given weight, `[outputs, inputs / groups, kernel]`, and bias, `[outputs]`.
  public init(
    weight: Tensor, bias: Tensor? = nil, stride: Int = 1, padding: Int = 0, dilation: Int = 1,
    groups: Int = 1, paddingMode: PaddingMode = .constant
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
    let isConstant = paddingMode == .constant
    let ends = isConstant ? [0, extraPadding] : [padding, padding + extraPadding]
    return x.padded(ends, mode: paddingMode).conv1d(
      weight: weight, bias: bias, stride: stride, padding: isConstant ? padding : 0,
      dilation: dilation, groups: groups, relu: relu)
  }
}

/// A transposed one-dimensional convolution, which reverses the change of size of `Conv1d`: sequences
/// `[N, inputs, L]` become `[N, outputs, L']`.
public struct ConvTranspose1d: Layer {
  /// The weight, `[inputs, outputs / groups, kernel]` as in PyTorch.
  public let weight: Parameter
  /// The bias, `[outputs]`.
  public let bias: Parameter?
  /// The stride of the windows in the output.
  public let stride: Int
  /// The elements removed at both ends of the output.
  public let padding: Int
  /// Elements added at the end of the output; the stride leaves its size ambiguous.
  public let outputPadding: Int
  /// The distance between the elements of a window.
  public let dilation: Int
  /// The number of groups; inputs and outputs of different groups are not connected.
  public let groups: Int

  /// A layer with PyTorch's default initialization: weights and biases uniform in ±1/√n, where n =
  /// outputs / groups · kernel.
  public init(
    _ inputs: Int, _ outputs: Int, kernel: Int, stride: Int = 1, padding: Int = 0,
    outputPadding: Int = 0, dilation: Int = 1, groups: Int = 1, bias: Bool = true
  ) {
    checkGroups("ConvTranspose1d", inputs, outputs, groups)
    (weight, self.bias) = initializedConvolution(
      [inputs, outputs / groups, kernel], outputs: outputs, bias: bias)
    (self.stride, self.padding, self.outputPadding) = (stride, padding, outputPadding)
    (self.dilation, self.groups) = (dilation, groups)
  }

  /// A layer with the given weight, `[inputs, outputs / groups, kernel]`, and bias, `[outputs]`.
  public init(
    weight: Tensor, bias: Tensor? = nil, stride: Int = 1, padding: Int = 0, outputPadding: Int = 0,
    dilation: Int = 1, groups: Int = 1
  ) {
    self.weight = Parameter(weight)
    self.bias = bias.map(Parameter.init)
    (self.stride, self.padding, self.outputPadding) = (stride, padding, outputPadding)
    (self.dilation, self.groups) = (dilation, groups)
  }

  /// Applies the layer.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    x.convTranspose1d(
      weight: weight, bias: bias, stride: stride, padding: padding, outputPadding: outputPadding,
      dilation: dilation, groups: groups)
  }
}
