internal import CKernels

extension Tensor {
  /// Computes the gradients of this tensor with respect to the leaves it was computed from, and
  /// adds them to their `grad`.
  ///
  /// - Parameters:
  ///   - gradient: The gradient with respect to this tensor, of its shape; 1 by default, if this tensor
  ///     has a single element.
  ///   - retainGraph: Whether to keep the values that the graph has saved, for another backward pass.
  ///   - createGraph: Whether to record the computation of the gradients, so that they can be
  ///     differentiated. Retains the graph.
  ///   - onFinalGradient: Called for each leaf as soon as its gradient is final in this pass.
  public final func backward(
    gradient: Tensor? = nil, retainGraph: Bool = false, createGraph: Bool = false,
    onFinalGradient: ((Tensor) -> Void)? = nil
  ) {
    require(
      requiresGrad,
      "backward: this tensor \(shape) does not require gradients; no leaf that it was computed from does"
    )
    // A copy, because backward changes gradients in place, and this may be one.
    runBackward(
      [(self, upstream(gradient?.copy(), "backward"))], retainGraph: retainGraph,
      createGraph: createGraph, onFinalGradient: onFinalGradient)
  }

  fileprivate func upstream(_ gradient: Tensor?, _ caller: StaticString) -> Tensor {
    if let gradient {
      require(
        gradient.shape == shape && gradient.dataType.isFloatingPoint,
        "\(caller): the gradient is \(gradient.dataType) \(gradient.shape), the tensor \(dataType) \(shape)"
      )
      return gradient.converted(to: dataType)
    }
    require(
      count == 1,
      "\(caller): a tensor of shape \(shape) needs an upstream gradient of that shape; the default 1 is for a single element"
    )
    return .ones(shape, dataType)
  }

  /// Adds `gradient` to `grad`; records the addition if `keepsGraph`.
  final func accumulate(_ gradient: Tensor, keepsGraph: Bool) {
    if let sum = grad {
      if keepsGraph || !sum.isContiguous {
        grad = sum + gradient
      } else {
        sum.addInPlace(gradient)
      }
    } else if keepsGraph {
      // Copies, because others may hold this very tensor.
      grad = gradient.copy()
    } else {
      let own = gradientView ?? Tensor(uninitialized: shape, dataType)
      own.write(gradient, "backward")
      grad = own
    }
  }

  /// y += x for dense y, outside the graph.
  final func addInPlace(_ x: Tensor) {
    let x = x.ordered(memoryOrder!)
    storage.version += 1
    ck_accumulate(dataType.kernelType, bytes, x.bytes, count)
  }
}

/// Computes the gradients of the sum of several results with respect to the leaves they were computed
/// from, in one pass, and adds them to their `grad`.
///
///     backward([loss, penalty])
///     backward([logits, features], gradients: [dLogits, dFeatures])
///
/// - Parameters:
///   - results: Tensors that require gradients; they may share parts of their graphs, and one may be
///     an input of another.
///   - gradients: The gradient with respect to each result, of its shape; nil stands for 1, if the
///     result has a single element.
///   - retainGraph: Whether to keep the values that the graph has saved, for another backward pass.
///   - createGraph: Whether to record the computation of the gradients, so that they can be
///     differentiated. Retains the graph.
///   - onFinalGradient: Called for each leaf as soon as its gradient is final in this pass.
public func backward(
  _ results: [Tensor], gradients: [Tensor?]? = nil, retainGraph: Bool = false,
  createGraph: Bool = false, onFinalGradient: ((Tensor) -> Void)? = nil
) {
  let roots = zip(results, upstreams(results, gradients, "backward")).map { ($0, $1.copy()) }
  runBackward(
    roots, retainGraph: retainGraph, createGraph: createGraph, onFinalGradient: onFinalGradient)
}

private func runBackward(
  _ roots: [(Tensor, Tensor)], retainGraph: Bool, createGraph: Bool,
  onFinalGradient: ((Tensor) -> Void)?
) {
  for (root, _) in roots { root.followBase("backward") }
  BackwardPass(retainsGraph: retainGraph || createGraph, createsGraph: createGraph)
    .run(from: roots) { leaf, gradient in
      leaf.accumulate(gradient, keepsGraph: createGraph)
    } onFinal: { leaf in
      onFinalGradient?(leaf)
    }
}

/// The gradient with respect to each of several results.
private func upstreams(
  _ results: [Tensor], _ gradients: [Tensor?]?, _ caller: StaticString
) -> [Tensor] {
  require(
    gradients == nil || gradients!.count == results.count,
    "\(caller): \(gradients!.count) gradients for \(results.count) results")
  return results.enumerated().map { index, result in
    require(
      result.requiresGrad,
      "\(caller): result \(index) \(result.shape) does not require gradients; no leaf that it was computed from does"
    )
    return result.upstream(gradients?[index], caller)
  }
}

/// The gradients of `result` with respect to `inputs`, in order; nil for an input that it does not
/// depend on.
///
/// Does not change the `grad` of any leaf. With `createGraph` the gradients can be differentiated.
public func grad(
  of result: Tensor, withRespectTo inputs: [Tensor], gradient: Tensor? = nil,
  retainGraph: Bool = false, createGraph: Bool = false
) -> [Tensor?] {
  require(result.requiresGrad, "grad: the result \(result.shape) does not require gradients")
  return gradients(
    from: [(result, result.upstream(gradient, "grad"))], inputs, retainGraph: retainGraph,
    createGraph: createGraph)
}

/// The gradients of the sum of several results with respect to `inputs`, in order; nil for an input
/// that none of them depends on.
///
/// `gradients` are those with respect to each result; nil stands for 1, if the result has a single
/// element. Does not change the `grad` of any leaf. With `createGraph` the gradients can be
/// differentiated.
public func grad(
  of results: [Tensor], withRespectTo inputs: [Tensor], gradients upstream: [Tensor?]? = nil,
  retainGraph: Bool = false, createGraph: Bool = false
) -> [Tensor?] {
  gradients(
    from: Array(zip(results, upstreams(results, upstream, "grad"))), inputs,
    retainGraph: retainGraph, createGraph: createGraph)
}

private func gradients(
  from roots: [(Tensor, Tensor)], _ inputs: [Tensor], retainGraph: Bool, createGraph: Bool
) -> [Tensor?] {
  for (root, _) in roots { root.followBase("grad") }
  var found: [ObjectIdentifier: Tensor] = [:]
  func add(_ gradient: Tensor, to key: ObjectIdentifier) {
    found[key] = found[key].map { $0 + gradient } ?? gradient
  }
  func key(_ tensor: Tensor) -> ObjectIdentifier {
    tensor.operation.map { ObjectIdentifier($0) } ?? ObjectIdentifier(tensor)
  }
  let wanted = Set(inputs.map(key))
  BackwardPass(
    retainsGraph: retainGraph || createGraph, createsGraph: createGraph, accumulatesInLeaves: false
  ).run(from: roots) { leaf, gradient in
    if wanted.contains(ObjectIdentifier(leaf)) { add(gradient, to: ObjectIdentifier(leaf)) }
  } onOperation: { operation, gradient in
    if wanted.contains(ObjectIdentifier(operation)) {
      found[ObjectIdentifier(operation)] = gradient
    }
  }
  return inputs.map { found[key($0)] }
}

/// The value of a function, which must be a single number, and its gradients at `inputs`, in order;
/// zeros for an input that it does not depend on.
///
///     let (loss, gradients) = valueAndGrad(at: [weight, bias]) { leaves in
///       (x.linear(weight: leaves[0], bias: leaves[1]) - y).squared().mean()
///     }
///
/// The function is called with leaves that share the memory of `inputs`. The inputs need not require
/// gradients, and no `grad` changes. The value and the gradients have no graph; for gradients of
/// gradients, use `grad(of:withRespectTo:createGraph:)`.
public func valueAndGrad(
  at inputs: [Tensor], _ function: ([Tensor]) throws -> Tensor
) rethrows -> (value: Tensor, gradients: [Tensor]) {
  let leaves = inputs.map { input in
    let leaf = input.detached()
    leaf.requiresGrad = true
    return leaf
  }
  let value = try withGradientMode(true) { try function(leaves) }
  require(
    value.count == 1, "valueAndGrad: the value must be a single number, not of shape \(value.shape)"
  )
  let gradients =
    value.requiresGrad ? grad(of: value, withRespectTo: leaves) : leaves.map { _ in nil }
  return (
    value.detached(), zip(leaves, gradients).map { $1 ?? .zeros($0.shape, $0.dataType) }
  )
}

/// The gradients at the leaves and older operations to which the operations since `start` lead.
///
/// `dy` is the gradient of `result`. It is a walk within a backward pass: hooks of leaves are left to that one.
func gradientsLeaving(
  _ result: Tensor, _ dy: Tensor, since start: UInt64, createsGraph: Bool
) -> [ObjectIdentifier: Tensor] {
  guard let operation = result.operation, operation.sequence > start else { return [:] }
  var found: [ObjectIdentifier: Tensor] = [:]
  func add(_ target: ObjectIdentifier, _ gradient: Tensor) {
    found[target] = found[target].map { $0 + gradient } ?? gradient
  }
  let pass = BackwardPass(
    retainsGraph: createsGraph, createsGraph: createsGraph, accumulatesInLeaves: false, start: start
  )
  pass.run(from: [(result, dy)]) { leaf, gradient in
    add(ObjectIdentifier(leaf), gradient)
  } onOlder: { operation, gradient in
    add(ObjectIdentifier(operation), gradient)
  }
  return found
}

/// One walk over the graph, from results back to their leaves.
private struct BackwardPass {
  var retainsGraph: Bool
  var createsGraph: Bool
  var accumulatesInLeaves = true
  /// For a walk within another: the number after which its operations were recorded.
  var start: UInt64?

  func run(
    from roots: [(tensor: Tensor, seed: Tensor)], onLeaf: (Tensor, Tensor) -> Void,
    onFinal: (Tensor) -> Void = { _ in }, onOperation: (Operation, Tensor) -> Void = { _, _ in },
    onOlder: (Operation, Tensor) -> Void = { _, _ in }
  ) {
    let operations = operationsInOrder(from: roots.compactMap(\.tensor.operation))
    let leaves = roots.filter(\.tensor.isLeaf)
    for (leaf, _) in leaves { leaf.pendingUses += 1 }
    let profiler = start == nil ? ExecutionContext.withCurrent(\.profiler) : nil
    profiler?.beginBackward()
    defer { profiler?.endBackward() }
    // Operations were recorded in the types that they compute in: no other rounding here.
    withAutocast(false) {
      withGradientMode(createsGraph) {
        for (tensor, seed) in roots {
          if let operation = tensor.operation { add(seed, to: operation, operation.name) }
        }
        for (leaf, seed) in leaves {
          collect(seed, leaf, onLeaf)
          countDown(leaf, onLeaf, onFinal)
        }
        walk(operations, profiler, onLeaf, onFinal, onOperation, onOlder)
      }
    }
  }

  private func walk(
    _ operations: [Operation], _ profiler: OperationProfiler?, _ onLeaf: (Tensor, Tensor) -> Void,
    _ onFinal: (Tensor) -> Void, _ onOperation: (Operation, Tensor) -> Void,
    _ onOlder: (Operation, Tensor) -> Void
  ) {
    for operation in operations {
      if var dy = operation.gradient {
        operation.gradient = nil
        if !operation.hooks.isEmpty { dy = Tensor.applying(operation.hooks, to: dy) }
        operation.retainingTensor?.accumulate(dy, keepsGraph: createsGraph)
        onOperation(operation, dy)
        distribute(dy, operation, onLeaf, onOlder)
      }
      for edge in operation.edges {
        guard case .leaf(let leaf) = edge else { continue }
        countDown(leaf, onLeaf, onFinal)
      }
      if !retainsGraph { operation.release() }
      profiler?.noteBackward(operation)
    }
  }

  /// Calls the pullback of an operation and passes the gradients on.
  private func distribute(
    _ dy: Tensor, _ operation: Operation, _ onLeaf: (Tensor, Tensor) -> Void,
    _ onOlder: (Operation, Tensor) -> Void
  ) {
    switch operation.pullback! {
    case .returning(let pullback):
      let gradients = pullback(dy)
      check(gradients.count, operation)
      for index in operation.edges.indices {
        guard let gradient = gradients[index] else { continue }
        pass(gradient, to: operation.edges[index], from: operation, onLeaf, onOlder)
      }
    case .accumulating(let pullback):
      let leaves = LeafGradients(
        edges: operation.edges, areAccessible: accumulatesInLeaves && !createsGraph)
      let gradients = pullback(dy, leaves)
      check(gradients.count, operation)
      for index in operation.edges.indices {
        switch gradients[index] {
        case .none: break
        case .value(let gradient):
          pass(gradient, to: operation.edges[index], from: operation, onLeaf, onOlder)
        case .accumulated: operation.edges[index].leaf?.showAccumulatedGradient()
        }
      }
    }
  }

  private func check(_ count: Int, _ operation: Operation) {
    require(
      count == operation.edges.count,
      "\(operation.name): \(count) gradients for \(operation.edges.count) inputs")
  }

  private func pass(
    _ gradient: Tensor, to edge: Operation.Edge, from operation: Operation,
    _ onLeaf: (Tensor, Tensor) -> Void, _ onOlder: (Operation, Tensor) -> Void
  ) {
    switch edge {
    case .none: break
    case .operation(let input) where isOlder(input):
      onOlder(input, unbroadcast(gradient, input.resultShape, input.resultType, operation.name))
    case .operation(let input): add(gradient, to: input, operation.name)
    case .leaf(let leaf):
      collect(unbroadcast(gradient, leaf.shape, leaf.dataType, operation.name), leaf, onLeaf)
    }
  }

  /// Hands over a part of a leaf's gradient, unless the leaf has hooks, which need the whole.
  private func collect(_ gradient: Tensor, _ leaf: Tensor, _ onLeaf: (Tensor, Tensor) -> Void) {
    if leaf.hooks.isEmpty || start != nil { return onLeaf(leaf, gradient) }
    leaf.pendingGradient = leaf.pendingGradient.map { $0 + gradient } ?? gradient
  }

  /// Whether an operation does not belong to this walk within another.
  private func isOlder(_ operation: Operation) -> Bool {
    start.map { operation.sequence <= $0 } ?? false
  }

  /// Notes that one use of a leaf has contributed; after the last one its gradient is final.
  private func countDown(
    _ leaf: Tensor, _ onLeaf: (Tensor, Tensor) -> Void, _ onFinal: (Tensor) -> Void
  ) {
    leaf.pendingUses -= 1
    guard leaf.pendingUses == 0 else { return }
    finish(leaf, onLeaf)
    onFinal(leaf)
  }

  private func finish(_ leaf: Tensor, _ onLeaf: (Tensor, Tensor) -> Void) {
    guard let gradient = leaf.pendingGradient else { return }
    leaf.pendingGradient = nil
    onLeaf(leaf, Tensor.applying(leaf.hooks, to: gradient))
  }

  /// These operations and all that they were computed from, each before its inputs; counts the uses of
  /// leaves on the way.
  ///
  /// Operations are numbered when they are recorded and depend only on older ones, so descending
  /// numbers are a topological order, and a deterministic one.
  private func operationsInOrder(from roots: [Operation]) -> [Operation] {
    let mark = nextSequenceNumber()
    var found: [Operation] = []
    var isSorted = roots.count < 2
    for root in roots where root.visitedBy != mark {
      root.visitedBy = mark
      found.append(root)
    }
    var next = 0
    while next < found.count {
      let operation = found[next]
      next += 1
      require(
        !operation.isReleased,
        """
        backward: the graph of \(operation.name) \(operation.resultShape) was released by an earlier backward; pass \
        retainGraph: true to the first one
        """)
      for edge in operation.edges {
        switch edge {
        case .none: break
        case .leaf(let leaf): leaf.pendingUses += 1
        case .operation(let input):
          guard input.visitedBy != mark, !isOlder(input) else { continue }
          input.visitedBy = mark
          if input.sequence > found.last!.sequence { isSorted = false }
          found.append(input)
        }
      }
    }
    if !isSorted { found.sort { $0.sequence > $1.sequence } }
    return found
  }

  private func add(_ gradient: Tensor, to operation: Operation, _ source: StaticString) {
    let gradient = unbroadcast(gradient, operation.resultShape, operation.resultType, source)
    guard let sum = operation.gradient else {
      operation.gradient = gradient
      operation.ownsGradient = false
      return
    }
    if operation.ownsGradient {
      sum.addInPlace(gradient)
    } else {
      operation.gradient = sum + gradient
      operation.ownsGradient = !createsGraph
    }
  }

  /// `gradient` summed over the axes that broadcasting added or stretched, in the type of the input: an
  /// operation may have had operands of several types.
  private func unbroadcast(
    _ gradient: Tensor, _ shape: TensorShape, _ dataType: DataType, _ source: StaticString
  ) -> Tensor {
    let summed = gradient.shape == shape ? gradient : gradient.summed(to: shape, source)
    guard summed.dataType != dataType else { return summed }
    require(
      summed.dataType.isFloatingPoint,
      "\(source): the gradient is \(gradient.dataType), its input \(dataType)")
    return summed.converted(to: dataType)
  }
}

/// Where the leaves among an operation's inputs keep their gradients, for pullbacks that add to them.
struct LeafGradients {
  fileprivate let edges: [Operation.Edge]
  fileprivate let areAccessible: Bool

  /// The tensor that the gradient of an input may be written to, or must be added to if `adds`; nil if
  /// the pullback has to return the gradient.
  func destination(of input: Int) -> (gradient: Tensor, adds: Bool)? {
    guard areAccessible, let leaf = edges[input].leaf, leaf.hooks.isEmpty else { return nil }
    if let grad = leaf.grad {
      return grad.isContiguous && grad.operation == nil ? (grad, true) : nil
    }
    return leaf.gradientView.map { ($0, false) }
  }
}

extension Operation.Edge {
  fileprivate var leaf: Tensor? {
    if case .leaf(let leaf) = self { leaf } else { nil }
  }
}

extension Tensor {
  /// Makes what a pullback has written to the destination of this leaf its `grad`.
  fileprivate final func showAccumulatedGradient() {
    if grad == nil { grad = gradientView }
  }
}
