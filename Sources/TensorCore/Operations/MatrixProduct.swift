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
    if shape.count == 2, other.shape.count == 2 { return product(other) }
    return batchedProduct(other)
  }

  /// `[m, k]` times `[k, n]`.
  private func product(_ other: Tensor) -> Tensor {
    let y = Tensor(uninitialized: [shape[0], other.shape[1]], dataType)
    BLAS.multiply(into: y, self, other, adds: false)
    let a = other.requiresGrad ? Saved(self, by: "Matmul") : nil
    let b = requiresGrad ? Saved(other, by: "Matmul") : nil
    return y.recorded(
      "Matmul", from: self, other,
      accumulating: { dy, leaves in
        [
          b.map { gradientProduct(dy, $0().transposed(), leaves.destination(of: 0)) } ?? .none,
          a.map { gradientProduct($0().transposed(), dy, leaves.destination(of: 1)) } ?? .none,
        ]
      })
  }

  /// x Wᵀ + b over the last axis: `[..., inputs]` becomes `[..., outputs]`, for a weight `[outputs,
  /// inputs]`.
  ///
  /// The gradients are `dy W`, `dyᵀ x` and the sum of `dy` over the rows.
  public final func linear(weight: Tensor, bias: Tensor? = nil) -> Tensor {
    require(
      weight.shape.count == 2 && shape.last == weight.shape[1],
      "linear: an input of shape \(shape) for a weight of shape \(weight.shape) ([outputs, inputs])"
    )
    require(
      bias == nil || bias!.shape == [weight.shape[0]],
      "linear: a bias of shape \(bias!.shape) for a weight of shape \(weight.shape)")
    requireFloatingPoint("linear", self, weight, bias)
    guard shape.count == 2 else {
      var target = shape
      target[shape.count - 1] = weight.shape[0]
      return reshaped(to: [shape.dropLast().reduce(1, *), weight.shape[1]])
        .linear(weight: weight, bias: bias).reshaped(to: target)
    }
    let y = Tensor(uninitialized: [shape[0], weight.shape[0]], dataType)
    BLAS.multiply(
      into: y, self,
      weight.view(
        [weight.shape[1], weight.shape[0]], [weight.strides[1], weight.strides[0]], weight.offset,
        false), adds: false)
    if let bias { y.addRow(bias) }
    let x = weight.requiresGrad ? Saved(self, by: "Linear") : nil
    let w = requiresGrad ? Saved(weight, by: "Linear") : nil
    let hasBias = bias != nil
    let pullback: AccumulatingPullback = { dy, leaves in
      var gradients: [InputGradient] = [
        w.map { .value(dy.matmul($0())) } ?? .none,
        x.map { gradientProduct(dy.transposed(), $0(), leaves.destination(of: 1)) } ?? .none,
      ]
      if hasBias { gradients.append(sumOfRows(dy, leaves.destination(of: 2))) }
      return gradients
    }
    if let bias { return y.recorded("Linear", from: self, weight, bias, accumulating: pullback) }
    return y.recorded("Linear", from: self, weight, accumulating: pullback)
  }

  /// Adds `row` to each row, in place and outside the graph.
  private func addRow(_ row: Tensor) {
    let row = row.contiguousUnrecorded()
    ck_add_row(dataType.kernelType, bytes, row.bytes, shape[0], shape[1])
  }

  private func batchedProduct(_ other: Tensor) -> Tensor {
    // A batch of rows times one matrix is one large product.
    if other.shape.count == 2 {
      var target = shape
      target[shape.count - 1] = other.shape[1]
      return reshaped(to: [-1, shape.last!]).product(other).reshaped(to: target)
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
    let y = Tensor(uninitialized: batched(self, m, k).shape.replacingLast(n), dataType)
    let loop = StridedLoop(
      shape: batch, TensorShape(a.strides.dropLast(2)), TensorShape(b.strides.dropLast(2)))
    loop.forEachElement { aOffset, bOffset, index in
      BLAS.multiply(
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

/// The product a b, written or added to the destination if there is one and it is not an operand.
private func gradientProduct(
  _ a: Tensor, _ b: Tensor, _ destination: (gradient: Tensor, adds: Bool)?
) -> InputGradient {
  guard let (gradient, adds) = destination, gradient.storage !== a.storage,
    gradient.storage !== b.storage
  else { return .value(a.matmul(b)) }
  BLAS.multiply(into: gradient, a, b, adds: adds)
  return .accumulated
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
