internal import CKernels

/// Computes the gradients of an operation's inputs, in order, from the gradient `dy` of its result.
///
/// nil stands for "no gradient flows there". A gradient may have the shape that broadcasting gave
/// its input; backward sums it down.
public typealias Pullback = (_ dy: Tensor) -> [Tensor?]

/// One recorded step of a computation: a node of the graph that backward walks.
///
/// It holds what leads on, not the inputs themselves: a leaf that collects a gradient, or the
/// operation that made an input. The values that the derivative needs are held by the pullback,
/// which backward drops as soon as it was used.
package final class Operation {
  enum Edge {
    case none
    case leaf(Tensor)
    case operation(Operation)
  }

  let name: StaticString
  var edges: [Edge]
  var pullback: Pullback?
  let resultShape: Shape
  let resultType: DataType
  /// Creation order on this thread: an operation's inputs have smaller numbers.
  let sequence: UInt64

  /// Called with the gradient of the result, which they may replace.
  var hooks: [GradientHook] = []
  /// The result, if it wants to keep its gradient.
  weak var retainingTensor: Tensor?

  // The state of a backward pass.
  var gradient: Tensor?
  var ownsGradient = false
  var visitedBy: UInt64 = 0

  init(_ name: StaticString, _ result: Tensor, _ inputs: [Tensor]) {
    self.name = name
    resultShape = result.shape
    resultType = result.dataType
    sequence = nextSequenceNumber()
    edges = inputs.map { input in
      if let operation = input.operation { return .operation(operation) }
      return input.leafRequiresGrad ? .leaf(input) : .none
    }
  }

  /// Whether backward has used this operation up.
  var isReleased: Bool { pullback == nil }

  /// Lets go of everything that the operation held for backward.
  func release() {
    pullback = nil
    edges = []
  }

  deinit {
    // Chains of operations would otherwise be released recursively and overflow the stack.
    for case .operation(let input) in edges { ReleaseQueue.release(input) }
  }
}

func nextSequenceNumber() -> UInt64 {
  let state = ck_current_thread_state()
  state.pointee.sequence += 1
  return state.pointee.sequence
}

/// Lets operations go one after another, where nested `deinit`s would recurse once for each link of
/// a chain.
final class ReleaseQueue {
  private var waiting: [Operation] = []
  private var isDraining = false

  private static var ofThisThread: ReleaseQueue {
    let state = ck_current_thread_state()
    if let existing = state.pointee.release_queue {
      return Unmanaged.fromOpaque(existing).takeUnretainedValue()
    }
    let queue = ReleaseQueue()
    state.pointee.release_queue = Unmanaged.passRetained(queue).toOpaque()
    return queue
  }

  /// Gives up the caller's reference to `operation`, now or after the releases under way.
  static func release(_ operation: consuming Operation) {
    let queue = ofThisThread
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
  /// This is all that an operation needs to be differentiable:
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
  /// the result, which would keep itself alive for ever; see `recorded(_:from:withResult:)`.
  /// Nothing is recorded inside `withoutGrad`, or when no input requires a gradient.
  @discardableResult
  public final func recorded(
    _ name: StaticString, from inputs: Tensor..., pullback: @escaping Pullback
  ) -> Tensor {
    record(name, inputs)?.pullback = pullback
    return self
  }

  /// Records this fresh result of an operation whose derivative is written in terms of the result
  /// `y`.
  @discardableResult
  public final func recorded(
    _ name: StaticString, from inputs: Tensor...,
    withResult pullback: @escaping (_ dy: Tensor, _ y: Tensor) -> [Tensor?]
  ) -> Tensor {
    guard let operation = record(name, inputs) else { return self }
    let value = Saved(detached(), by: name)
    // The value is saved outside the graph; what the pullback sees is tied to the operation again,
    // so that it can be differentiated once more.
    operation.pullback = { [unowned operation] dy in
      let y = value().detached()
      if isGradientEnabled { y.operation = operation }
      return pullback(dy, y)
    }
    return self
  }

  /// Makes this fresh tensor the result of a new operation, which still wants its pullback; nil
  /// when nothing is to be recorded.
  final func record(_ name: StaticString, _ inputs: [Tensor]) -> Operation? {
    guard isGradientEnabled, inputs.contains(where: \.requiresGrad) else { return nil }
    require(operation == nil && !leafRequiresGrad, "\(name): the result is not a fresh tensor")
    operation = Operation(name, self, inputs)
    return operation
  }
}

/// A value that a pullback needs, with a check that nobody has overwritten it since.
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
      backward: \(operation) needs its value \(tensor.shape) of the forward pass, which an in-place operation has \
      overwritten since; compute out of place, or save a copy
      """)
    return tensor
  }
}
