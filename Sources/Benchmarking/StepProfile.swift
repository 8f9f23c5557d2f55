package import Base
package import Collectives
package import NeuralNetworks
package import TensorCore

/// Where the time of some steps of this rank went.
///
/// Every moment between the start and the end belongs to exactly one event, so that the rows of a table
/// add up to the time of a step.
package struct StepProfile {
  /// The number of steps.
  package let steps: Int
  /// The operations and the other parts, in order of time.
  package let events: [OperationProfiler.Event]
  /// The names of the modules.
  package let modules: [String]
  /// What this rank waited for, and what its other threads did.
  package let spans: [Timeline.Span]

  package init(
    steps: Int, events: [OperationProfiler.Event], modules: [String], spans: [Timeline.Span]
  ) {
    (self.steps, self.events, self.modules, self.spans) = (steps, events, modules, spans)
  }

  /// Starts to profile the operations of this thread on a model.
  package static func start(_ model: any Module) {
    Timeline.start()
    OperationProfiler.start(model.namedParameters().map { ($0.name, $0.parameter) })
  }

  /// Stops to profile after some steps; nil if no profile was started.
  package static func stop(steps: Int) -> StepProfile? {
    OperationProfiler.mark("between steps")
    let spans = Timeline.stop()
    guard let profiler = OperationProfiler.stop() else { return nil }
    return StepProfile(
      steps: max(steps, 1), events: profiler.events, modules: profiler.modules, spans: spans)
  }

  /// Rates that an operation cannot exceed if its operands come from memory.
  package struct Limits {
    /// Floating-point operations per second, of float32 and of products of bfloat16.
    package let operations: Double, bfloat16: Double
    /// Bytes of memory per second.
    package let bytes: Double

    package init(operations: Double, bfloat16: Double, bytes: Double) {
      (self.operations, self.bfloat16, self.bytes) = (operations, bfloat16, bytes)
    }

    /// Measures what this rank can do while all ranks do the same.
    ///
    /// Collective: all ranks call it.
    package init(_ communicator: any Communicator) {
      let limits = MachineLimits(seconds: 0.2, communicator)
      let ranks = Double(communicator.worldSize)
      operations = limits.multiplyAdd().median / ranks
      bfloat16 = limits.bfloat16().median / ranks
      bytes = limits.triad().median / ranks
    }
  }

  /// The sum of events of one kind.
  package struct Row: Sendable {
    /// The operation, the module, or another part of a step.
    package let name: String
    package let pass: OperationProfiler.Pass
    package fileprivate(set) var calls = 0
    package fileprivate(set) var seconds = 0.0
    package fileprivate(set) var work = OperationProfiler.Work()

    fileprivate mutating func add(_ event: OperationProfiler.Event) {
      calls += 1
      seconds += event.seconds
      work.operations += event.work.operations
      work.bfloat16 += event.work.bfloat16
      work.bytes += event.work.bytes
    }

    /// Operations per second.
    package var operationRate: Double { seconds > 0 ? work.operations / seconds : 0 }
    /// Bytes per second.
    package var byteRate: Double { seconds > 0 ? work.bytes / seconds : 0 }

    /// How much of what the machine can do was used: of arithmetic or of memory, whichever is more.
    package func share(of limits: Limits) -> Double {
      guard seconds > 0 else { return 0 }
      let arithmetic =
        (work.operations - work.bfloat16) / limits.operations + work.bfloat16 / limits.bfloat16
      return max(arithmetic / seconds, byteRate / limits.bytes)
    }
  }

  /// The seconds of all steps.
  package var seconds: Double { events.reduce(0) { $0 + $1.seconds } }

  /// A row for each operation, forward and backward, and for each other part; the longest first.
  package func operations() -> [Row] { rows { "\($0.name)" } }

  /// A row for each module, forward and backward, and for each other part; the longest first.
  package func byModule() -> [Row] {
    rows { event in
      guard event.pass != .other else { return "\(event.name)" }
      let name = modules[event.module]
      return name.isEmpty ? "(no module)" : name
    }
  }

  private func rows(_ name: (OperationProfiler.Event) -> String) -> [Row] {
    var rows: [Row] = []
    var indices: [String: Int] = [:]
    for event in events {
      let name = name(event)
      let index = indices["\(event.pass) \(name)"] ?? rows.count
      if index == rows.count {
        indices["\(event.pass) \(name)"] = index
        rows.append(Row(name: name, pass: event.pass))
      }
      rows[index].add(event)
    }
    return rows.sorted { $0.seconds > $1.seconds }
  }
}

extension WorkloadRun {
  /// Profiles steps, for about a second but at most 100 of them.
  ///
  /// Collective: all ranks call it.
  ///
  /// - Parameters:
  ///   - stepSeconds: About how long a step takes.
  ///   - communicator: The ranks.
  package func profile(
    about stepSeconds: Double, _ communicator: any Communicator
  ) throws -> StepProfile {
    let longest = communicator.allReduce(max(stepSeconds, 1e-6), .max)
    let steps = max(3, min(100, Int(1 / longest)))
    StepProfile.start(model)
    defer { _ = StepProfile.stop(steps: steps) }
    for _ in 0..<steps { try step() }
    return StepProfile.stop(steps: steps)!
  }
}

extension OperationProfiler.Event {
  /// The seconds that the event took.
  package var seconds: Double { Double(end - start) / 1e9 }
}
