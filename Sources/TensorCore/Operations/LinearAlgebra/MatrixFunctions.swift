// Functions of square matrices, composed of products.

extension Tensor {
  /// Each matrix `[..., n, n]` to a whole power: `torch.linalg.matrix_power`.
  ///
  /// A negative power is that of the inverse; throws `LinearAlgebraError` if it does not exist.
  public final func matrixPower(_ exponent: Int) throws(LinearAlgebraError) -> Tensor {
    requireSquare("matrixPower")
    if exponent < 0 {
      do {
        return try inverse().matrixPower(-exponent)
      } catch {
        throw LinearAlgebraError("matrixPower", error.reason, shape, matrix: error.matrix)
      }
    }
    var result: Tensor?
    var (square, rest) = (self, exponent)
    while rest > 0 {
      if rest % 2 == 1 { result = result.map { $0.matmul(square) } ?? square }
      rest /= 2
      if rest > 0 { square = square.matmul(square) }
    }
    return result?.copy() ?? Tensor.identity(shape.last!, dataType).expanded(to: shape).copy()
  }

  /// The exponential of each matrix `[..., n, n]`, the sum of `Aᵏ / k!`: `torch.matrix_exp`.
  ///
  /// The matrices are divided by a power of 2, so that their norm is at most 1/2 and fifteen terms
  /// suffice, and the result is squared as often (Higham, "Functions of matrices", 2008, section 10.3).
  public final func matrixExp() -> Tensor {
    requireSquare("matrixExp")
    if dataType == .bfloat16 { return widened.matrixExp().converted(to: dataType) }
    if count == 0 { return copy() }
    let norm = withoutGrad { abs().sum(axes: [-2]).max().item() }
    let squarings = norm.isFinite && norm > 0.5 ? norm.exponent + 2 : 0
    let a = self * Double(sign: .plus, exponent: -squarings, significand: 1)
    let identity = Tensor.identity(shape.last!, dataType)
    var y = identity + a / 15
    for k in stride(from: 14, through: 1, by: -1) { y = identity + a.matmul(y) / Double(k) }
    for _ in 0..<squarings { y = y.matmul(y) }
    return y
  }
}
