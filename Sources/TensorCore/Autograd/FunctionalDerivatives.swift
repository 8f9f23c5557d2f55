// Derivatives of functions of tensors: what `torch.autograd.functional` has.
//
// All take `at:` one tensor and a function of it, or an array of tensors and a function of an array.
// The function is called with leaves that share the memory of the inputs, so no `grad` changes. With
// `createGraph` the leaves are views of the inputs in their graph, and the derivative can itself be
// differentiated with respect to inputs that require gradients.

/// The value of a function and the product of a vector with its Jacobian, `vᵀ J`: one backward pass.
///
///     let (y, product) = vjp(at: x, v) { x in x.exp() }
///
/// - Parameters:
///   - inputs: Where to differentiate.
///   - vector: A tensor of the shape of the function's value; nil stands for 1, for a single number.
///   - createGraph: Whether the result can be differentiated.
///   - function: The function.
/// - Returns: The value, and one product for each input, zeros where the value does not depend on it.
public func vjp(
  at inputs: [Tensor], _ vector: Tensor? = nil, createGraph: Bool = false,
  _ function: ([Tensor]) throws -> Tensor
) rethrows -> (value: Tensor, product: [Tensor]) {
  let (leaves, y) = try valueAtLeaves("vjp", inputs, createGraph, function)
  let products = gradientsOrZeros(y, leaves, vector, "vjp", createGraph: createGraph)
  return (createGraph ? y : y.detached(), products)
}

/// The value of a function of one tensor and the product of a vector with its Jacobian, `vᵀ J`.
public func vjp(
  at input: Tensor, _ vector: Tensor? = nil, createGraph: Bool = false,
  _ function: (Tensor) throws -> Tensor
) rethrows -> (value: Tensor, product: Tensor) {
  let (y, products) = try vjp(at: [input], vector, createGraph: createGraph) {
    try function($0[0])
  }
  return (y, products[0])
}

/// The value of a function and the product of its Jacobian with vectors, `J v`: the derivative of the
/// value in the direction v.
///
///     let (y, change) = jvp(at: x, direction) { x in x.exp() }
///
/// It is computed by two backward passes, as in `torch.autograd.functional.jvp`: `vᵀ J` is linear in
/// its vector, and the gradient of that is `J v`. Every operation of the function must therefore be
/// twice differentiable; one that is not stops with its name. It costs about three evaluations, and
/// keeps the graph, as forward mode would not.
///
/// - Parameters:
///   - inputs: Where to differentiate.
///   - vectors: One tensor for each input, of its shape.
///   - createGraph: Whether the result can be differentiated.
///   - function: The function.
public func jvp(
  at inputs: [Tensor], _ vectors: [Tensor], createGraph: Bool = false,
  _ function: ([Tensor]) throws -> Tensor
) rethrows -> (value: Tensor, product: Tensor) {
  requireVectors("jvp", inputs, vectors)
  let (leaves, y) = try valueAtLeaves("jvp", inputs, createGraph, function)
  // The derivative by this vector is taken; its elements do not matter.
  let u = Tensor.zeros(y.shape, y.dataType)
  u.requiresGrad = true
  let products = gradientsOrZeros(y, leaves, u, "jvp", createGraph: true)
  let value = createGraph ? y : y.detached()
  let pairs = zip(products, vectors).filter { $0.0.requiresGrad }
  guard !pairs.isEmpty else { return (value, .zeros(y.shape, y.dataType)) }
  let result = grad(
    of: pairs.map(\.0), withRespectTo: [u], gradients: pairs.map(\.1), createGraph: createGraph)
  return (value, result[0] ?? .zeros(y.shape, y.dataType))
}

/// The value of a function of one tensor and the product of its Jacobian with a vector, `J v`.
public func jvp(
  at input: Tensor, _ vector: Tensor, createGraph: Bool = false,
  _ function: (Tensor) throws -> Tensor
) rethrows -> (value: Tensor, product: Tensor) {
  try jvp(at: [input], [vector], createGraph: createGraph) { try function($0[0]) }
}

/// The Jacobian of a function: for each input a tensor whose shape is that of the value followed by
/// that of the input, the derivative of each element by each element.
///
/// It takes one backward pass for each element of the value.
public func jacobian(
  at inputs: [Tensor], createGraph: Bool = false, _ function: ([Tensor]) throws -> Tensor
) rethrows -> [Tensor] {
  let (leaves, y) = try valueAtLeaves("jacobian", inputs, createGraph, function)
  var rows = inputs.map { _ in [Tensor]() }
  for element in 0..<y.count {
    let unit = Tensor.zeros([y.count], y.dataType)
    unit.setElement(element, to: 1)
    let products = gradientsOrZeros(
      y, leaves, withoutGrad { unit.reshaped(to: y.shape) }, "jacobian", createGraph: createGraph,
      retainGraph: element < y.count - 1)
    for (index, product) in products.enumerated() { rows[index].append(product) }
  }
  return zip(rows, inputs).map { rows, input in
    let shape = TensorShape(y.shape.array + input.shape.array)
    if rows.isEmpty { return .zeros(shape, input.dataType) }
    return withGradientMode(createGraph) { Tensor.stacked(rows).reshaped(to: shape) }
  }
}

/// The Jacobian of a function of one tensor: its shape is that of the value followed by that of the
/// input.
public func jacobian(
  at input: Tensor, createGraph: Bool = false, _ function: (Tensor) throws -> Tensor
) rethrows -> Tensor {
  try jacobian(at: [input], createGraph: createGraph) { try function($0[0]) }[0]
}

/// The Hessian of a function whose value is a single number: `[i][j]` has the shape of input i followed
/// by that of input j, the second derivative by each pair of elements.
///
/// Every operation must be twice differentiable. It takes one backward pass for each element of the
/// inputs.
public func hessian(
  at inputs: [Tensor], createGraph: Bool = false, _ function: ([Tensor]) throws -> Tensor
) rethrows -> [[Tensor]] {
  try inputs.indices.map { index in
    try jacobian(at: inputs, createGraph: createGraph) { leaves in
      let y = try function(leaves)
      requireNumber("hessian", y)
      return gradientsOrZeros(y, leaves, nil, "hessian", createGraph: true)[index]
    }
  }
}

/// The Hessian of a function of one tensor whose value is a single number: the shape of the input twice.
public func hessian(
  at input: Tensor, createGraph: Bool = false, _ function: (Tensor) throws -> Tensor
) rethrows -> Tensor {
  try hessian(at: [input], createGraph: createGraph) { try function($0[0]) }[0][0]
}

/// The value of a function, a single number, and the product of its Hessian with vectors, `H v`, without
/// the Hessian: two backward passes.
///
/// The Hessian is symmetric, so this is also PyTorch's `vhp`.
///
/// - Parameters:
///   - inputs: Where to differentiate.
///   - vectors: One tensor for each input, of its shape.
///   - createGraph: Whether the result can be differentiated.
///   - function: The function.
public func hvp(
  at inputs: [Tensor], _ vectors: [Tensor], createGraph: Bool = false,
  _ function: ([Tensor]) throws -> Tensor
) rethrows -> (value: Tensor, product: [Tensor]) {
  requireVectors("hvp", inputs, vectors)
  let (leaves, y) = try valueAtLeaves("hvp", inputs, createGraph, function)
  requireNumber("hvp", y)
  let gradients = gradientsOrZeros(y, leaves, nil, "hvp", createGraph: true)
  let value = createGraph ? y : y.detached()
  let pairs = zip(gradients, vectors).filter { $0.0.requiresGrad }
  guard !pairs.isEmpty else { return (value, leaves.map { .zeros($0.shape, $0.dataType) }) }
  let products = grad(
    of: pairs.map(\.0), withRespectTo: leaves, gradients: pairs.map(\.1), createGraph: createGraph)
  return (value, zip(products, leaves).map { $0 ?? .zeros($1.shape, $1.dataType) })
}

/// The value of a function of one tensor, a single number, and the product of its Hessian with a vector.
public func hvp(
  at input: Tensor, _ vector: Tensor, createGraph: Bool = false,
  _ function: (Tensor) throws -> Tensor
) rethrows -> (value: Tensor, product: Tensor) {
  let (y, products) = try hvp(at: [input], [vector], createGraph: createGraph) {
    try function($0[0])
  }
  return (y, products[0])
}

// MARK: - Parts

/// Leaves with the elements of the inputs, and the function's value there.
private func valueAtLeaves(
  _ caller: StaticString, _ inputs: [Tensor], _ createGraph: Bool,
  _ function: ([Tensor]) throws -> Tensor
) rethrows -> (leaves: [Tensor], value: Tensor) {
  for input in inputs { requireFloatingPoint(caller, input) }
  return try withGradientMode(true) {
    let leaves = inputs.map { input in
      if createGraph, input.requiresGrad { return input.reshaped(to: input.shape) }
      let leaf = input.detached()
      leaf.requiresGrad = true
      return leaf
    }
    return (leaves, try function(leaves))
  }
}

private func gradientsOrZeros(
  _ y: Tensor, _ leaves: [Tensor], _ vector: Tensor?, _ caller: StaticString, createGraph: Bool,
  retainGraph: Bool = false
) -> [Tensor] {
  require(
    vector == nil ? y.count == 1 : vector!.shape == y.shape && vector!.dataType == y.dataType,
    vector.map {
      "\(caller): a vector \($0.dataType) \($0.shape) for a value \(y.dataType) \(y.shape)"
    } ?? "\(caller): a value of shape \(y.shape) needs a vector of that shape")
  guard y.requiresGrad else { return leaves.map { .zeros($0.shape, $0.dataType) } }
  let gradients = grad(
    of: y, withRespectTo: leaves, gradient: vector, retainGraph: retainGraph,
    createGraph: createGraph)
  return zip(gradients, leaves).map { $0 ?? .zeros($1.shape, $1.dataType) }
}

private func requireNumber(_ caller: StaticString, _ y: Tensor) {
  require(y.count == 1, "\(caller): the value must be a single number, not of shape \(y.shape)")
}

private func requireVectors(_ caller: StaticString, _ inputs: [Tensor], _ vectors: [Tensor]) {
  require(
    inputs.count == vectors.count,
    "\(caller): \(vectors.count) vectors for \(inputs.count) inputs")
  for (input, vector) in zip(inputs, vectors) {
    require(
      input.shape == vector.shape && input.dataType == vector.dataType,
      "\(caller): a vector \(vector.dataType) \(vector.shape) for an input \(input.dataType) \(input.shape)"
    )
  }
}

extension Tensor {
  /// Writes an element of this dense tensor.
  fileprivate final func setElement(_ index: Int, to value: Double) {
    (elements + index).update(repeating: value, count: 1)
  }
}
