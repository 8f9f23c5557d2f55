public import TensorCore

// Pooling of volumes `[N, C, D, H, W]`.

/// The largest element of each window.
public struct MaxPool3d: Layer {
  /// The size of a window.
  public let kernel: Size3d
  /// The stride of the windows.
  public let stride: Size3d
  /// The padding around the inputs.
  public let padding: Size3d
  /// The distance between the elements of a window.
  public let dilation: Size3d
  /// Whether the last window may extend beyond the end.
  public let ceilMode: Bool

  /// A pooling layer; the default stride is the kernel size.
  public init(
    _ kernel: Size3d, stride: Size3d? = nil, padding: Size3d = 0, dilation: Size3d = 1,
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
    x.maxPool3d(
      kernel: kernel, stride: stride, padding: padding, dilation: dilation, ceilMode: ceilMode)
  }
}

/// The mean of each window.
public struct AvgPool3d: Layer {
  /// The size of a window.
  public let kernel: Size3d
  /// The stride of the windows.
  public let stride: Size3d
  /// The padding around the inputs.
  public let padding: Size3d
  /// Whether the last window may extend beyond the end.
  public let ceilMode: Bool
  /// Whether the padding counts as zeros; if not, it does not count.
  public let countIncludePad: Bool

  /// A pooling layer; the default stride is the kernel size.
  public init(
    _ kernel: Size3d, stride: Size3d? = nil, padding: Size3d = 0, ceilMode: Bool = false,
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
    x.avgPool3d(
      kernel: kernel, stride: stride, padding: padding, ceilMode: ceilMode,
      countIncludePad: countIncludePad)
  }
}

/// The means of windows that cover inputs of any size.
public struct AdaptiveAvgPool3d: Layer {
  /// The size of the output.
  public let size: Size3d

  /// A pooling layer with outputs of the given size.
  public init(_ size: Size3d) { self.size = size }

  /// Applies the layer.
  public func callAsFunction(_ x: Tensor) -> Tensor { x.adaptiveAvgPool3d(size) }
}

/// The largest elements of windows that cover inputs of any size.
public struct AdaptiveMaxPool3d: Layer {
  /// The size of the output.
  public let size: Size3d

  /// A pooling layer with outputs of the given size.
  public init(_ size: Size3d) { self.size = size }

  /// Applies the layer.
  public func callAsFunction(_ x: Tensor) -> Tensor { x.adaptiveMaxPool3d(size) }
}
