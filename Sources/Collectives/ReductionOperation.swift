/// How the values of several ranks become one value.
public enum ReductionOperation: Sendable, CaseIterable {
  /// The sum over the ranks.
  case sum
  /// The largest value; NaN if any rank has NaN.
  case max
  /// The smallest value; NaN if any rank has NaN.
  case min
}

extension ReductionOperation {
  /// Combines each element of `destination` with that of `source`.
  package func accumulate<Scalar: BinaryFloatingPoint>(
    _ source: UnsafePointer<Scalar>, into destination: UnsafeMutablePointer<Scalar>, count: Int
  ) {
    switch self {
    case .sum: for i in 0..<count { destination[i] += source[i] }
    case .max: for i in 0..<count { destination[i] = larger(destination[i], source[i]) }
    case .min: for i in 0..<count { destination[i] = -larger(-destination[i], -source[i]) }
    }
  }

  /// The larger of two values, whatever their order.
  ///
  /// With C's and MPI's maximum the order matters for NaN and for zeros of different sign, so ranks
  /// could get different results.
  private func larger<Scalar: BinaryFloatingPoint>(_ a: Scalar, _ b: Scalar) -> Scalar {
    if a.isNaN || b.isNaN { return .nan }
    if a == b { return a.sign == .minus ? b : a }
    return a > b ? a : b
  }
}
