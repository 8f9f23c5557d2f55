/// How many of some numbers lie in each of several intervals of one width.
package struct Histogram: Equatable {
  /// The smallest number.
  package private(set) var smallest = 0.0
  /// The largest number.
  package private(set) var largest = 0.0
  /// The sum of the numbers.
  package private(set) var sum = 0.0
  /// The sum of their squares.
  package private(set) var squareSum = 0.0
  /// The upper end of each interval.
  package private(set) var limits: [Double] = []
  /// How many numbers each interval has.
  package private(set) var counts: [Double] = []

  /// Sorts numbers into intervals, without those that are not finite; nil if none is left.
  package init?(_ numbers: UnsafeBufferPointer<Float>, intervals: Int = 64) {
    var (low, high) = (Float.infinity, -Float.infinity)
    for number in numbers where number.isFinite {
      low = min(low, number)
      high = max(high, number)
      sum += Double(number)
      squareSum += Double(number) * Double(number)
    }
    guard low <= high else { return nil }
    (smallest, largest) = (Double(low), Double(high))
    let intervals = smallest < largest ? intervals : 1
    let width = (largest - smallest) / Double(intervals)
    limits = (1...intervals).map { $0 == intervals ? largest : smallest + Double($0) * width }
    counts = [Double](repeating: 0, count: intervals)
    let scale = width > 0 ? 1 / width : 0
    for number in numbers where number.isFinite {
      counts[min(Int((Double(number) - smallest) * scale), intervals - 1)] += 1
    }
  }
}
