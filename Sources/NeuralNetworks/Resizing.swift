public import TensorCore

/// Resizes signals `[N, C, L]`, images `[N, C, H, W]` or volumes `[N, C, D, H, W]`, PyTorch's
/// `Upsample`.
public struct Upsample: Layer {
  /// How the size is given.
  private enum Target {
    case size([Int])
    case scale([Double])
    case factor(Double)
  }

  private let target: Target
  private let mode: InterpolationMode
  private let alignCorners: Bool

  /// A layer that resizes to `size`, the sizes of the last axes.
  public init(size: [Int], mode: InterpolationMode = .nearest, alignCorners: Bool = false) {
    (target, self.mode, self.alignCorners) = (.size(size), mode, alignCorners)
  }

  /// A layer that resizes by a factor for each of the last axes.
  public init(scale: [Double], mode: InterpolationMode = .nearest, alignCorners: Bool = false) {
    (target, self.mode, self.alignCorners) = (.scale(scale), mode, alignCorners)
  }

  /// A layer that resizes by a factor.
  public init(scale: Double, mode: InterpolationMode = .nearest, alignCorners: Bool = false) {
    (target, self.mode, self.alignCorners) = (.factor(scale), mode, alignCorners)
  }

  /// Applies the layer.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    switch target {
    case .size(let size): x.interpolated(size: size, mode: mode, alignCorners: alignCorners)
    case .scale(let scale): x.interpolated(scale: scale, mode: mode, alignCorners: alignCorners)
    case .factor(let scale): x.interpolated(scale: scale, mode: mode, alignCorners: alignCorners)
    }
  }
}

/// Padding around the last axes: `ZeroPad2d`, `ReflectionPad1d`, `CircularPad3d` and so on in PyTorch.
public struct Padding: Layer {
  private let padding: [Int]
  private let mode: PaddingMode
  private let value: Double

  /// A layer that pads by `[left, right, top, bottom, …]`, the last axis first; see `Tensor.padded`.
  public init(_ padding: [Int], mode: PaddingMode = .constant, value: Double = 0) {
    (self.padding, self.mode, self.value) = (padding, mode, value)
  }

  /// Applies the layer.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    x.padded(padding, mode: mode, value: value)
  }
}
