public import Collectives

/// The algorithm of a run's all-reduces between nodes, and why it was chosen.
public struct AllReduceChoice: Sendable, CustomStringConvertible {
  /// What an algorithm took at the start of the run.
  public struct Timing: Sendable {
    /// The algorithm.
    public let algorithm: InterNodeAllReduce
    /// The seconds for one buffer, on the rank that took longest.
    public let seconds: Double

    package init(algorithm: InterNodeAllReduce, seconds: Double) {
      (self.algorithm, self.seconds) = (algorithm, seconds)
    }
  }

  /// The algorithm.
  public let algorithm: InterNodeAllReduce
  /// What was timed, the fastest first; empty if the algorithm was named.
  public let timings: [Timing]
  /// The bytes of the buffers that were timed.
  public let bytes: Int

  /// An algorithm that was named.
  init(_ algorithm: InterNodeAllReduce) {
    (self.algorithm, timings, bytes) = (algorithm, [], 0)
  }

  /// The fastest algorithm of at least one.
  package init(timings: [Timing], bytes: Int) {
    self.timings = timings.sorted { $0.seconds < $1.seconds }
    self.bytes = bytes
    algorithm = self.timings[0].algorithm
  }

  /// The name, and what was timed: `direct, 4.1 ms for 0.5 MB (recursive-multiplying 4.4)`.
  public var description: String {
    guard let chosen = timings.first else { return algorithm.name }
    let others = timings.dropFirst().map { "\($0.algorithm.name) \(milliseconds($0.seconds))" }
    return "\(algorithm.name), \(milliseconds(chosen.seconds)) ms for "
      + "\(text(Double(bytes) / 1e6, digits: 2)) MB"
      + (others.isEmpty ? "" : " (\(others.joined(separator: ", ")))")
  }
}

private func milliseconds(_ seconds: Double) -> String {
  text(seconds * 1e3, digits: seconds < 1e-3 ? 3 : seconds < 1e-1 ? 1 : 0)
}

/// A number with at most `digits` digits after the point.
private func text(_ value: Double, digits: Int) -> String {
  let scale = (0..<digits).reduce(1.0) { scale, _ in scale * 10 }
  let rounded = (value * scale).rounded() / scale
  return digits == 0 ? "\(Int(rounded))" : "\(rounded)"
}
