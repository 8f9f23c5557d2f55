package import Synchronization

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

  /// The numbers in memory, in this order.
  private enum Field: Int, CaseIterable { case events, phase, step, wait, bucket, calls }

  /// The memory of the numbers: atomic integers.
  package typealias Cells = UnsafeMutablePointer<Atomic<Int>>

  /// How many integers the numbers need.
  package static let cellCount = Field.allCases.count

  /// Where this process writes: memory of its own until `move(to:)`.
  // The compiler does not see that the memory holds atomic numbers only.
  private nonisolated(unsafe) static let cells = Atomic<Cells>(
    {
      let cells = Cells.allocate(capacity: cellCount)
      for index in 0..<cellCount { (cells + index).initialize(to: Atomic(0)) }
      return cells
    }())

  private static func cell(_ field: Field) -> Cells {
    cells.load(ordering: .acquiring) + field.rawValue
  }

  private static func load(_ field: Field) -> Int {
    cell(field).pointee.load(ordering: .relaxed)
  }

  private static func store(_ value: Int, _ field: Field) {
    cell(field).pointee.store(value, ordering: .relaxed)
  }

  /// Moves the numbers to memory that other processes see, so that they read what this one does even
  /// after it was stopped.
  ///
  /// The memory must stay until the process ends.
  package static func move(to target: Cells) {
    copy(to: target)
    cells.store(target, ordering: .releasing)
  }

  /// Copies the numbers, unless they are there.
  package static func copy(to target: Cells) {
    let source = cells.load(ordering: .acquiring)
    guard source != target else { return }
    for index in 0..<cellCount {
      (target + index).pointee.store(
        (source + index).pointee.load(ordering: .relaxed), ordering: .relaxed)
    }
  }

  /// What this process is doing now.
  package static var snapshot: Snapshot { snapshot(of: cells.load(ordering: .acquiring)) }

  /// What the process is doing that writes to `cells`.
  package static func snapshot(of cells: Cells) -> Snapshot {
    func load(_ field: Field) -> Int { (cells + field.rawValue).pointee.load(ordering: .relaxed) }
    var snapshot = Snapshot()
    snapshot.events = load(.events)
    snapshot.phase = Phase(rawValue: load(.phase)) ?? .idle
    snapshot.step = load(.step)
    snapshot.wait = Wait(rawValue: load(.wait)) ?? .nothing
    snapshot.bucket = load(.bucket)
    snapshot.calls = load(.calls)
    return snapshot
  }

  /// The current phase.
  package static var phase: Phase { Phase(rawValue: load(.phase))! }

  /// Begins a phase, and with a number a step.
  package static func begin(_ phase: Phase, step: Int? = nil) {
    store(phase.rawValue, .phase)
    if let step { store(step, .step) }
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
  package static func advance() { cell(.events).pointee.add(1, ordering: .relaxed) }

  /// Runs `body`, which waits for other ranks or threads.
  package static func waiting<Value>(
    for wait: Wait, bucket: Int = 0, _ body: () throws -> Value
  ) rethrows -> Value {
    let before = load(.wait)
    if wait.isCollective { cell(.calls).pointee.add(1, ordering: .relaxed) }
    store(bucket, .bucket)
    store(wait.rawValue, .wait)
    advance()
    defer {
      store(before, .wait)
      advance()
    }
    return try Timeline.span(
      "wait: \(wait.name)" + (wait == .gradients ? " \(bucket)" : ""), .compute, body)
  }
}
