/// Computes the gradients of an operation's inputs, in order, from the gradient `dy` of its result.
///
/// nil means that no gradient flows to an input. A gradient may have the shape that broadcasting gave
/// its input; backward sums it down.
public typealias Pullback = (_ dy: Tensor) -> [Tensor?]

/// A pullback that can add gradients to leaves where they are kept, which saves a tensor and a pass
/// over memory.
typealias AccumulatingPullback = (_ dy: Tensor, _ leaves: LeafGradients) -> [InputGradient]

/// What an accumulating pullback did with the gradient of an input.
enum InputGradient {
  /// No gradient flows to the input.
  case none
  /// This is the gradient; it may have the shape that broadcasting gave the input.
  case value(Tensor)
  /// The gradient has been written to or added to `LeafGradients.destination(of:)`.
  case accumulated
}

/// One recorded step of a computation: a node of the graph that backward walks.
///
/// It holds where each gradient goes, not the inputs themselves: a leaf that collects gradients, or
/// the operation that computed an input. The values that the derivative needs are held by the
/// pullback, which backward releases as soon as it has been called, unless it holds none.
package final class Operation {
  enum AnyPullback {
    case returning(Pullback)
    case accumulating(AccumulatingPullback)
  }

  enum Edge {
    case none
    case leaf(Tensor)
    case operation(Operation)

    /// Where it leads to.
    var target: ObjectIdentifier? {
      switch self {
      case .none: nil
      case .leaf(let leaf): ObjectIdentifier(leaf)
      case .operation(let operation): ObjectIdentifier(operation)
      }
    }
  }

  let name: StaticString
  var edges: [Edge]
  var pullback: AnyPullback?
  /// Whether the pullback captures no tensor, so that there is nothing to release.
  var savesNothing = false
  let resultShape: TensorShape
  let resultType: DataType
  /// The order of recording on this thread: the inputs of an operation have smaller numbers.
  let sequence: UInt64

  /// Functions that are called with the gradient of the result and may replace it.
  var hooks: [GradientHook] = []
  /// The result, if it keeps its gradient (`retainsGrad`).
  weak var retainingTensor: Tensor?

  // The state during a backward pass.
  var gradient: Tensor?
  var ownsGradient = false
  var visitedBy: UInt64 = 0

  convenience init(_ name: StaticString, _ result: Tensor, _ inputs: [Tensor]) {
    self.init(
      name, result,
      edges: inputs.map { input in
        if let operation = input.operation { return .operation(operation) }
        return input.leafRequiresGrad ? .leaf(input) : .none
      })
  }

  init(_ name: StaticString, _ result: Tensor, edges: [Edge]) {
    self.name = name
    resultShape = result.shape
    resultType = result.dataType
    sequence = nextSequenceNumber()
    self.edges = edges
  }

  /// Whether a backward pass has released what this operation saved.
  var isReleased: Bool { pullback == nil }

  /// Releases what the operation holds for backward.
  ///
  /// One that has saved nothing stays, and backward can pass through it again, as in PyTorch.
  func release() {
    if savesNothing { return }
    pullback = nil
    edges = []
  }

  deinit {
    // Chains of operations would otherwise be released recursively and overflow the stack.
    for case .operation(let input) in edges { ReleaseQueue.release(input) }
  }
}

/// A number larger than those of all operations and backward passes of this thread so far.
func nextSequenceNumber() -> UInt64 {
  ExecutionContext.withCurrent { context in
    context.lastSequenceNumber += 1
    return context.lastSequenceNumber
  }
}

/// Releases operations one after another, because nested `deinit`s would recurse once for each link
/// of a chain and overflow the stack.
final class ReleaseQueue {
  private var waiting: [Operation] = []
  private var isDraining = false

  /// Gives up the caller's reference to `operation`, now or after the releases in progress.
  static func release(_ operation: consuming Operation) {
    let queue = ExecutionContext.withCurrent(\.releaseQueue)
    queue.waiting.append(operation)
    guard !queue.isDraining else { return }
    queue.isDraining = true
    while !queue.waiting.isEmpty { queue.waiting.removeLast() }
    queue.isDraining = false
  }
}

extension Tensor {
  /// Records this fresh result of an operation on `inputs`, so that backward can call `pullback`,
  /// and returns it.
  ///
  /// Nothing else is needed to make an operation differentiable:
  ///
  ///     extension Tensor {
  ///       func cubed() -> Tensor {
  ///         let x = self
  ///         let y = withoutGrad { x * x * x }
  ///         return y.recorded("Cube", from: x) { dy in [3 * x * x * dy] }
  ///       }
  ///     }
  ///
  /// A pullback written with tensor operations can itself be differentiated. It must not capture
  /// the result, which would never be released then; see `recorded(_:from:withResult:)`.
  /// Nothing is recorded inside `withoutGrad`, or when no input requires a gradient.
  ///
  /// - Parameters:
  ///   - name: The operation's name in messages and graphs.
  ///   - inputs: What the result was computed from.
  ///   - savesNothing: Whether the pullback captures no tensor. Then backward does not release it, and
  ///     a second backward passes through it without `retainGraph`.
  ///   - pullback: Returns the gradient of each input, in order.
  @discardableResult
  public final func recorded(
    _ name: StaticString, from inputs: Tensor..., savesNothing: Bool = false,
    pullback: @escaping Pullback
  ) -> Tensor {
    guard let operation = record(name, inputs) else { return self }
    operation.pullback = .returning(pullback)
    operation.savesNothing = savesNothing
    return self
  }

  /// Records this fresh result of an operation whose derivative is written in terms of the result
  /// `y`.
  @discardableResult
  public final func recorded(
    _ name: StaticString, from inputs: Tensor...,
    withResult pullback: @escaping (_ dy: Tensor, _ y: Tensor) -> [Tensor?]
  ) -> Tensor {
    recorded(name, fromAll: inputs, withResult: pullback)
  }

  /// The same for an array of inputs.
  @discardableResult
  final func recorded(
    _ name: StaticString, fromAll inputs: [Tensor],
    withResult pullback: @escaping (_ dy: Tensor, _ y: Tensor) -> [Tensor?]
  ) -> Tensor {
    guard let operation = record(name, inputs) else { return self }
    let value = Saved(detached(), by: name)
    // The value is saved outside the graph, so that there is no reference cycle; the pullback gets it
    // with the operation again, so that the gradient can be differentiated.
    operation.pullback = .returning { [unowned operation] dy in
      let y = value().detached()
      if isGradientEnabled { y.operation = operation }
      return pullback(dy, y)
    }
    return self
  }

  /// Records this fresh result of an operation whose pullback can add gradients to leaves.
  @discardableResult
  final func recorded(
    _ name: StaticString, from inputs: Tensor...,
    accumulating pullback: @escaping AccumulatingPullback
  ) -> Tensor {
    record(name, inputs)?.pullback = .accumulating(pullback)
    return self
  }

  /// Makes this fresh tensor the result of a new operation, whose pullback is still to be set; nil
  /// if nothing is to be recorded.
  final func record(_ name: StaticString, _ inputs: [Tensor]) -> Operation? {
    if viewedVersion != nil, !inputs.contains(where: { $0.storage === storage }) {
      // A view of memory that only the operation knew: to the graph, no view.
      (base, viewedVersion, isViewOfGraph) = (nil, nil, false)
    }
    let isEnabled = ExecutionContext.withCurrent { context in
      if context.profiler != nil {
        context.profiler!.noteForward(name, self, inputs, sequence: context.lastSequenceNumber + 1)
      }
      return context.isGradientEnabled
    }
    guard isEnabled else { return nil }
    for input in inputs { input.followBase(name) }
    guard inputs.contains(where: \.requiresGrad) else { return nil }
    require(operation == nil && !leafRequiresGrad, "\(name): the result is not a fresh tensor")
    if isDetached, viewedVersion == nil { becomeView(ofOneOf: inputs) }
    operation = Operation(name, self, inputs)
    return operation
  }
}

/// A value that a pullback needs, with a check that it has not been overwritten since.
struct Saved {
  private let tensor: Tensor
  private let version: Int
  private let operation: StaticString

  init(_ tensor: Tensor, by operation: StaticString) {
    self.tensor = tensor
    version = tensor.storage.version
    self.operation = operation
  }

  func callAsFunction() -> Tensor {
    require(
      tensor.storage.version == version,
      """
      backward: \(operation) needs its value \(tensor.shape) of the forward pass, but an in-place operation has \
      overwritten it; use an operation that is not in place, or a copy()
      """)
    return tensor
  }
}
