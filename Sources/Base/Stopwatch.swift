/// Measures the seconds between calls.
package struct Stopwatch {
  private var last = ContinuousClock.now

  /// Starts to measure.
  package init() {}

  /// The seconds since the last call, or since the start.
  package mutating func lap() -> Double {
    let now = ContinuousClock.now
    defer { last = now }
    return (now - last) / .seconds(1)
  }

  /// The seconds since the last call of `lap()`, or since the start.
  package var elapsed: Double { (ContinuousClock.now - last) / .seconds(1) }
}
