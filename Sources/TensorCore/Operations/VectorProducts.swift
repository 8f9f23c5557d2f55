// Products of vectors and of matrices that are no matrix products.

extension Tensor {
  /// The product of each element of this vector with each of another: `[n]` and `[m]` give `[n, m]`.
  public final func outer(_ other: Tensor) -> Tensor {
    require(
      shape.count == 1 && other.shape.count == 1,
      "outer: vectors are needed, not \(shape) and \(other.shape)")
    return unsqueezed(axis: 1) * other.unsqueezed(axis: 0)
  }

  /// The sum of the products of two vectors' elements.
  public final func dot(_ other: Tensor) -> Tensor {
    require(
      shape.count == 1 && shape == other.shape,
      "dot: vectors of one length are needed, not \(shape) and \(other.shape)")
    return dataType.isFloatingPoint ? matmul(other) : (self * other).sum()
  }

  /// The Kronecker product: each element of this tensor times the other one, in its place.
  public final func kron(_ other: Tensor) -> Tensor {
    let count = Swift.max(shape.count, other.shape.count)
    func filled(_ shape: TensorShape) -> [Int] {
      [Int](repeating: 1, count: count - shape.count) + shape.array
    }
    let (a, b) = (filled(shape), filled(other.shape))
    let left = reshaped(to: TensorShape(a.flatMap { [$0, 1] }))
    let right = other.reshaped(to: TensorShape(b.flatMap { [1, $0] }))
    return (left * right).reshaped(to: TensorShape(zip(a, b).map { $0 * $1 }))
  }

  /// The cross product of vectors of three elements along an axis; other axes are broadcast.
  public final func cross(_ other: Tensor, axis: Int = -1) -> Tensor {
    guard let target = TensorShape.broadcast(shape, other.shape) else {
      fatalError("cross: the shapes \(shape) and \(other.shape) do not broadcast")
    }
    let axis = target.normalized(axis: axis, operation: "cross")
    require(
      target[axis] == 3, "cross: axis \(axis) of \(shape) and \(other.shape) is not of size 3")
    let (a, b) = (expanded(to: target), other.expanded(to: target))
    let (a1, b1) = (a.rolled(-1, axis: axis), b.rolled(-1, axis: axis))
    let (a2, b2) = (a.rolled(-2, axis: axis), b.rolled(-2, axis: axis))
    return a1 * b2 - a2 * b1
  }
}
