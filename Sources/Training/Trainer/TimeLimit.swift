/// The time that a training may take: it stops early enough to save a checkpoint.
///
/// The time needed for that is measured: the longest step so far, with evaluation where there was one,
/// and one and a half times the longest checkpoint.
public struct TimeLimit {
  /// The seconds reserved for a checkpoint before one was measured, at most.
  private static let unmeasuredCheckpoint = 10.0
  /// The seconds reserved besides.
  private static let spare = 1.0

  /// The time that the training may take, in seconds.
  public let seconds: Double
  /// The most steps from a request to stop to the checkpoint: more than one with `localSteps`.
  public var stepsToCheckpoint = 1
  private let start: ContinuousClock.Instant
  private var lastCall: Double?
  private var longestStep = 0.0
  private var longestCheckpoint: Double?

  /// A limit that is counted from an instant.
  public init(seconds: Double, from start: ContinuousClock.Instant = .now) {
    (self.seconds, self.start) = (seconds, start)
  }

  /// Reads `HH:MM:SS`, `MM:SS` or seconds; nil if the text is none of them, or zero.
  public init?(_ text: String, from start: ContinuousClock.Instant = .now) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    let numbers = parts.compactMap { $0.count <= 6 && $0.allSatisfy(\.isNumber) ? Int($0) : nil }
    guard (1...3).contains(parts.count), numbers.count == parts.count,
      numbers.dropFirst().allSatisfy({ $0 < 60 })
    else { return nil }
    let seconds = numbers.reduce(0) { 60 * $0 + $1 }
    guard seconds > 0 else { return nil }
    self.init(seconds: Double(seconds), from: start)
  }

  /// Notes how long a checkpoint took.
  public mutating func record(checkpointSeconds seconds: Double) {
    longestCheckpoint = max(longestCheckpoint ?? 0, seconds)
  }

  /// Whether one more step would leave too little time for a checkpoint; call it once a step.
  public mutating func isReached() -> Bool {
    isReached(after: (.now - start) / .seconds(1))
  }

  /// The same, some seconds after the start.
  package mutating func isReached(after elapsed: Double) -> Bool {
    if let lastCall { longestStep = max(longestStep, elapsed - lastCall) }
    lastCall = elapsed
    // A request to stop ends the training after the step that follows, or the outer step.
    let checkpoint = longestCheckpoint ?? min(TimeLimit.unmeasuredCheckpoint, seconds / 10)
    return elapsed + Double(stepsToCheckpoint) * longestStep + 1.5 * checkpoint
      + min(TimeLimit.spare, seconds / 10) >= seconds
  }
}
