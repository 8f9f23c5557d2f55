import Foundation
import Synchronization

/// What this process waits for and what its other threads do, as spans of time, while it is recorded.
///
/// Ranks that are threads of one process, as in tests, share it.
package enum Timeline {
  /// A thread as a trace shows it.
  package enum Lane: Int, CaseIterable, Sendable {
    /// The thread that computes, and waits.
    case compute
    /// All-reduces between nodes, which this rank's own thread or the progress thread advances.
    case betweenNodes
    /// The thread that prepares batches.
    case dataLoader
    /// The thread that copies and writes a checkpoint in the background.
    case checkpoint

    /// The name of the lane.
    package var name: String {
      switch self {
      case .compute: "compute"
      case .betweenNodes: "all-reduces between nodes"
      case .dataLoader: "data loader"
      case .checkpoint: "checkpoint"
      }
    }
  }

  /// Something that took time.
  package struct Span: Equatable, Sendable {
    /// What it was.
    package let name: String
    /// Where it happened.
    package let lane: Lane
    /// Nanoseconds of the clock CLOCK_MONOTONIC.
    package let start: UInt64, end: UInt64

    package init(name: String, lane: Lane, start: UInt64, end: UInt64) {
      (self.name, self.lane, self.start, self.end) = (name, lane, start, end)
    }
  }

  private static let isRecording = Atomic(false)
  private static let spans = Mutex<[Span]>([])

  /// The nanoseconds of the clock CLOCK_MONOTONIC, which is the same for all processes of a computer.
  package static var now: UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }

  /// Starts to record.
  package static func start() {
    spans.withLock { $0 = [] }
    isRecording.store(true, ordering: .relaxed)
  }

  /// Stops to record; returns the spans that have ended, those of one lane in the order of their ends.
  package static func stop() -> [Span] {
    isRecording.store(false, ordering: .relaxed)
    return spans.withLock { spans in
      defer { spans = [] }
      return spans
    }
  }

  /// Adds a span, if spans are recorded.
  package static func add(
    _ name: @autoclosure () -> String, _ lane: Lane, from start: UInt64, to end: UInt64
  ) {
    guard isRecording.load(ordering: .relaxed) else { return }
    let span = Span(name: name(), lane: lane, start: start, end: end)
    spans.withLock { $0.append(span) }
  }

  /// Runs `body`, and adds its span if spans are recorded.
  @inline(__always)
  package static func span<Value>(
    _ name: @autoclosure () -> String, _ lane: Lane, _ body: () throws -> Value
  ) rethrows -> Value {
    guard isRecording.load(ordering: .relaxed) else { return try body() }
    let start = now
    defer { add(name(), lane, from: start, to: now) }
    return try body()
  }
}
