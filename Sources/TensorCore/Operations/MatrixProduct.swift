internal import CKernels

extension Tensor {
  /// The matrix product.
  ///
  /// As in NumPy and PyTorch: `[..., m, k]` times `[..., k, n]` is `[..., m, n]`; leading axes are
  /// batches and are broadcast. A vector is a row on the left and a column on the right; the product of
  /// two vectors is their dot product.
  ///
  /// The gradients are `dy bᵀ` and `aᵀ dy`.
  public final func matmul(_ other: Tensor) -> Tensor {
    requireFloatingPoint("matmul", self, other)
    require(
      shape.count > 0 && other.shape.count > 0,
      "matmul: \(shape) × \(other.shape); use * to multiply with a scalar")
    if shape.count == 1 {
      return unsqueezed(axis: 0).matmul(other).squeezed(axis: other.shape.count == 1 ? 0 : -2)
    }
    if other.shape.count == 1 { return matmul(other.unsqueezed(axis: 1)).squeezed(axis: -1) }
    checkInnerSizes(self, other)
    if shape.count == 2, other.shape.count == 2 { return asFactor.affine("Matmul", other) }
    return asFactor.batchedProduct(other)
  }

  /// x W + b over the last axis: `[..., inputs]` becomes `[..., outputs]`, for a weight `[inputs, outputs]`,
  /// as in GPT-2; PyTorch's `addmm`.
  ///
  /// The gradients are `dy Wᵀ`, `xᵀ dy` and the sum of `dy` over the rows.
  public final func matmul(_ weight: Tensor, adding bias: Tensor) -> Tensor {
    require(
      weight.shape.count == 2 && shape.last == weight.shape[0] && bias.shape == [weight.shape[1]],
      "matmul: an input of shape \(shape) for a weight of shape \(weight.shape) ([inputs, outputs]) and a bias of shape \(bias.shape)"
    )
    requireFloatingPoint("matmul", self, weight, bias)
    return withRows { $0.affine("Linear", weight, bias) }
  }

  /// x Wᵀ + b over the last axis: `[..., inputs]` becomes `[..., outputs]`, for a weight `[outputs,
  /// inputs]`.
  ///
  /// With `relu`, negative elements of the result become 0, while they are stored.
  ///
  /// The gradients are `dy W`, `dyᵀ x` and the sum of `dy` over the rows.
  public final func linear(weight: Tensor, bias: Tensor? = nil, relu: Bool = false) -> Tensor {
    require(
      weight.shape.count == 2 && shape.last == weight.shape[1],
      "linear: an input of shape \(shape) for a weight of shape \(weight.shape) ([outputs, inputs])"
    )
    require(
      bias == nil || bias!.shape == [weight.shape[0]],
      "linear: a bias of shape \(bias!.shape) for a weight of shape \(weight.shape)")
    requireFloatingPoint("linear", self, weight, bias)
    return withRows { $0.affine("Linear", weight, isTransposed: true, bias, relu: relu) }
  }

  /// Applies a function of a matrix to the rows `[..., k]` of this tensor.
  private func withRows(_ body: (Tensor) -> Tensor) -> Tensor {
    let x = asFactor
    guard shape.count != 2 else { return body(x) }
    let y = body(x.reshaped(to: [shape.dropLast().reduce(1, *), shape.last!]))
    var target = shape
    target[shape.count - 1] = y.shape[1]
    return y.reshaped(to: target)
  }

  /// x W + b, or x Wᵀ + b if `isTransposed`, for a matrix x; without what is negative if `relu`.
  private func affine(
    _ name: StaticString, _ weight: Tensor, isTransposed: Bool = false, _ bias: Tensor? = nil,
    relu: Bool = false
  ) -> Tensor {
    let factor = isTransposed ? weight.swappedView() : weight
    let y = Tensor(uninitialized: [shape[0], factor.shape[1]], productType(self, weight))
    Products.multiply(into: y, self, factor, adds: false, bias: bias, relu: relu)
    guard let operation = y.record(name, [self, weight, bias].compactMap { $0 }) else { return y }
    let savedX = weight.requiresGrad ? Saved(self, by: name) : nil
    let savedWeight = requiresGrad ? Saved(weight, by: name) : nil
    // Outside the graph, so that there is no reference cycle.
    let savedResult = relu ? Saved(y.detached(), by: name) : nil
    let (hasBias, needsBias) = (bias != nil, bias?.requiresGrad ?? false)
    let (inputType, weightType) = (dataType, weight.dataType)
    operation.pullback = .accumulating { [unowned operation] dy, leaves in
      let dy = savedResult.map { dy.gated(by: $0(), of: operation) } ?? dy
      var gradients: [InputGradient] = [
        savedWeight.map { weight in
          gradientProduct(
            dy, isTransposed ? weight() : weight().transposed(), leaves.destination(of: 0),
            inputType)
        } ?? .none,
        savedX.map { x in
          let (a, b) = isTransposed ? (dy, x()) : (x(), dy)
          return gradientProduct(a.transposed(), b, leaves.destination(of: 1), weightType)
        } ?? .none,
      ]
      if hasBias { gradients.append(needsBias ? sumOfRows(dy, leaves.destination(of: 2)) : .none) }
      return gradients
    }
    return y
  }

  /// This gradient of a result of ReLU, `y`, that `operation` computed: 0 where y is.
  final func gated(by y: Tensor, of operation: Operation) -> Tensor {
    fused {
      mapped(ck_relu_backward, y)
    } composed: {
      let y = y.detached()
      y.operation = operation
      return Tensor.where(y .<= 0, 0, self)
    }
  }

  /// This matrix with its axes swapped, a view outside the graph.
  private func swappedView() -> Tensor {
    view([shape[1], shape[0]], [strides[1], strides[0]], offset, false)
  }

  private func batchedProduct(_ other: Tensor) -> Tensor {
    // A batch of rows times one matrix is one large product.
    if other.shape.count == 2 {
      var target = shape
      target[shape.count - 1] = other.shape[1]
      let rows = shape.dropLast().reduce(1, *)
      return reshaped(to: [rows, shape[-1]]).matmul(other).reshaped(to: target)
    }
    let (m, k, n) = (shape[shape.count - 2], shape.last!, other.shape.last!)
    guard
      let batch = TensorShape.broadcast(
        TensorShape(shape.dropLast(2)), TensorShape(other.shape.dropLast(2)))
    else {
      fatalError("matmul: the batches of \(shape) × \(other.shape) do not broadcast")
    }
    func batched(_ x: Tensor, _ rows: Int, _ columns: Int) -> Tensor {
      var target = batch
      target.append(rows)
      target.append(columns)
      return x.expanded(to: target)
    }
    let a = withoutGrad { batched(self, m, k) }
    let b = withoutGrad { batched(other, k, n) }
    let y = Tensor(
      uninitialized: batched(self, m, k).shape.replacingLast(n), productType(self, other))
    let loop = StridedLoop(
      shape: batch, TensorShape(a.strides.dropLast(2)), TensorShape(b.strides.dropLast(2)))
    loop.forEachElement { aOffset, bOffset, index in
      Products.multiply(
        into: y.view([m, n], [n, 1], index * m * n, true),
        a.view([m, k], TensorShape(a.strides.suffix(2)), a.offset + aOffset, false),
        b.view([k, n], TensorShape(b.strides.suffix(2)), b.offset + bOffset, false), adds: false)
    }
    let left = other.requiresGrad ? Saved(self, by: "Matmul") : nil
    let right = requiresGrad ? Saved(other, by: "Matmul") : nil
    return y.recorded("Matmul", from: self, other) { dy in
      [right.map { dy.matmul($0().transposed()) }, left.map { $0().transposed().matmul(dy) }]
    }
  }
}

/// The type of a product: bfloat16 if an operand is.
private func productType(_ a: Tensor, _ b: Tensor) -> DataType {
  b.dataType == .bfloat16 ? .bfloat16 : a.dataType
}

/// The product a b, written or added to the destination if there is one and it is not an operand; else of
/// a type.
private func gradientProduct(
  _ a: Tensor, _ b: Tensor, _ destination: (gradient: Tensor, adds: Bool)?, _ type: DataType
) -> InputGradient {
  if let (gradient, adds) = destination, gradient.storage !== a.storage,
    gradient.storage !== b.storage
  {
    Products.multiply(into: gradient, a, b, adds: adds)
    return .accumulated
  }
  if isGradientEnabled { return .value(a.matmul(b)) }
  let y = Tensor(uninitialized: [a.shape[0], b.shape[1]], type)
  Products.multiply(into: y, a, b, adds: false)
  return .value(y)
}

/// The sum of the rows of `dy`, written to the destination if there is one and it is empty.
private func sumOfRows(
  _ dy: Tensor, _ destination: (gradient: Tensor, adds: Bool)?
) -> InputGradient {
  guard let (gradient, adds) = destination, !adds else { return .value(dy.sum(axes: [0])) }
  let x = dy.contiguousUnrecorded()
  gradient.storage.version += 1
  ck_sum(x.dataType.kernelType, gradient.bytes, x.bytes, 1, x.shape[0], x.shape[1])
  return .accumulated
}

private func checkInnerSizes(_ a: Tensor, _ b: Tensor) {
  let (k, l) = (a.shape[a.shape.count - 1], b.shape[b.shape.count - 2])
  let hint = b.shape.last == k ? "; do you mean the second one transposed()?" : ""
  require(k == l, "matmul: \(a.shape) × \(b.shape): \(k) columns and \(l) rows\(hint)")
}

extension TensorShape {
  fileprivate func replacingLast(_ size: Int) -> TensorShape {
    var result = self
    result[count - 1] = size
    return result
  }
}
