// Arithmetic and comparisons with numbers. A number takes the type of the tensor, as in PyTorch; beside
// integers, one with a fraction makes the result float32.

extension Tensor {
  /// x + c, elementwise.
  public static func + (x: Tensor, c: Double) -> Tensor { x + x.scalar(c) }
  /// c + x, elementwise.
  public static func + (c: Double, x: Tensor) -> Tensor { x.scalar(c) + x }
  /// x + c, elementwise.
  @_disfavoredOverload
  public static func + (x: Tensor, c: Float) -> Tensor { x + x.scalar(Double(c)) }
  /// c + x, elementwise.
  @_disfavoredOverload
  public static func + (c: Float, x: Tensor) -> Tensor { x.scalar(Double(c)) + x }
  /// x + c, elementwise.
  public static func + (x: Tensor, c: Int) -> Tensor { x + x.scalar(c) }
  /// c + x, elementwise.
  public static func + (c: Int, x: Tensor) -> Tensor { x.scalar(c) + x }

  /// x - c, elementwise.
  public static func - (x: Tensor, c: Double) -> Tensor { x - x.scalar(c) }
  /// c - x, elementwise.
  public static func - (c: Double, x: Tensor) -> Tensor { x.scalar(c) - x }
  /// x - c, elementwise.
  @_disfavoredOverload
  public static func - (x: Tensor, c: Float) -> Tensor { x - x.scalar(Double(c)) }
  /// c - x, elementwise.
  @_disfavoredOverload
  public static func - (c: Float, x: Tensor) -> Tensor { x.scalar(Double(c)) - x }
  /// x - c, elementwise.
  public static func - (x: Tensor, c: Int) -> Tensor { x - x.scalar(c) }
  /// c - x, elementwise.
  public static func - (c: Int, x: Tensor) -> Tensor { x.scalar(c) - x }

  /// x * c, elementwise.
  public static func * (x: Tensor, c: Double) -> Tensor { x * x.scalar(c) }
  /// c * x, elementwise.
  public static func * (c: Double, x: Tensor) -> Tensor { x.scalar(c) * x }
  /// x * c, elementwise.
  @_disfavoredOverload
  public static func * (x: Tensor, c: Float) -> Tensor { x * x.scalar(Double(c)) }
  /// c * x, elementwise.
  @_disfavoredOverload
  public static func * (c: Float, x: Tensor) -> Tensor { x.scalar(Double(c)) * x }
  /// x * c, elementwise.
  public static func * (x: Tensor, c: Int) -> Tensor { x * x.scalar(c) }
  /// c * x, elementwise.
  public static func * (c: Int, x: Tensor) -> Tensor { x.scalar(c) * x }

  /// x / c, elementwise.
  public static func / (x: Tensor, c: Double) -> Tensor { x / x.scalar(c) }
  /// c / x, elementwise.
  public static func / (c: Double, x: Tensor) -> Tensor { x.scalar(c) / x }
  /// x / c, elementwise.
  @_disfavoredOverload
  public static func / (x: Tensor, c: Float) -> Tensor { x / x.scalar(Double(c)) }
  /// c / x, elementwise.
  @_disfavoredOverload
  public static func / (c: Float, x: Tensor) -> Tensor { x.scalar(Double(c)) / x }
  /// x / c, elementwise.
  public static func / (x: Tensor, c: Int) -> Tensor { x / x.scalar(c) }
  /// c / x, elementwise.
  public static func / (c: Int, x: Tensor) -> Tensor { x.scalar(c) / x }

  /// Whether x = c, as bool.
  public static func .== (x: Tensor, c: Double) -> Tensor { x .== x.scalar(c) }
  /// Whether x = c, as bool.
  @_disfavoredOverload
  public static func .== (x: Tensor, c: Float) -> Tensor { x .== x.scalar(Double(c)) }
  /// Whether x = c, as bool.
  public static func .== (x: Tensor, c: Int) -> Tensor { x .== x.scalar(c) }
  /// Whether x < c, as bool.
  public static func .< (x: Tensor, c: Double) -> Tensor { x .< x.scalar(c) }
  /// Whether x < c, as bool.
  @_disfavoredOverload
  public static func .< (x: Tensor, c: Float) -> Tensor { x .< x.scalar(Double(c)) }
  /// Whether x < c, as bool.
  public static func .< (x: Tensor, c: Int) -> Tensor { x .< x.scalar(c) }
  /// Whether x <= c, as bool.
  public static func .<= (x: Tensor, c: Double) -> Tensor { x .<= x.scalar(c) }
  /// Whether x <= c, as bool.
  @_disfavoredOverload
  public static func .<= (x: Tensor, c: Float) -> Tensor { x .<= x.scalar(Double(c)) }
  /// Whether x <= c, as bool.
  public static func .<= (x: Tensor, c: Int) -> Tensor { x .<= x.scalar(c) }
  /// Whether x > c, as bool.
  public static func .> (x: Tensor, c: Double) -> Tensor { x .> x.scalar(c) }
  /// Whether x > c, as bool.
  @_disfavoredOverload
  public static func .> (x: Tensor, c: Float) -> Tensor { x .> x.scalar(Double(c)) }
  /// Whether x > c, as bool.
  public static func .> (x: Tensor, c: Int) -> Tensor { x .> x.scalar(c) }
  /// Whether x >= c, as bool.
  public static func .>= (x: Tensor, c: Double) -> Tensor { x .>= x.scalar(c) }
  /// Whether x >= c, as bool.
  @_disfavoredOverload
  public static func .>= (x: Tensor, c: Float) -> Tensor { x .>= x.scalar(Double(c)) }
  /// Whether x >= c, as bool.
  public static func .>= (x: Tensor, c: Int) -> Tensor { x .>= x.scalar(c) }

  /// The elements of `a` where `condition` holds, else a constant.
  public static func `where`(_ condition: Tensor, _ a: Tensor, _ b: Double) -> Tensor {
    .where(condition, a, a.scalar(b))
  }
  /// The elements of `a` where `condition` holds, else a constant.
  public static func `where`(_ condition: Tensor, _ a: Tensor, _ b: Int) -> Tensor {
    .where(condition, a, a.scalar(b))
  }

  /// A constant where `condition` holds, else the elements of `b`.
  public static func `where`(_ condition: Tensor, _ a: Double, _ b: Tensor) -> Tensor {
    .where(condition, b.scalar(a), b)
  }
  /// A constant where `condition` holds, else the elements of `b`.
  public static func `where`(_ condition: Tensor, _ a: Int, _ b: Tensor) -> Tensor {
    .where(condition, b.scalar(a), b)
  }
}
