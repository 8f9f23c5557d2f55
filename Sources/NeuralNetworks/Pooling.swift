public import TensorCore

/// The largest element of each window.
public struct MaxPool2d: Layer {
  /// The size of a window.
  public let kernel: Size2d
  /// The stride of the windows.
  public let stride: Size2d
  /// The padding around the images.
  public let padding: Size2d
  /// The distance between the elements of a window.
  public let dilation: Size2d
  /// Whether the last window may extend beyond the end.
  public let ceilMode: Bool

  /// A pooling layer; the default stride is the kernel size.
  public init(
    _ kernel: Size2d, stride: Size2d? = nil, padding: Size2d = 0, dilation: Size2d = 1,
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
    x.maxPool2d(
      kernel: kernel, stride: stride, padding: padding, dilation: dilation, ceilMode: ceilMode)
  }
}

/// The mean of each window.
public struct AvgPool2d: Layer {
  /// The size of a window.
  public let kernel: Size2d
  /// The stride of the windows.
  public let stride: Size2d
  /// The padding around the images.
  public let padding: Size2d
  /// Whether the last window may extend beyond the end.
  public let ceilMode: Bool
  /// Whether the padding counts as zeros; if not, it does not count.
  public let countIncludePad: Bool

  /// A pooling layer; the default stride is the kernel size.
  public init(
    _ kernel: Size2d, stride: Size2d? = nil, padding: Size2d = 0, ceilMode: Bool = false,
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
    x.avgPool2d(
      kernel: kernel, stride: stride, padding: padding, ceilMode: ceilMode,
      countIncludePad: countIncludePad)
  }
}

/// The means of a grid of windows that cover images of any size.
public struct AdaptiveAvgPool2d: Layer {
  /// The size of the output.
  public let size: Size2d

  /// A pooling layer with outputs of the given size.
  public init(_ size: Size2d) { self.size = size }

  /// Applies the layer.
  public func callAsFunction(_ x: Tensor) -> Tensor { x.adaptiveAvgPool2d(size) }
}

/// The largest elements of a grid of windows that cover images of any size.
public struct AdaptiveMaxPool2d: Layer {
  /// The size of the output.
  public let size: Size2d

  /// A pooling layer with outputs of the given size.
  public init(_ size: Size2d) { self.size = size }

  /// Applies the layer.
  public func callAsFunction(_ x: Tensor) -> Tensor { x.adaptiveMaxPool2d(size) }
}
