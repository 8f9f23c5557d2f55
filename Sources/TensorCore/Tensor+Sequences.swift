import Foundation

// Tensors of regular sequences of numbers.

extension Tensor {
  /// The numbers `start`, `start + step`, … before `end`.
  ///
  ///     Tensor.arange(from: 2, to: 10, by: 2)       // 2, 4, 6, 8
  public static func arange(
    from start: Double, to end: Double, by step: Double = 1, _ dataType: DataType = .float32
  ) -> Tensor {
    require(
      step != 0 && (end - start) * step >= 0 && (end - start).isFinite,
      "arange: from \(start) to \(end) by \(step)")
    let count = Int(((end - start) / step).rounded(.up))
    let values = (0..<count).map { start + Double($0) * step }
    return withoutGrad { Tensor(values).converted(to: dataType) }
  }

  /// `count` numbers at equal distances from `start` to `end`, both included.
  public static func linspace(
    from start: Double, to end: Double, count: Int, _ dataType: DataType = .float32
  ) -> Tensor {
    require(count >= 0, "linspace: \(count) numbers")
    return withoutGrad { Tensor(spaced(start, end, count)).converted(to: dataType) }
  }

  /// `count` powers of `base` whose exponents are at equal distances from `start` to `end`, both
  /// included.
  public static func logspace(
    from start: Double, to end: Double, count: Int, base: Double = 10,
    _ dataType: DataType = .float32
  ) -> Tensor {
    require(count >= 0, "logspace: \(count) numbers")
    let values = spaced(start, end, count).map { Foundation.pow(base, $0) }
    return withoutGrad { Tensor(values).converted(to: dataType) }
  }

  /// From the nearer end, so that both are exact and the numbers symmetric, as in PyTorch.
  private static func spaced(_ start: Double, _ end: Double, _ count: Int) -> [Double] {
    let step = count > 1 ? (end - start) / Double(count - 1) : 0
    return (0..<count).map { index in
      index < (count + 1) / 2
        ? start + step * Double(index) : end - step * Double(count - 1 - index)
    }
  }

  /// A tensor of zeros of the shape and type of `other`.
  public static func zeros(like other: Tensor) -> Tensor { zeros(other.shape, other.dataType) }
  /// A tensor of ones of the shape and type of `other`.
  public static func ones(like other: Tensor) -> Tensor { ones(other.shape, other.dataType) }
  /// A tensor of the shape and type of `other` with every element equal to `value`.
  public static func full(like other: Tensor, _ value: Double) -> Tensor {
    full(other.shape, value, other.dataType)
  }
}

/// Which axis of a grid belongs to the first of its coordinates.
public enum GridIndexing: Sendable {
  /// Rows: the first coordinate along axis 0, as matrices are indexed.
  case ij
  /// Columns: the first coordinate along axis 1, as graphs are drawn.
  case xy
}
