import Foundation

/// An axis of a chart: from which value to which, and the values that are marked.
package struct Axis: Equatable {
  package let range: ClosedRange<Double>
  package let isLogarithmic: Bool
  package let ticks: [Double]

  /// An axis for values, at ends that are round numbers.
  ///
  /// - Parameters:
  ///   - values: What is shown; only finite values count.
  ///   - logarithmicFrom: The ratio of largest and smallest from which powers of ten are equally far
  ///     apart; only where all are positive.
  ///   - limits: Values that the axis does not leave, such as 0 and 1 of a share.
  ///   - fits: Whether the axis ends at the values, and not at round numbers.
  package init(
    _ values: some Sequence<Double>, logarithmicFrom ratio: Double = .infinity,
    limits: ClosedRange<Double> = -.greatestFiniteMagnitude ... .greatestFiniteMagnitude,
    fits: Bool = false
  ) {
    var (low, high) = (Double.infinity, -Double.infinity)
    for value in values where value.isFinite { (low, high) = (min(low, value), max(high, value)) }
    if low > high { (low, high) = (0, 1) }
    // Beyond this the differences are no numbers.
    (low, high) = (max(low, -1e300), min(high, 1e300))
    if low > 0, high / low >= ratio {
      isLogarithmic = true
      // A value that is nearly zero shall not leave all others without room.
      low = max(low, high * 1e-6)
      range = low * 0.9...high * 1.1
      ticks = Axis.logarithmicTicks(range)
      return
    }
    isLogarithmic = false
    if low == high {
      let margin = low == 0 ? 1 : abs(low) * 0.1
      (low, high) = (low - margin, high + margin)
      (low, high) = (max(low, limits.lowerBound), min(high, limits.upperBound))
      if low >= high { (low, high) = (min(low, high) - margin, max(low, high) + margin) }
    }
    let step = Axis.roundStep((high - low) / 6.5)
    if !fits {
      low = max((low / step).rounded(.down) * step, limits.lowerBound)
      high = min((high / step).rounded(.up) * step, limits.upperBound)
    }
    let first = (low / step - 1e-9).rounded(.up)
    let last = (high / step + 1e-9).rounded(.down)
    let count = last >= first ? Int(min(last - first, 12)) : 0
    ticks = (0...count).map { (first + Double($0)) * step }.map { abs($0) < step * 1e-9 ? 0 : $0 }
    range = low...high
  }

  /// Powers of ten: at most six of them, or also their multiples by 2 and 5 where there are few.
  private static func logarithmicTicks(_ range: ClosedRange<Double>) -> [Double] {
    let powers = Int(log10(range.lowerBound).rounded(.down))...Int(log10(range.upperBound))
    let factors = powers.count > 3 ? [1.0] : [1, 2, 5]
    let stride = max(1, (powers.count + 5) / 6)
    return powers.filter { $0 % stride == 0 }.flatMap { power in
      factors.map { $0 * pow(10, Double(power)) }
    }.filter(range.contains)
  }

  /// The round number, 1, 2 or 5 times a power of ten, that is next above a number.
  private static func roundStep(_ step: Double) -> Double {
    let power = pow(10, log10(step).rounded(.down))
    let factor = [1.0, 2, 5].first { $0 * power >= step * 0.999 } ?? 10
    return factor * power
  }

  /// Where a value lies, 0 at the start of the axis and 1 at its end.
  package func position(_ value: Double) -> Double {
    let place =
      isLogarithmic
      ? (log(max(value, range.lowerBound)) - log(range.lowerBound))
        / (log(range.upperBound) - log(range.lowerBound))
      : (value - range.lowerBound) / (range.upperBound - range.lowerBound)
    return min(max(place, 0), 1)
  }
}
