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

  /// How much faster than all others an algorithm with a drawback must be.
  private static let gainForDrawback = 0.9

  /// An algorithm that was named.
  init(_ algorithm: InterNodeAllReduce) {
    (self.algorithm, timings, bytes) = (algorithm, [], 0)
  }

  /// The fastest algorithm of at least one.
  package init(timings: [Timing], bytes: Int) {
    self.timings = timings.sorted { $0.seconds < $1.seconds }
    self.bytes = bytes
    let fastest = self.timings[0]
    let other = self.timings.first { $0.algorithm.drawback == nil } ?? fastest
    let isWorthIt = fastest.seconds < AllReduceChoice.gainForDrawback * other.seconds
    algorithm = isWorthIt ? fastest.algorithm : other.algorithm
  }

  /// The name, and what was timed: `ring, 4.1 ms for 0.5 MB (direct 4.4, mpi 9.1)`.
  public var description: String {
    guard let chosen = timings.first(where: { $0.algorithm.name == algorithm.name }) else {
      return algorithm.name
    }
    let others = timings.filter { $0.algorithm.name != algorithm.name }.map { timing in
      let reason = timing.seconds < chosen.seconds ? timing.algorithm.drawback : nil
      return "\(timing.algorithm.name) \(milliseconds(timing.seconds))"
        + (reason.map { ", which \($0)" } ?? "")
    }
    return "\(algorithm.name), \(milliseconds(chosen.seconds)) ms for "
      + "\(text(Double(bytes) / 1e6, digits: 2)) MB"
      + (others.isEmpty ? "" : " (\(others.joined(separator: ", ")))")
  }
}

extension InterNodeAllReduce {
  /// What speaks against an algorithm that is hardly faster than others.
  ///
  /// Those that add pairwise give a power of two of nodes the same bits, whichever of them is taken.
  fileprivate var drawback: String? {
    blocks ? "takes a core while it waits" : addsPairwise ? nil : "adds in another order"
  }
}

private func milliseconds(_ seconds: Double) -> String {
  text(seconds * 1e3, digits: seconds < 1e-3 ? 3 : seconds < 1e-1 ? 1 : 0)
}

/// A number with at most so many digits after the point.
private func text(_ value: Double, digits: Int) -> String {
  let scale = (0..<digits).reduce(1.0) { scale, _ in scale * 10 }
  let rounded = (value * scale).rounded() / scale
  return digits == 0 ? "\(Int(rounded))" : "\(rounded)"
}
