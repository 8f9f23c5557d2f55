/// How a measured rate grows with the number of ranks, as a share of the work that only one rank can do at a
/// time.
package struct ScalingLaw: Equatable, Sendable {
  /// Whether the ranks share one batch: Amdahl's law.
  ///
  /// Otherwise each has its own: Gustafson's.
  package let isStrong: Bool
  /// The serial share of the work of one rank, from 0 to 1.
  package let serialFraction: Double
  /// The rate of one rank.
  package let rateOfOne: Double

  /// Fits the law to rates by least squares of their relative errors; nil with fewer than three numbers of
  /// ranks, through two of which any law goes.
  ///
  /// Amdahl: 1 / rate = (s + (1 - s) / n) / r. Gustafson: rate = r (s + (1 - s) n). Both are lines, a + b x.
  package init?(_ points: [(ranks: Int, rate: Double)], isStrong: Bool) {
    guard Set(points.map(\.ranks)).count >= 3 else { return nil }
    // Relative errors: a u + b v is to be 1.
    let terms = points.map { point -> (u: Double, v: Double) in
      let n = Double(point.ranks)
      return isStrong ? (point.rate, point.rate / n) : (1 / point.rate, n / point.rate)
    }
    func sum(_ term: ((u: Double, v: Double)) -> Double) -> Double {
      terms.reduce(0) { $0 + term($1) }
    }
    let (uu, uv, vv) = (sum { $0.u * $0.u }, sum { $0.u * $0.v }, sum { $0.v * $0.v })
    let (u, v) = (sum(\.u), sum(\.v))
    let determinant = uu * vv - uv * uv
    guard determinant > 0 else { return nil }
    var (a, b) = ((u * vv - v * uv) / determinant, (v * uu - u * uv) / determinant)
    // A share is neither negative, as where caches make more ranks faster than their number, nor above 1.
    if a < 0 { (a, b) = (0, v / vv) }
    if b < 0 { (a, b) = (u / uu, 0) }
    self.isStrong = isStrong
    serialFraction = a / (a + b)
    rateOfOne = isStrong ? 1 / (a + b) : a + b
  }

  /// The rate of a number of ranks by this law.
  package func rate(_ ranks: Double) -> Double {
    isStrong
      ? rateOfOne / (serialFraction + (1 - serialFraction) / ranks)
      : rateOfOne * (serialFraction + (1 - serialFraction) * ranks)
  }
}

extension ScalingLaw: CustomStringConvertible {
  /// Such as `Amdahl's law fits a serial fraction of 2.5 %: at most 40 times as fast as one rank`.
  package var description: String {
    let percent = (serialFraction * 1000).rounded() / 10
    let name = isStrong ? "Amdahl" : "Gustafson"
    return "\(name)'s law fits a serial fraction of \(percent) %"
      + (isStrong && percent > 0
        ? ": at most \(Int((1 / serialFraction).rounded())) times as fast as one rank" : "")
  }
}
