import Synchronization

/// What this process is doing: a few atomic numbers that its threads write and the watchdog reads.
///
/// A rank is a process. Ranks that are threads of one process, as in tests, share these numbers.
package enum Activity {
  /// A part of a run.
  package enum Phase: Int, Sendable, CaseIterable {
    /// Nothing that needs the other ranks: they may end at another time.
    case idle
    case starting, openingData, trainingStep, evaluation, checkpoint, audit, ending

    /// The phase as messages name it.
    package var name: String {
      switch self {
      case .idle: "between steps"
      case .starting: "start"
      case .openingData: "opening the data"
      case .trainingStep: "training step"
      case .evaluation: "evaluation"
      case .checkpoint: "checkpoint"
      case .audit: "comparison of the weights"
      case .ending: "end"
      }
    }
  }

  /// What a rank waits for.
  package enum Wait: Int, Sendable, CaseIterable {
    case nothing
    case allReduce, broadcast, allGather, barrier, nodeBarrier, finalize
    /// The sums of a bucket of gradients from the other nodes.
    case gradients
    /// The next batch of this rank's own data loader.
    case data

    /// What is waited for, as messages name it.
    package var name: String {
      switch self {
      case .nothing: "nothing"
      case .allReduce: "all-reduce"
      case .broadcast: "broadcast"
      case .allGather: "all-gather"
      case .barrier: "barrier"
      case .nodeBarrier: "barrier of the node"
      case .finalize: "MPI_Finalize"
      case .gradients: "all-reduce of gradients between nodes, bucket"
      case .data: "next batch of its data loader"
      }
    }

    /// Whether all ranks of a node make the same calls of this kind, in the same order.
    package var isCollective: Bool { self != .nothing && self != .gradients && self != .data }
  }

  /// The numbers at one moment.
  package struct Snapshot: Equatable, Sendable {
    /// Grows with everything that is done.
    package var events = 0
    package var phase = Phase.idle
    /// The step of the phase, counted from 1; 0 before the first.
    package var step = 0
    package var wait = Wait.nothing
    /// The number of the bucket, for gradients.
    package var bucket = 0
    /// The number of collective calls begun.
    package var calls = 0

    package init() {}
  }

  private static let events = Atomic(0)
  private static let currentPhase = Atomic(0)
  private static let currentStep = Atomic(0)
  private static let currentWait = Atomic(0)
  private static let currentBucket = Atomic(0)
  private static let calls = Atomic(0)

  /// What this process is doing now.
  package static var snapshot: Snapshot {
    var snapshot = Snapshot()
    snapshot.events = events.load(ordering: .relaxed)
    snapshot.phase = phase
    snapshot.step = currentStep.load(ordering: .relaxed)
    snapshot.wait = Wait(rawValue: currentWait.load(ordering: .relaxed))!
    snapshot.bucket = currentBucket.load(ordering: .relaxed)
    snapshot.calls = calls.load(ordering: .relaxed)
    return snapshot
  }

  /// The current phase.
  package static var phase: Phase { Phase(rawValue: currentPhase.load(ordering: .relaxed))! }

  /// Begins a phase, and with a number a step.
  package static func begin(_ phase: Phase, step: Int? = nil) {
    currentPhase.store(phase.rawValue, ordering: .relaxed)
    if let step { currentStep.store(step, ordering: .relaxed) }
    advance()
  }

  /// Runs `body` in a phase; the phase before it continues afterwards.
  package static func during<Value>(
    _ phase: Phase, step: Int? = nil, _ body: () throws -> Value
  ) rethrows -> Value {
    let before = self.phase
    begin(phase, step: step)
    defer { begin(before) }
    return try body()
  }

  /// Notes that something was done, so that the watchdog does not take this process for stalled.
  package static func advance() { events.add(1, ordering: .relaxed) }

  /// Runs `body`, which waits for other ranks or threads.
  package static func waiting<Value>(
    for wait: Wait, bucket: Int = 0, _ body: () throws -> Value
  ) rethrows -> Value {
    let before = currentWait.load(ordering: .relaxed)
    if wait.isCollective { calls.add(1, ordering: .relaxed) }
    currentBucket.store(bucket, ordering: .relaxed)
    currentWait.store(wait.rawValue, ordering: .relaxed)
    advance()
    defer {
      currentWait.store(before, ordering: .relaxed)
      advance()
    }
    return try Timeline.span(
      "wait: \(wait.name)" + (wait == .gradients ? " \(bucket)" : ""), .compute, body)
  }
}
