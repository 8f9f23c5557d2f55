import TensorCore

/// Matrices with a condition number near 1: the elements of the inputs beside a dominant diagonal.
private func regular(_ x: Tensor) -> Tensor {
  x + diagonal(x)
}

/// The numbers 6, 8, 10, … on a diagonal, so that eigenvalues and singular values differ.
private func diagonal(_ x: Tensor) -> Tensor {
  let (m, n) = (x.shape[x.shape.count - 2], x.shape[x.shape.count - 1])
  let elements = (0..<m * n).map { $0 / n == $0 % n ? Double(6 + 2 * ($0 % n)) : 0 }
  return withoutGrad { Tensor.of(elements, shape: [m, n]).converted(to: x.dataType) }
}

/// Symmetric matrices with positive eigenvalues.
private func positive(_ x: Tensor) -> Tensor { (x + x.transposed()) * 0.5 + diagonal(x) }

/// The rows of linear algebra.
///
/// Eigenvectors and singular vectors are checked by functions that do not depend on their signs.
let linearAlgebraGradientCases: [GradientCase] = [
  .init("solve(Tensor)", [3, 3], [3, 2]) { try regular($0[0]).solve($0[1]) },
  .init("solve(Tensor), a vector", [3, 3], [3]) { try regular($0[0]).solve($0[1]) },
  .init("solve(Tensor), broadcast batches", [2, 1, 3, 3], [4, 3, 2]) {
    try regular($0[0]).solve($0[1])
  },
  .init("inverse()", [2, 3, 3]) { try regular($0[0]).inverse() },
  .init("triangularSolve(Tensor, upper:left:unitriangular:)", [3, 3], [3, 2]) {
    regular($0[0]).triangularSolve($0[1], upper: true)
  },
  .init("triangularSolve(Tensor, upper:left:unitriangular:), lower, batches", [2, 3, 3], [3, 2]) {
    regular($0[0]).triangularSolve($0[1], upper: false)
  },
  .init("triangularSolve(Tensor, upper:left:unitriangular:), from the right", [3, 3], [2, 3]) {
    regular($0[0]).triangularSolve($0[1], upper: false, left: false)
  },
  .init("triangularSolve(Tensor, upper:left:unitriangular:), unit diagonal", [3, 3], [3, 2]) {
    ($0[0] * 0.25).triangularSolve($0[1], upper: true, unitriangular: true)
  },
  .init("choleskySolve(Tensor, upper:)", [3, 3], [3, 2]) {
    regular($0[0]).choleskySolve($0[1]) * 10
  },
  .init("choleskySolve(Tensor, upper:), upper", [3, 3], [3, 2]) {
    regular($0[0]).choleskySolve($0[1], upper: true) * 10
  },
  .init("lstsq(Tensor, relativeTolerance:)", [4, 2], [4, 3]) {
    try regular($0[0]).lstsq($0[1])
  },
  .init("determinant()", [2, 3, 3], range: -1...1) {
    ($0[0] + diagonal($0[0]) * 0.2).determinant()
  },
  .init("signAndLogDeterminant()", [2, 3, 3]) {
    regular($0[0]).signAndLogDeterminant().logarithm
  },
  .init("logDeterminant()", [3, 3]) { regular($0[0]).logDeterminant() },
  .init("cholesky(upper:)", [2, 3, 3]) { try positive($0[0]).cholesky() },
  .init("cholesky(upper:), upper", [3, 3]) { try positive($0[0]).cholesky(upper: true) },
  .init("qr()", [2, 4, 3]) {
    let (q, r) = regular($0[0]).qr()
    return .concatenated([q, r], axis: -2)
  },
  .init("qr(), square", [3, 3]) { regular($0[0]).qr().q },
  .init("qr(), wide", [2, 4]) {
    let (q, r) = regular($0[0]).qr()
    return .concatenated([q, r], axis: -1)
  },
  .init("eigh()", [2, 3, 3]) {
    let (values, vectors) = try positive($0[0]).eigh()
    return .concatenated([values.unsqueezed(axis: -2), vectors.squared()], axis: -2)
  },
  .init("eigvalsh()", [3, 3]) { try positive($0[0]).eigvalsh() },
  .init("svd()", [2, 3, 3]) {
    let (u, s, vh) = try regular($0[0]).svd()
    return .concatenated([u.squared(), s.unsqueezed(axis: -2), vh.squared()], axis: -2)
  },
  .init("svd(), tall", [4, 2]) {
    let (u, s, vh) = try regular($0[0]).svd()
    return .concatenated([u.squared(), s.unsqueezed(axis: -2), vh.squared()], axis: -2)
  },
  .init("svd(), wide", [2, 4]) {
    let (u, s, vh) = try regular($0[0]).svd()
    return .concatenated([u.squared(), s.unsqueezed(axis: -1), vh.squared()], axis: -1)
  },
  .init("svdvals()", [3, 2]) { try regular($0[0]).svdvals() },
  .init("pinverse(relativeTolerance:)", [2, 4, 3]) { try regular($0[0]).pinverse() },
  .init("pinverse(relativeTolerance:), wide", [2, 4]) { try regular($0[0]).pinverse() },
  .init("matrixPower(Int)", [2, 3, 3], range: -0.8...0.8) { try $0[0].matrixPower(5) },
  .init("matrixPower(Int), negative", [3, 3]) { try (regular($0[0]) * 0.2).matrixPower(-2) },
  .init("matrixExp()", [2, 3, 3], range: -1...1) { $0[0].matrixExp() },
]
