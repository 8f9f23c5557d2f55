public import TensorCore

// Pooling of sequences `[N, C, L]`.

/// The largest element of each window.
public struct MaxPool1d: Layer {
  /// The size of a window.
  public let kernel: Int
  /// The stride of the windows.
  public let stride: Int
  /// The padding around the inputs.
  public let padding: Int
  /// The distance between the elements of a window.
  public let dilation: Int
  /// Whether the last window may extend beyond the end.
  public let ceilMode: Bool

  /// A pooling layer; the default stride is the kernel size.
  public init(
    _ kernel: Int, stride: Int? = nil, padding: Int = 0, dilation: Int = 1,
    ceilMode: Bool = false
  ) {
    self.kernel = kernel
    self.stride = stride ?? kernel
    self.padding = padding
    self.dilation = dilation
    self.ceilMode = ceilMode
  }

  /// Applies the layer.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    x.maxPool1d(
      kernel: kernel, stride: stride, padding: padding, dilation: dilation, ceilMode: ceilMode)
  }
}

/// The mean of each window.
public struct AvgPool1d: Layer {
  /// The size of a window.
  public let kernel: Int
  /// The stride of the windows.
  public let stride: Int
  /// The padding around the inputs.
  public let padding: Int
  /// Whether the last window may extend beyond the end.
  public let ceilMode: Bool
  /// Whether the padding counts as zeros; if not, it does not count.
  public let countIncludePad: Bool

  /// A pooling layer; the default stride is the kernel size.
  public init(
    _ kernel: Int, stride: Int? = nil, padding: Int = 0, ceilMode: Bool = false,
    countIncludePad: Bool = true
  ) {
    self.kernel = kernel
    self.stride = stride ?? kernel
    self.padding = padding
    self.ceilMode = ceilMode
    self.countIncludePad = countIncludePad
  }

  /// Applies the layer.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    x.avgPool1d(
      kernel: kernel, stride: stride, padding: padding, ceilMode: ceilMode,
      countIncludePad: countIncludePad)
  }
}

/// The means of windows that cover inputs of any size.
public struct AdaptiveAvgPool1d: Layer {
  /// The size of the output.
  public let size: Int

  /// A pooling layer with outputs of the given size.
  public init(_ size: Int) { self.size = size }

  /// Applies the layer.
  public func callAsFunction(_ x: Tensor) -> Tensor { x.adaptiveAvgPool1d(size) }
}

/// The largest elements of windows that cover inputs of any size.
public struct AdaptiveMaxPool1d: Layer {
  /// The size of the output.
  public let size: Int

  /// A pooling layer with outputs of the given size.
  public init(_ size: Int) { self.size = size }

  /// Applies the layer.
  public func callAsFunction(_ x: Tensor) -> Tensor { x.adaptiveMaxPool1d(size) }
}
