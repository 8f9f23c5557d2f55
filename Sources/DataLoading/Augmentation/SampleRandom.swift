import Foundation

/// Random numbers of one sample in one epoch, the same on any number of ranks and threads.
struct SampleRandom {
  /// What the numbers are for; each purpose has its own.
  enum Purpose: UInt64 {
    case crop = 1
    case flip, color, mixing
  }

  private let key: UInt64
  private var drawn: UInt64 = 0

  init(seed: UInt64, epoch: Int, sample: Int, _ purpose: Purpose) {
    let stream = mixed(mixed(seed) ^ purpose.rawValue << 56)
    key = mixed(mixed(stream ^ UInt64(epoch)) ^ UInt64(sample))
  }

  private mutating func word() -> UInt64 {
    defer { drawn += 1 }
    return mixed(key &+ drawn &* 0x9E37_79B9_7F4A_7C15)
  }

  /// A number of 0..<1.
  mutating func uniform() -> Double { Double(word() >> 11) * 0x1p-53 }

  /// A number of `range`.
  mutating func uniform(_ range: ClosedRange<Double>) -> Double {
    range.lowerBound + uniform() * (range.upperBound - range.lowerBound)
  }

  /// An integer of `0..<bound`.
  mutating func integer(below bound: Int) -> Int {
    Int(word().multipliedFullWidth(by: UInt64(bound)).high)
  }

  /// A permutation of `0..<count`.
  mutating func permutation(_ count: Int) -> [Int] {
    var order = Array(0..<count)
    for i in stride(from: count - 1, through: 1, by: -1) { order.swapAt(i, integer(below: i + 1)) }
    return order
  }

  /// A number of the distribution Beta(alpha, alpha).
  mutating func beta(_ alpha: Double) -> Double {
    let (x, y) = (gamma(alpha), gamma(alpha))
    return x + y > 0 ? x / (x + y) : 0.5
  }

  /// A number of the distribution Gamma(shape, 1): Marsaglia and Tsang, "A simple method for generating
  /// gamma variables", 2000; for a shape below 1 with their factor U^(1 / shape).
  private mutating func gamma(_ shape: Double) -> Double {
    if shape < 1 { return gamma(shape + 1) * pow(1 - uniform(), 1 / shape) }
    let d = shape - 1.0 / 3
    let c = 1 / (9 * d).squareRoot()
    while true {
      let x = (-2 * log(1 - uniform())).squareRoot() * cos(2 * .pi * uniform())
      let v = pow(1 + c * x, 3)
      if v > 0, log(1 - uniform()) < x * x / 2 + d - d * v + d * log(v) { return d * v }
    }
  }
}
