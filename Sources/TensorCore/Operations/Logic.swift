// Logical functions of elements, named as those of Swift's SIMD masks. Numbers are true when they are
// not 0. None is differentiable.

extension Tensor {
  /// Whether the elements differ, as bool.
  public static func .!= (a: Tensor, b: Tensor) -> Tensor { .!(a .== b) }
  /// Whether x differs from c, as bool.
  public static func .!= (x: Tensor, c: Double) -> Tensor { .!(x .== c) }
  /// Whether x differs from c, as bool.
  public static func .!= (x: Tensor, c: Float) -> Tensor { .!(x .== c) }
  /// Whether x differs from c, as bool.
  public static func .!= (x: Tensor, c: Int) -> Tensor { .!(x .== c) }

  /// Whether both elements are true, PyTorch's `logical_and` (and `&` of masks).
  public static func .& (a: Tensor, b: Tensor) -> Tensor {
    withoutGrad { a.converted(to: .bool) * b.converted(to: .bool) }
  }

  /// Whether one of both elements is true, PyTorch's `logical_or` (and `|` of masks).
  public static func .| (a: Tensor, b: Tensor) -> Tensor {
    withoutGrad { a.converted(to: .bool) + b.converted(to: .bool) }
  }

  /// Whether exactly one of both elements is true, PyTorch's `logical_xor` (and `^` of masks).
  public static func .^ (a: Tensor, b: Tensor) -> Tensor {
    withoutGrad { .!(a.converted(to: .bool) .== b.converted(to: .bool)) }
  }

  /// Whether an element is false, PyTorch's `logical_not` (and `~` of masks).
  public static prefix func .! (x: Tensor) -> Tensor {
    withoutGrad { x.converted(to: .bool) .== Tensor.full([], 0, .bool) }
  }
}
