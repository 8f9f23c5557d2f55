// Determinants, by the LU factors of LAPACK.

private import Glibc

extension Tensor {
  /// The determinant of each matrix `[..., n, n]`: `torch.linalg.det`.
  ///
  /// The gradient is `dy det(A) A⁻ᵀ`. Where that is 0 · ∞, because a determinant is 0, it is the matrix of
  /// cofactors, from the singular value decomposition, and cannot be differentiated again.
  public final func determinant() -> Tensor {
    requireSquare("determinant")
    if dataType == .bfloat16 { return widened.determinant().converted(to: dataType) }
    let (signs, logarithms) = factorDeterminants()
    let y = Tensor.of(zip(signs, logarithms).map { $0 * $1.product }, shape: batchShape)
    let saved = Saved(self, by: "Determinant")
    return withoutGrad { y.converted(to: dataType) }.recorded(
      "Determinant", from: self,
      withResult: { dy, y in
        let a = saved()
        let scale = dy.unsqueezed(axis: -1).unsqueezed(axis: -1)
        if y.doubles().contains(0) {
          requireFirstDerivative(
            "determinant", instead: "a matrix is singular; add a small multiple of the identity")
          return [scale * a.cofactors()]
        }
        return [scale * (y.unsqueezed(axis: -1).unsqueezed(axis: -1) * a.inverseTransposed())]
      })
  }

  /// The sign of the determinant of each matrix `[..., n, n]`, -1, 0 or 1, and the logarithm of its
  /// magnitude, -infinity for a singular one: `torch.linalg.slogdet`.
  ///
  /// It does not overflow where the determinant does. The gradient of the logarithm is `dy A⁻ᵀ`; none flows
  /// through the sign.
  public final func signAndLogDeterminant() -> (sign: Tensor, logarithm: Tensor) {
    requireSquare("signAndLogDeterminant")
    if dataType == .bfloat16 {
      let (sign, logarithm) = widened.signAndLogDeterminant()
      return (sign.converted(to: dataType), logarithm.converted(to: dataType))
    }
    let (signs, parts) = factorDeterminants()
    let (sign, y) = withoutGrad {
      (
        Tensor.of(signs, shape: batchShape).converted(to: dataType),
        Tensor.of(parts.map(\.logarithm), shape: batchShape).converted(to: dataType)
      )
    }
    let saved = Saved(self, by: "LogDeterminant")
    return (
      sign,
      y.recorded("LogDeterminant", from: self) { dy in
        [dy.unsqueezed(axis: -1).unsqueezed(axis: -1) * saved().inverseTransposed()]
      }
    )
  }

  /// The logarithm of the determinant of each matrix `[..., n, n]`: `torch.logdet`.
  ///
  /// -infinity where the determinant is 0, NaN where it is negative. The gradient is `dy A⁻ᵀ`.
  public final func logDeterminant() -> Tensor {
    requireSquare("logDeterminant")
    let (sign, y) = signAndLogDeterminant()
    return Tensor.where(sign .< 0, .nan, y)
  }

  /// The signs of the determinants, and their magnitudes.
  private final func factorDeterminants() -> ([Double], [Magnitude]) {
    let factors = denseCopy()
    let n = shape.last!
    var signs = [Double](repeating: 1, count: matrixCount)
    var magnitudes = [Magnitude](repeating: Magnitude(), count: matrixCount)
    func run<Scalar: LAPACKScalar>(_: Scalar.Type) {
      var pivots = [Int32](repeating: 0, count: n)
      _ = BLAS.isConfigured
      for index in 0..<matrixCount {
        let a = factors.matrix(index, Scalar.self)
        _ = Scalar.factorLU(a, n, &pivots)
        for i in 0..<n {
          let element = Double(a[i * n + i])
          if pivots[i] != i + 1 { signs[index].negate() }
          signs[index] *= element == 0 ? 0 : element < 0 ? -1 : 1
          magnitudes[index].multiply(by: element.magnitude)
        }
      }
    }
    if n > 0 { dataType == .float64 ? run(Double.self) : run(Float.self) }
    return (signs, magnitudes)
  }

  /// A⁻ᵀ of each matrix; not defined for a singular one.
  private final func inverseTransposed() -> Tensor {
    do throws(LinearAlgebraError) {
      return try inverse().transposed()
    } catch {
      // The derivative does not exist there.
      return Tensor.full(shape, .infinity, dataType)
    }
  }

  /// The derivative of the determinant: `det(U Vᵀ) U diag(∏ of the other singular values) Vᵀ`.
  private final func cofactors() -> Tensor {
    guard let (u, s, vh) = try? svd() else { return .full(shape, .nan, dataType) }
    let n = shape.last!
    let values = s.doubles()
    let products = (0..<values.count).map { index in
      let start = index / n * n
      return (start..<start + n).reduce(1.0) { $1 == index ? $0 : $0 * values[$1] }
    }
    let others = Tensor.of(products, shape: s.shape).converted(to: dataType)
    let sign = (u.determinant() * vh.determinant()).unsqueezed(axis: -1).unsqueezed(axis: -1)
    return sign * u.scalingColumns(by: others).matmul(vh)
  }
}

/// A product of magnitudes and the sum of their logarithms.
private struct Magnitude {
  var product = 1.0
  var logarithm = 0.0

  mutating func multiply(by factor: Double) {
    product *= factor
    logarithm += log(factor)
  }
}
