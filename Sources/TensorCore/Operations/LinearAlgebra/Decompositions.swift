// Decompositions of matrices, by LAPACK.
//
// Each result has a gradient of its own: the gradient of a decomposition is linear in those of its
// results. For gradients of gradients a pullback decomposes the saved matrix again, recorded.

extension Tensor {
  /// The lower triangular L with A = L Lᵀ, for symmetric positive definite matrices `[..., n, n]`; with
  /// `upper`, its transpose: `torch.linalg.cholesky`.
  ///
  /// Only the lower triangle of A is read. Throws `LinearAlgebraError` if a matrix is not positive definite.
  ///
  /// The gradient is `L⁻ᵀ S L⁻¹`, where S is the symmetric part of the lower triangle of `Lᵀ dL` (Murray,
  /// "Differentiation of the Cholesky decomposition", 2016).
  public final func cholesky(upper: Bool = false) throws(LinearAlgebraError) -> Tensor {
    requireSquare("cholesky")
    if upper { return try cholesky().transposed().contiguous() }
    if dataType == .bfloat16 { return try widened.cholesky().converted(to: dataType) }
    let n = shape.last!
    // The lower triangle of a row-major matrix is the upper one of LAPACK's.
    let factors = denseCopy()
    func run<Scalar: LAPACKScalar>(_: Scalar.Type) -> Int? {
      forEachMatrix(matrixCount, size: n) { index in
        let a = factors.matrix(index, Scalar.self)
        let info = Scalar.factorCholesky(a, n)
        for row in 0..<n {
          for column in row + 1..<Swift.max(n, row + 1) { a[row * n + column] = 0 }
        }
        return info
      }?.matrix
    }
    let failed = n == 0 ? nil : dataType == .float64 ? run(Double.self) : run(Float.self)
    if let failed {
      throw LinearAlgebraError("cholesky", .notPositiveDefinite, shape, matrix: failed)
    }
    return factors.recorded(
      "Cholesky", from: self,
      withResult: { dl, l in
        let half = Tensor.mask(n, n, l.dataType, diagonal: 0.5) { $0 >= $1 }
        let lower = l.transposed().matmul(dl) * half
        let inner = l.transposed().triangularSolve(
          (lower + lower.transposed()) * 0.5, upper: true)
        return [l.triangularSolve(inner, upper: false, left: false)]
      })
  }

  /// The orthonormal columns Q and the upper triangular R with A = Q R: `torch.linalg.qr`.
  ///
  /// For A `[..., m, n]` and k, the smaller of m and n, Q is `[..., m, k]` and R `[..., k, n]`. The signs of
  /// the diagonal of R are LAPACK's, as in PyTorch.
  ///
  /// The gradient is `(dQ + Q copyltu(R dRᵀ - dQᵀ Q)) R⁻ᵀ`, where `copyltu` mirrors the lower triangle
  /// (Seeger et al., "Auto-differentiating linear algebra", 2017), for the first k columns of a full rank.
  public final func qr() -> (q: Tensor, r: Tensor) {
    requireMatrix("qr")
    if dataType == .bfloat16 {
      let (q, r) = widened.qr()
      return (q.converted(to: dataType), r.converted(to: dataType))
    }
    let (m, n) = (shape[shape.count - 2], shape.last!)
    if m < n {
      // The remaining columns are combinations of the first m.
      let (q, r) = sliced(0..<m, axis: -1).qr()
      let rest = q.transposed().matmul(sliced(m..<n, axis: -1))
      return (q, .concatenated([r, rest], axis: -1))
    }
    let (q, r) = factorQR(m, n)
    let saved = Saved(self, by: "QR")
    let values = (Saved(q.detached(), by: "QR"), Saved(r.detached(), by: "QR"))
    func factors() -> (q: Tensor, r: Tensor) {
      fused {
        (values.0(), values.1())
      } composed: {
        saved().qr()
      }
    }
    func gradient(_ first: Tensor?, _ product: Tensor, _ q: Tensor, _ r: Tensor) -> Tensor {
      let lower = product * Tensor.mask(n, n, product.dataType) { $0 >= $1 }
      let strict = product * Tensor.mask(n, n, product.dataType) { $0 > $1 }
      let inner = q.matmul(lower + strict.transposed())
      return r.transposed().triangularSolve(
        first.map { $0 + inner } ?? inner, upper: false, left: false)
    }
    return (
      q.recorded("QR", from: self) { dq in
        let (q, r) = factors()
        return [gradient(dq, -dq.transposed().matmul(q), q, r)]
      },
      r.recorded("QR", from: self) { dr in
        let (q, r) = factors()
        return [gradient(nil, r.matmul(dr.transposed()), q, r)]
      }
    )
  }

  private final func factorQR(_ m: Int, _ n: Int) -> (q: Tensor, r: Tensor) {
    let work = transposedCopy()
    let r = Tensor.zeros(TensorShape(batchShape.array + [n, n]), dataType)
    func run<Scalar: LAPACKScalar>(_: Scalar.Type) {
      _ = forEachMatrix(matrixCount, size: m) { index in
        let (a, r) = (work.matrix(index, Scalar.self), r.matrix(index, Scalar.self))
        return withUnsafeTemporaryAllocation(of: Scalar.self, capacity: n) { tau in
          _ = Scalar.factorQR(a, m, n, tau.baseAddress!)
          for row in 0..<n {
            for column in row..<n { r[row * n + column] = a[column * m + row] }
          }
          return Scalar.formQ(a, m, n, tau.baseAddress!)
        }
      }
    }
    if work.count > 0 { dataType == .float64 ? run(Double.self) : run(Float.self) }
    return (work.transposedCopy(), r)
  }

  /// The eigenvalues `[..., n]`, in ascending order, and the eigenvectors, as columns `[..., n, n]`, of
  /// symmetric matrices: `torch.linalg.eigh`.
  ///
  /// Only the lower triangle is read. Throws `LinearAlgebraError` for NaN and infinity, and if the iteration
  /// does not converge. The sign of an eigenvector is arbitrary, and so is the basis where an eigenvalue
  /// repeats: only functions that do not depend on them have a gradient, and through the vectors it is
  /// infinite where an eigenvalue repeats.
  ///
  /// The gradient is the symmetric part of `V (diag(dλ) + (Vᵀ dV) / E) Vᵀ`, where `E[i, j] = λ[j] - λ[i]`
  /// (Giles, 2008): the one for symmetric changes of A, as in PyTorch.
  public final func eigh() throws(LinearAlgebraError) -> (values: Tensor, vectors: Tensor) {
    requireSquare("eigh")
    if dataType == .bfloat16 {
      let (values, vectors) = try widened.eigh()
      return (values.converted(to: dataType), vectors.converted(to: dataType))
    }
    let (w, v) = try factorSymmetric()
    let saved = Saved(self, by: "Eigh")
    let results = (Saved(w.detached(), by: "Eigh"), Saved(v.detached(), by: "Eigh"))
    func factors() -> (Tensor, Tensor) {
      fused {
        (results.0(), results.1())
      } composed: {
        again { () throws(LinearAlgebraError) in try saved().eigh() }
      }
    }
    return (
      w.recorded("Eigh", from: self) { dw in
        let (_, v) = factors()
        return [v.scalingColumns(by: dw).matmul(v.transposed())]
      },
      v.recorded("Eigh", from: self) { dv in
        let (w, v) = factors()
        let vt = v.transposed()
        let product = vt.matmul(dv)
        let half = (product - product.transposed()) * 0.5
        return [v.matmul(half.dividedByDifferences(of: w)).matmul(vt)]
      }
    )
  }

  /// The eigenvalues of symmetric matrices `[..., n, n]`, in ascending order: `torch.linalg.eigvalsh`.
  ///
  /// The gradient is `V diag(dλ) Vᵀ`.
  public final func eigvalsh() throws(LinearAlgebraError) -> Tensor { try eigh().values }

  private final func factorSymmetric() throws(LinearAlgebraError) -> (w: Tensor, v: Tensor) {
    try checkFinite("eigh")
    let n = shape.last!
    let work = denseCopy()
    let w = Tensor(uninitialized: TensorShape(shape.dropLast()), dataType)
    func run<Scalar: LAPACKScalar>(_: Scalar.Type) -> Int? {
      forEachMatrix(matrixCount, size: n) { index in
        Scalar.factorSymmetric(
          work.matrix(index, Scalar.self), n, w.pointer(Scalar.self) + index * n)
      }?.matrix
    }
    let failed = n == 0 ? nil : dataType == .float64 ? run(Double.self) : run(Float.self)
    if let failed { throw LinearAlgebraError("eigh", .notConverged, shape, matrix: failed) }
    return (w, work.transposedCopy())
  }

  /// Each element divided by `values[j] - values[i]`, those of the diagonal by 1 and then made 0.
  final func dividedByDifferences(of values: Tensor) -> Tensor {
    let n = values.shape.last!
    let identity = Tensor.identity(n, dataType)
    let differences =
      values.unsqueezed(axis: -2) - values.unsqueezed(axis: -1) + identity
    return self * (1 - identity) / differences
  }
}
