// Activation checkpointing: what a part of a model saves for backward is computed again instead.

/// The result of `body`, whose intermediate values are not kept for backward but computed again there:
/// PyTorch's `torch.utils.checkpoint`.
///
///     for block in blocks { x = checkpointed(x) { block($0) } }
///
/// This takes the time of one more forward pass and needs the memory of one block instead of all. `body` runs
/// again as it ran before: with the same random numbers for dropout, in the same mode and precision. Gradients
/// also flow to the parameters and tensors that it captures; running statistics change only once. It must
/// compute the same both times.
public func checkpointed(_ x: Tensor, _ body: @escaping (Tensor) -> Tensor) -> Tensor {
  checkpointed([x]) { body($0[0]) }
}

/// The same for a function of two tensors.
public func checkpointed(
  _ a: Tensor, _ b: Tensor, _ body: @escaping (Tensor, Tensor) -> Tensor
) -> Tensor {
  checkpointed([a, b]) { body($0[0], $0[1]) }
}

/// The same for a function of any number of tensors.
public func checkpointed(_ inputs: [Tensor], _ body: @escaping ([Tensor]) -> Tensor) -> Tensor {
  guard isGradientEnabled else { return body(inputs) }
  for input in inputs { input.followBase("checkpointed") }
  let conditions = ForwardConditions()
  let start = ExecutionContext.withCurrent(\.lastSequenceNumber)
  let result = body(inputs)
  guard let operation = result.operation, operation.sequence > start else { return result }
  // Without the graph of the body, nothing that it saved is kept.
  let edges = operation.edgesLeaving(operationsSince: start)
  let outer = Operation("Checkpoint", result, edges: edges)
  result.operation = outer
  if let base = result.base?.operation, base.sequence > start {
    // A view of memory that only the body knew, whose graph would be kept by it.
    (result.base, result.viewedVersion, result.isViewOfGraph) = (nil, nil, false)
  }
  let saved = inputs.map { Saved($0, by: "checkpointed") }
  let leaves = edges.compactMap { edge in
    if case .leaf(let leaf) = edge { Saved(leaf, by: "checkpointed") } else { nil }
  }
  outer.pullback = .returning { [unowned outer] dy in
    for leaf in leaves { _ = leaf() }
    let inputs = saved.map { $0() }
    let createsGraph = isGradientEnabled
    let start = ExecutionContext.withCurrent(\.lastSequenceNumber)
    let again = conditions.restored { body(inputs) }
    require(
      again.shape == outer.resultShape && again.dataType == outer.resultType
        && again.requiresGrad,
      "checkpointed: the function gave \(outer.resultType) \(outer.resultShape), and when it was computed again for backward \(again.dataType) \(again.shape)"
    )
    let gradients = gradientsLeaving(again, dy, since: start, createsGraph: createsGraph)
    let known = Set(outer.edges.compactMap(\.target))
    require(
      known.isSuperset(of: gradients.keys),
      "checkpointed: when the function was computed again for backward, it used other tensors that require gradients than before"
    )
    return outer.edges.map { edge in edge.target.flatMap { gradients[$0] } }
  }
  return result
}

/// What a forward pass depends on besides its inputs, to be had again in the backward pass.
private struct ForwardConditions {
  private let isTraining: Bool
  private let isAutocasting: Bool
  private let random: RandomSource
  private let dropoutStreams: DropoutStreams?

  init() {
    let context = ExecutionContext.withCurrent { $0 }
    (isTraining, isAutocasting) = (context.isTraining, context.isAutocasting)
    (random, dropoutStreams) = (context.random, context.dropoutStreams?.copy())
  }

  private init(of context: ExecutionContext) {
    (isTraining, isAutocasting) = (context.isTraining, context.isAutocasting)
    (random, dropoutStreams) = (context.random, context.dropoutStreams)
  }

  private func restore(in context: ExecutionContext) {
    (context.isTraining, context.isAutocasting) = (isTraining, isAutocasting)
    (context.random, context.dropoutStreams) = (random, dropoutStreams)
  }

  func restored(_ body: () -> Tensor) -> Tensor {
    let context = ExecutionContext.withCurrent { $0 }
    let previous = (ForwardConditions(of: context), context.isRecomputing)
    restore(in: context)
    context.dropoutStreams = dropoutStreams?.copy()
    context.isRecomputing = true
    defer {
      previous.0.restore(in: context)
      context.isRecomputing = previous.1
    }
    return withGradientMode(true, body)
  }
}

/// Whether a checkpointed function is being computed again, when nothing besides its result may change.
package var isRecomputing: Bool { ExecutionContext.withCurrent(\.isRecomputing) }

extension Operation {
  /// The edges from this operation, and from those before it that were recorded after `start`, to leaves and
  /// to older operations; each once.
  fileprivate func edgesLeaving(operationsSince start: UInt64) -> [Edge] {
    let mark = nextSequenceNumber()
    var found = [self]
    visitedBy = mark
    var targets: Set<ObjectIdentifier> = []
    var leaving: [Edge] = []
    var next = 0
    while next < found.count {
      for edge in found[next].edges {
        if case .operation(let input) = edge, input.sequence > start {
          if input.visitedBy != mark {
            input.visitedBy = mark
            found.append(input)
          }
        } else if let target = edge.target, targets.insert(target).inserted {
          leaving.append(edge)
        }
      }
      next += 1
    }
    return leaving
  }
}
