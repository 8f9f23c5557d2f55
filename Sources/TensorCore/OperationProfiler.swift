internal import Glibc

/// Where the time of a thread goes: one event for each operation, forward and backward, and for each
/// other part that the program names.
///
/// Events follow each other without gaps. An operation that is recorded, or would be outside of
/// `withoutGrad`, ends an event that began where the one before it ended, so that the time between
/// operations belongs to the next one. What a pullback computes belongs to the backward pass of its
/// operation. Operations without a derivative, such as comparisons, count to the next one.
///
/// An operation with a parameter among its inputs belongs to that parameter's module; another one, such
/// as an activation, belongs to the module of the operation before it. The backward pass of an operation
/// belongs to the operation's module.
package final class OperationProfiler {
  /// A part of a step.
  package enum Pass: String, Sendable {
    case forward, backward
    /// Not an operation: waiting, updating the weights.
    case other
  }

  /// An estimate of the work of an event.
  package struct Work: Equatable, Sendable {
    /// Floating-point operations, of products, convolutions and attention: 2 m n k for each product.
    ///
    /// Convolutions count as direct ones, also where fewer multiplications do, and causal attention as
    /// if all queries attended to all keys.
    package var operations = 0.0
    /// Those of them that multiply bfloat16.
    package var bfloat16 = 0.0
    /// The bytes of the inputs and the result, each once; 0 for views.
    package var bytes = 0.0

    package init() {}
  }

  /// An interval of time.
  package struct Event: Sendable {
    /// The operation, or the name of another part.
    package let name: StaticString
    package let pass: Pass
    /// The index of its module in `modules`; 0 is none.
    package let module: Int
    /// Nanoseconds of the clock CLOCK_MONOTONIC.
    package let start: UInt64, end: UInt64
    package let work: Work
    /// The shapes of the inputs and, last, of the result; of the forward pass also in the backward pass.
    package let shapes: [TensorShape]
  }

  /// The events so far, in order of time.
  package private(set) var events: [Event] = []
  /// The names of the modules; the first is empty.
  package let modules: [String]

  private let moduleOfParameter: [ObjectIdentifier: Int]
  /// What the backward pass of an operation will be counted as, by its sequence number.
  private var backwardEvents: [UInt64: Backward] = [:]
  private var lastEnd = 0 as UInt64
  private var module = 0
  /// The number of backward passes that are under way, one inside another.
  private var depth = 0

  private struct Backward {
    var module: Int
    var work: Work
    var shapes: [TensorShape]
  }

  private init(_ parameters: [(name: String, parameter: Tensor)]) {
    var modules = [""]
    var moduleOfParameter: [ObjectIdentifier: Int] = [:]
    for (name, parameter) in parameters {
      let module = name.split(separator: ".").dropLast().joined(separator: ".")
      let index = modules.lastIndex(of: module) ?? modules.count
      if index == modules.count { modules.append(module) }
      moduleOfParameter[ObjectIdentifier(parameter)] = index
    }
    (self.modules, self.moduleOfParameter) = (modules, moduleOfParameter)
    events.reserveCapacity(1 << 12)
  }

  /// The nanoseconds of the clock CLOCK_MONOTONIC, which is the same for all processes of a computer.
  private static var now: UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }

  /// Starts to profile the operations of this thread.
  ///
  /// - Parameter parameters: The parameters, with names such as `layer1.0.conv1.weight`: all but the
  ///   last part is the name of a module.
  package static func start(_ parameters: [(name: String, parameter: Tensor)]) {
    let profiler = OperationProfiler(parameters)
    ExecutionContext.withCurrent { $0.profiler = profiler }
    profiler.lastEnd = now
  }

  /// Stops to profile this thread; returns the profile, or nil if there is none.
  package static func stop() -> OperationProfiler? {
    ExecutionContext.withCurrent { context in
      defer { context.profiler = nil }
      return context.profiler
    }
  }

  /// Names the time since the last event, if this thread is profiled.
  ///
  /// The next operation without a parameter belongs to no module.
  package static func mark(_ name: StaticString) {
    ExecutionContext.withCurrent { context in
      guard let profiler = context.profiler, profiler.depth == 0 else { return }
      profiler.module = 0
      profiler.append(name, .other, Work(), [])
    }
  }

  private func append(_ name: StaticString, _ pass: Pass, _ work: Work, _ shapes: [TensorShape]) {
    let end = OperationProfiler.now
    events.append(
      Event(
        name: name, pass: pass, module: module, start: lastEnd, end: end, work: work,
        shapes: shapes))
    lastEnd = end
  }

  /// Notes an operation whose result is complete; `sequence` is its number if it is recorded.
  @inline(never)
  func noteForward(
    _ name: StaticString, _ result: Tensor, _ inputs: [Tensor], sequence: UInt64
  ) {
    guard depth == 0 else { return }
    for input in inputs where input.operation == nil {
      guard let index = moduleOfParameter[ObjectIdentifier(input)] else { continue }
      module = index
      break
    }
    let shapes = inputs.map(\.shape) + [result.shape]
    let (forward, backward) = OperationProfiler.work(name, result, inputs)
    append(name, .forward, forward, shapes)
    backwardEvents[sequence] = Backward(module: module, work: backward, shapes: shapes)
  }

  /// Notes that a backward pass has found its operations.
  @inline(never)
  func beginBackward() {
    depth += 1
    if depth == 1 { append("order of backward", .other, Work(), []) }
  }

  /// Notes that a backward pass is done with an operation.
  @inline(never)
  func noteBackward(_ operation: Operation) {
    guard depth == 1 else { return }
    let event = backwardEvents[operation.sequence]
    module = event?.module ?? 0
    append(operation.name, .backward, event?.work ?? Work(), event?.shapes ?? [])
  }

  /// Notes the end of a backward pass.
  func endBackward() { depth -= 1 }

  /// The work of an operation, forward and backward.
  private static func work(
    _ name: StaticString, _ result: Tensor, _ inputs: [Tensor]
  ) -> (forward: Work, backward: Work) {
    var (forward, backward) = (Work(), Work())
    if let first = inputs.first, first.storage === result.storage { return (forward, backward) }
    func bytes(_ x: Tensor) -> Double { Double(x.count * x.dataType.byteCount) }
    forward.bytes = inputs.reduce(bytes(result)) { $0 + bytes($1) }
    // dy and the inputs are read, the gradients of inputs written.
    let differentiated = inputs.filter(\.requiresGrad)
    backward.bytes = differentiated.reduce(forward.bytes) { $0 + bytes($1) }
    forward.operations = operationsForward("\(name)", result, inputs)
    // One product for the gradient of each factor; the bias is no factor.
    let factors = inputs.prefix(inputs.count == 1 ? 1 : 2).filter(\.requiresGrad).count
    backward.operations = forward.operations * Double(inputs.count == 1 ? 2 * factors : factors)
    // A view, also where the forward pass had to copy.
    if "\(name)" == "Reshape" { backward.bytes = 0 }
    if "\(name)" == "Attention" { backward.operations = 2 * forward.operations }
    // Attention computes in float32.
    if result.dataType == .bfloat16, !"\(name)".hasSuffix("Attention") {
      (forward.bfloat16, backward.bfloat16) = (forward.operations, backward.operations)
    }
    return (forward, backward)
  }

  private static func operationsForward(
    _ name: String, _ result: Tensor, _ inputs: [Tensor]
  ) -> Double {
    func product(_ count: Int, _ each: Int) -> Double { 2 * Double(count) * Double(each) }
    /// The multiplications of one input channel with all it contributes to.
    func perRow(_ weight: Tensor) -> Int { weight.count / max(weight.shape[0], 1) }
    switch name {
    case "Linear", "Matmul": return product(result.count, inputs[0].shape.last ?? 1)
    case "Conv2d": return product(result.count, perRow(inputs[1]))
    case "ConvTranspose2d": return product(inputs[0].count, perRow(inputs[1]))
    case "Conv2dWeightGradient": return product(inputs[1].count, perRow(result))
    case "Attention":  // q kᵀ, and the weights times v
      return 2 * product(inputs[0].count, inputs[1].shape[2])
    case "SelfAttention": return 2 * product(result.count, result.shape[1])
    default: return 0
    }
  }
}
