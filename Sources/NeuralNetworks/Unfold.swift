public import TensorCore

/// The windows of images as columns: `[N, C, H, W]` become `[N, C · KH · KW, windows]`.
public struct Unfold: Layer {
  /// The size of a window.
  public let kernel: Size2d
  /// The stride of the windows.
  public let stride: Size2d
  /// The zeros added around the images.
  public let padding: Size2d
  /// The distance between the elements of a window.
  public let dilation: Size2d

  /// A layer with the windows of `Conv2d`.
  public init(kernel: Size2d, stride: Size2d = 1, padding: Size2d = 0, dilation: Size2d = 1) {
    (self.kernel, self.stride, self.padding, self.dilation) = (kernel, stride, padding, dilation)
  }

  /// Applies the layer.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    x.unfolded(kernel: kernel, stride: stride, padding: padding, dilation: dilation)
  }
}

/// Images from columns, with overlapping windows summed: `[N, C · KH · KW, windows]` become `[N, C, H, W]`.
public struct Fold: Layer {
  /// The size of the images.
  public let size: Size2d
  /// The size of a window.
  public let kernel: Size2d
  /// The stride of the windows.
  public let stride: Size2d
  /// The zeros that were added around the images.
  public let padding: Size2d
  /// The distance between the elements of a window.
  public let dilation: Size2d

  /// A layer whose output has the height and width `size`.
  public init(
    _ size: Size2d, kernel: Size2d, stride: Size2d = 1, padding: Size2d = 0, dilation: Size2d = 1
  ) {
    self.size = size
    (self.kernel, self.stride, self.padding, self.dilation) = (kernel, stride, padding, dilation)
  }

  /// Applies the layer.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    x.folded(to: size, kernel: kernel, stride: stride, padding: padding, dilation: dilation)
  }
}
