// Systems of equations, inverses and determinants, by LAPACK. Products of matrices are matmul's.
//
// The formulas of the gradients are those of Giles, "An extended collection of matrix derivative results
// for forward and reverse mode algorithmic differentiation" (2008), as in PyTorch.

extension Tensor {
  /// The X with A X = B, for this A `[..., n, n]` and B `[..., n, k]`: `torch.linalg.solve(A, B)`.
  ///
  /// Leading axes are batches and are broadcast. B is a vector if it has one axis, and a batch of vectors
  /// if its shape is that of A without the last axis, as in PyTorch. Throws `LinearAlgebraError` if a matrix
  /// is singular.
  ///
  /// The gradients are `A⁻ᵀ dX` for B and `-A⁻ᵀ dX Xᵀ` for A.
  public final func solve(_ b: Tensor) throws(LinearAlgebraError) -> Tensor {
    requireSquare("solve")
    requireFloatingPoint("solve", self, b)
    if b.shape.count == 1 || b.shape == TensorShape(shape.dropLast()) && b.shape.count > 1 {
      return try solve(b.unsqueezed(axis: -1)).squeezed(axis: -1)
    }
    b.requireMatrix("solve")
    require(
      b.shape[b.shape.count - 2] == shape.last,
      "solve: matrices \(shape) and right sides \(b.shape): the rows differ in number")
    if dataType == .bfloat16 || b.dataType == .bfloat16 {
      return try widened.solve(b.widened).converted(to: dataType)
    }
    let (a, b) = Tensor.matched("solve", self, b)
    let (x, singular) = a.solution(b, name: "Solve")
    if let singular { throw LinearAlgebraError("solve", .singular, shape, matrix: singular) }
    return x
  }

  /// The solution of A X = B, or Aᵀ X = B if `transposed`, for batches of one shape, and the number of the
  /// first singular matrix, whose solution is not defined.
  private final func solution(
    _ b: Tensor, transposed: Bool = false, name: StaticString
  ) -> (Tensor, Int?) {
    let y = Tensor(uninitialized: b.shape, dataType)
    // In row-major order, which is the transposed matrix for LAPACK.
    let factors = denseCopy()
    let work = b.transposedCopy()
    let (n, columns) = (shape.last!, b.shape.last!)
    func run<Scalar: LAPACKScalar>(_: Scalar.Type) -> Int? {
      forEachMatrix(matrixCount, size: n) { index in
        let a = factors.matrix(index, Scalar.self)
        return withUnsafeTemporaryAllocation(of: Int32.self, capacity: n) { pivots in
          let info = Scalar.factorLU(a, n, pivots.baseAddress!)
          if info != 0 { return info }
          return Scalar.solveLU(
            a, n, pivots.baseAddress!, transposed: !transposed, work.matrix(index, Scalar.self),
            columns)
        }
      }?.matrix
    }
    let isEmpty = y.count == 0 && n == 0
    let singular = isEmpty ? nil : dataType == .float64 ? run(Double.self) : run(Float.self)
    copyElements(from: withoutGrad { work.transposed() }, to: y)
    let saved = Saved(self, by: name)
    let (needsA, needsB) = (requiresGrad, b.requiresGrad)
    return (
      y.recorded(
        name, from: self, b,
        withResult: { dy, x in
          let db = saved().solution(dy, transposed: !transposed, name: "Solve").0
          guard needsA else { return [nil, db] }
          return [
            transposed ? -x.matmul(db.transposed()) : -db.matmul(x.transposed()),
            needsB ? db : nil,
          ]
        }), singular
    )
  }

  /// The inverse of each matrix `[..., n, n]`: `torch.linalg.inv`.
  ///
  /// To solve a system, `solve` is faster and more accurate. Throws `LinearAlgebraError` if a matrix is
  /// singular.
  ///
  /// The gradient is `-Yᵀ dY Yᵀ`, where Y is the inverse.
  public final func inverse() throws(LinearAlgebraError) -> Tensor {
    requireSquare("inverse")
    if dataType == .bfloat16 { return try widened.inverse().converted(to: dataType) }
    let (y, singular) = inverseUnchecked()
    if let singular { throw LinearAlgebraError("inverse", .singular, shape, matrix: singular) }
    return y
  }

  /// The inverse, and the number of the first singular matrix, whose inverse is not defined.
  private final func inverseUnchecked() -> (Tensor, Int?) {
    let (y, singular) = withoutGrad {
      solution(Tensor.identity(shape.last!, dataType).expanded(to: shape), name: "Inverse")
    }
    return (
      y.recorded(
        "Inverse", from: self,
        withResult: { dy, y in
          let yt = y.transposed()
          return [-yt.matmul(dy).matmul(yt)]
        }), singular
    )
  }

  /// The X with A X = B for this triangular A, or X A = B if not `left`: `torch.linalg.solve_triangular`.
  ///
  /// Leading axes are batches and are broadcast. Elements of A outside the triangle are not read, and those
  /// of the diagonal are taken as 1 if `unitriangular`. A zero on the diagonal gives infinity or NaN, as in
  /// PyTorch.
  ///
  /// The gradients are `A⁻ᵀ dX` for B and the triangle of `-A⁻ᵀ dX Xᵀ` for A; if not `left`, `dX A⁻ᵀ` and the
  /// triangle of `-Xᵀ dX A⁻ᵀ`.
  public final func triangularSolve(
    _ b: Tensor, upper: Bool, left: Bool = true, unitriangular: Bool = false
  ) -> Tensor {
    requireSquare("triangularSolve")
    requireFloatingPoint("triangularSolve", self, b)
    b.requireMatrix("triangularSolve")
    let n = shape.last!
    require(
      b.shape[b.shape.count - (left ? 2 : 1)] == n,
      "triangularSolve: matrices \(shape) and right sides \(b.shape): the sizes do not fit")
    if dataType == .bfloat16 || b.dataType == .bfloat16 {
      return widened.triangularSolve(
        b.widened, upper: upper, left: left, unitriangular: unitriangular
      ).converted(to: dataType)
    }
    let (a, b) = Tensor.matched("triangularSolve", self, b)
    let y = b.denseCopy()
    let (rows, columns) = (b.shape[b.shape.count - 2], b.shape.last!)
    func run<Scalar: LAPACKScalar>(_: Scalar.Type) {
      let factors = a.isContiguous ? a : a.denseCopy()
      _ = forEachMatrix(a.matrixCount, size: n) { index in
        Scalar.solveTriangular(
          factors.matrix(index, Scalar.self), upper: upper, left: left, unit: unitriangular,
          y.matrix(index, Scalar.self), rows, columns)
        return 0
      }
    }
    if y.count > 0 { dataType == .float64 ? run(Double.self) : run(Float.self) }
    let saved = Saved(a, by: "TriangularSolve")
    let (needsA, needsB) = (a.requiresGrad, b.requiresGrad)
    return y.recorded(
      "TriangularSolve", from: a, b,
      withResult: { dy, x in
        let a = saved()
        let db = a.transposed().triangularSolve(
          dy, upper: !upper, left: left, unitriangular: unitriangular)
        guard needsA else { return [nil, db] }
        let product = left ? db.matmul(x.transposed()) : x.transposed().matmul(db)
        let triangle = Tensor.mask(n, n, a.dataType, diagonal: unitriangular ? 0 : 1) {
          upper ? $0 <= $1 : $0 >= $1
        }
        return [-product * triangle, needsB ? db : nil]
      })
  }

  /// The X with A X = B, where this is the lower triangular factor of A from `cholesky()`:
  /// `torch.cholesky_solve(B, L)`; or the upper one if `upper`.
  public final func choleskySolve(_ b: Tensor, upper: Bool = false) -> Tensor {
    let first = upper ? transposed() : self
    let y = first.triangularSolve(b, upper: false)
    return first.transposed().triangularSolve(y, upper: true)
  }

  /// The X with the smallest `|A X - B|`, and of these the one with the smallest `|X|`:
  /// `torch.linalg.lstsq(A, B).solution`.
  ///
  /// A is `[..., m, n]` of any rank, B `[..., m, k]` or `[m]`. It is computed as the pseudoinverse times B,
  /// which also gives the gradients, as in PyTorch. `relativeTolerance` is that of `pinverse`.
  public final func lstsq(
    _ b: Tensor, relativeTolerance: Double? = nil
  ) throws(LinearAlgebraError) -> Tensor {
    requireMatrix("lstsq")
    let rows = b.shape.count == 1 ? b.shape.last : b.shape.dropLast().last
    require(
      rows == shape[shape.count - 2],
      "lstsq: matrices \(shape) and right sides \(b.shape): the rows differ in number")
    return try pinverse(relativeTolerance: relativeTolerance).matmul(b)
  }
}
