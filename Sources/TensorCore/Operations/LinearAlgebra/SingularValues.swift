// The singular value decomposition, and what is made of it.

extension Tensor {
  /// U, the singular values S in descending order, and Vᵀ, with A = U diag(S) Vᵀ:
  /// `torch.linalg.svd(A, full_matrices=False)`.
  ///
  /// For A `[..., m, n]` and k, the smaller of m and n, U is `[..., m, k]`, S `[..., k]` and Vᵀ `[..., k, n]`.
  /// Throws `LinearAlgebraError` for NaN and infinity, and if the iteration does not converge. The sign of
  /// each pair of vectors is arbitrary, and so is the basis where a singular value repeats: only functions
  /// that do not depend on them have a gradient, and through U and V it is infinite where a singular value
  /// repeats, or is 0 and A is not square.
  ///
  /// The gradient is `U (diag(dS) + (skew(Uᵀ dU) / E) S + S (skew(Vᵀ dV) / E)) Vᵀ`, where
  /// `E[i, j] = S[j]² - S[i]²` and `skew(X) = X - Xᵀ`, with `(I - U Uᵀ) dU S⁻¹ Vᵀ` if m > k and
  /// `U S⁻¹ dVᵀ (I - V Vᵀ)` if n > k (Townsend, "Differentiating the singular value decomposition", 2016).
  public final func svd() throws(LinearAlgebraError) -> (u: Tensor, s: Tensor, vh: Tensor) {
    requireMatrix("svd")
    if dataType == .bfloat16 {
      let (u, s, vh) = try widened.svd()
      return (
        u.converted(to: dataType), s.converted(to: dataType), vh.converted(to: dataType)
      )
    }
    let (m, n) = (shape[shape.count - 2], shape.last!)
    let (u, s, vh) = try factorSVD(m, n)
    let saved = Saved(self, by: "SVD")
    let (savedU, savedS, savedVh) = (
      Saved(u.detached(), by: "SVD"), Saved(s.detached(), by: "SVD"),
      Saved(vh.detached(), by: "SVD")
    )
    func factors() -> (Tensor, Tensor, Tensor) {
      fused {
        (savedU(), savedS(), savedVh())
      } composed: {
        again { () throws(LinearAlgebraError) in try saved().svd() }
      }
    }
    return (
      u.recorded("SVD", from: self) { du in
        let (u, s, vh) = factors()
        let product = u.transposed().matmul(du)
        let skew = (product - product.transposed()).dividedByDifferences(of: s.squared())
        var left = u.matmul(skew.scalingColumns(by: s))
        if m > n { left = left + (du - u.matmul(product)).scalingColumns(by: s.reciprocal()) }
        return [left.matmul(vh)]
      },
      s.recorded("SVD", from: self) { ds in
        let (u, _, vh) = factors()
        return [u.scalingColumns(by: ds).matmul(vh)]
      },
      vh.recorded("SVD", from: self) { dvh in
        let (u, s, vh) = factors()
        let product = vh.matmul(dvh.transposed())
        let skew = (product - product.transposed()).dividedByDifferences(of: s.squared())
        var right = skew.scalingRows(by: s).matmul(vh)
        if n > m {
          right = right + (dvh - product.transposed().matmul(vh)).scalingRows(by: s.reciprocal())
        }
        return [u.matmul(right)]
      }
    )
  }

  private final func factorSVD(_ m: Int, _ n: Int) throws(LinearAlgebraError) -> (
    u: Tensor, s: Tensor, vh: Tensor
  ) {
    try checkFinite("svd")
    let k = Swift.min(m, n)
    func result(_ sizes: Int...) -> Tensor {
      Tensor(uninitialized: TensorShape(batchShape.array + sizes), dataType)
    }
    let (u, s, vh) = (result(m, k), result(k), result(k, n))
    // Row-major, this is the transposed matrix for LAPACK, whose U and Vᵀ are our Vᵀ and U.
    let work = denseCopy()
    func run<Scalar: LAPACKScalar>(_: Scalar.Type) -> Int? {
      forEachMatrix(matrixCount, size: Swift.max(m, n)) { index in
        Scalar.factorSVD(
          work.matrix(index, Scalar.self), n, m, vh.matrix(index, Scalar.self),
          s.pointer(Scalar.self) + index * k, u.matrix(index, Scalar.self))
      }?.matrix
    }
    let failed = work.count == 0 ? nil : dataType == .float64 ? run(Double.self) : run(Float.self)
    if let failed { throw LinearAlgebraError("svd", .notConverged, shape, matrix: failed) }
    return (u, s, vh)
  }

  /// The singular values, in descending order: `torch.linalg.svdvals`.
  ///
  /// The gradient is `U diag(dS) Vᵀ`.
  public final func svdvals() throws(LinearAlgebraError) -> Tensor { try svd().s }

  /// The pseudoinverse P of Moore and Penrose, `[..., n, m]` of `[..., m, n]`: `torch.linalg.pinv`.
  ///
  /// Singular values below `relativeTolerance` times the largest one count as 0; by default, the larger of
  /// m and n times the machine epsilon.
  ///
  /// The gradient is `-Pᵀ dP Pᵀ + (I - A P) dPᵀ P Pᵀ + Pᵀ P dPᵀ (I - P A)` (Golub and Pereyra, 1973).
  public final func pinverse(
    relativeTolerance: Double? = nil
  ) throws(LinearAlgebraError) -> Tensor {
    requireMatrix("pinverse")
    if dataType == .bfloat16 {
      return try widened.pinverse(relativeTolerance: relativeTolerance).converted(to: dataType)
    }
    let (u, s, vh) = try factorSVD(shape[shape.count - 2], shape.last!)
    let saved = Saved(self, by: "Pinverse")
    let y = withoutGrad {
      let inverted = Tensor.where(
        s .> (cutoffs(s, relativeTolerance)), s.reciprocal(), Tensor.zeros(s.shape, dataType))
      return vh.transposed().scalingColumns(by: inverted).matmul(u.transposed()).denseCopy()
    }
    return y.recorded(
      "Pinverse", from: self,
      withResult: { dp, p in
        let (a, pt, dpt) = (saved(), p.transposed(), dp.transposed())
        let first = dpt.matmul(p).matmul(pt)
        let second = pt.matmul(p).matmul(dpt)
        return [
          (first - a.matmul(p.matmul(first))) + (second - second.matmul(p).matmul(a))
            - pt.matmul(dp).matmul(pt)
        ]
      })
  }

  /// The number of singular values above `relativeTolerance` times the largest one, for each matrix, as
  /// int32: `torch.linalg.matrix_rank`.
  public final func matrixRank(
    relativeTolerance: Double? = nil
  ) throws(LinearAlgebraError) -> Tensor {
    requireMatrix("matrixRank")
    let a = withoutGrad { widened }
    let (_, s, _) = try a.factorSVD(shape[shape.count - 2], shape.last!)
    return withoutGrad {
      (s .> a.cutoffs(s, relativeTolerance)).converted(to: .float64).sum(axes: [-1])
        .converted(to: .int32)
    }
  }

  /// The singular values of these matrices that count as 0: up to these numbers, `[..., 1]`.
  private final func cutoffs(_ s: Tensor, _ relativeTolerance: Double?) -> Tensor {
    let epsilon = dataType == .float64 ? Double.ulpOfOne : Double(Float.ulpOfOne)
    let size = Double(Swift.max(shape[shape.count - 2], shape.last!))
    if s.count == 0 { return Tensor.zeros(s.shape, dataType) }
    return s.max(axes: [-1], keepingAxes: true) * (relativeTolerance ?? size * epsilon)
  }
}
