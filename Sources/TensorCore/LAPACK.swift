internal import COpenBLAS

/// An element type with LAPACK's functions.
///
/// Each is for one matrix in column-major order, runs on the calling thread, and returns LAPACK's `info`:
/// 0 if all went well.
protocol LAPACKScalar: TensorScalar, BinaryFloatingPoint {
  /// Factors a, n x n, into P L U.
  static func factorLU(
    _ a: UnsafeMutablePointer<Self>, _ n: Int, _ pivots: UnsafeMutablePointer<Int32>
  ) -> Int
  /// Solves A X = B, or Aᵀ X = B, by the factors of A; b is n x columns.
  static func solveLU(
    _ a: UnsafeMutablePointer<Self>, _ n: Int, _ pivots: UnsafeMutablePointer<Int32>,
    transposed: Bool, _ b: UnsafeMutablePointer<Self>, _ columns: Int
  ) -> Int
  /// Overwrites the upper triangle of a, n x n, with U, where A = Uᵀ U.
  static func factorCholesky(_ a: UnsafeMutablePointer<Self>, _ n: Int) -> Int
  /// Factors a, rows x columns, into Q R, with Q as reflections.
  static func factorQR(
    _ a: UnsafeMutablePointer<Self>, _ rows: Int, _ columns: Int, _ tau: UnsafeMutablePointer<Self>
  ) -> Int
  /// Overwrites the reflections of a, rows x columns, with Q.
  static func formQ(
    _ a: UnsafeMutablePointer<Self>, _ rows: Int, _ columns: Int, _ tau: UnsafeMutablePointer<Self>
  ) -> Int
  /// Writes the eigenvalues of a, n x n, in ascending order, and the eigenvectors over a.
  static func factorSymmetric(
    _ a: UnsafeMutablePointer<Self>, _ n: Int, _ values: UnsafeMutablePointer<Self>
  ) -> Int
  /// Writes U, rows x k, S and Vᵀ, k x columns, of a, where k is the smaller size.
  static func factorSVD(
    _ a: UnsafeMutablePointer<Self>, _ rows: Int, _ columns: Int, _ u: UnsafeMutablePointer<Self>,
    _ s: UnsafeMutablePointer<Self>, _ vt: UnsafeMutablePointer<Self>
  ) -> Int
  /// Overwrites b with X from A X = B, or X A = B if not `left`; a is triangular; both in row-major order.
  static func solveTriangular(
    _ a: UnsafeMutablePointer<Self>, upper: Bool, left: Bool, unit: Bool,
    _ b: UnsafeMutablePointer<Self>, _ rows: Int, _ columns: Int)
}

/// Calls a function of LAPACK twice: first for the size of its workspace, then with one.
private func withWorkspace<Scalar: BinaryFloatingPoint>(
  _ call: (_ work: UnsafeMutablePointer<Scalar>, _ size: inout Int32, _ info: inout Int32) -> Void
) -> Int {
  var info: Int32 = 0
  var query: Int32 = -1
  var best: Scalar = 0
  call(&best, &query, &info)
  // A float32 of a large size may have been rounded down.
  var size = max(1, Int32((best * 1.0001).rounded(.up)))
  withUnsafeTemporaryAllocation(of: Scalar.self, capacity: Int(size)) { work in
    call(work.baseAddress!, &size, &info)
  }
  return Int(info)
}

extension Float: LAPACKScalar {
  static func factorLU(
    _ a: UnsafeMutablePointer<Float>, _ n: Int, _ pivots: UnsafeMutablePointer<Int32>
  ) -> Int {
    var (size, info) = (Int32(n), Int32(0))
    sgetrf_(&size, &size, a, &size, pivots, &info)
    return Int(info)
  }

  static func solveLU(
    _ a: UnsafeMutablePointer<Float>, _ n: Int, _ pivots: UnsafeMutablePointer<Int32>,
    transposed: Bool, _ b: UnsafeMutablePointer<Float>, _ columns: Int
  ) -> Int {
    var (size, count, info) = (Int32(n), Int32(columns), Int32(0))
    sgetrs_(transposed ? "T" : "N", &size, &count, a, &size, pivots, b, &size, &info, 1)
    return Int(info)
  }

  static func factorCholesky(_ a: UnsafeMutablePointer<Float>, _ n: Int) -> Int {
    var (size, info) = (Int32(n), Int32(0))
    spotrf_("U", &size, a, &size, &info, 1)
    return Int(info)
  }

  static func factorQR(
    _ a: UnsafeMutablePointer<Float>, _ rows: Int, _ columns: Int,
    _ tau: UnsafeMutablePointer<Float>
  ) -> Int {
    var (m, n) = (Int32(rows), Int32(columns))
    return withWorkspace { work, size, info in
      sgeqrf_(&m, &n, a, &m, tau, work, &size, &info)
    }
  }

  static func formQ(
    _ a: UnsafeMutablePointer<Float>, _ rows: Int, _ columns: Int,
    _ tau: UnsafeMutablePointer<Float>
  ) -> Int {
    var (m, n) = (Int32(rows), Int32(columns))
    return withWorkspace { work, size, info in
      sorgqr_(&m, &n, &n, a, &m, tau, work, &size, &info)
    }
  }

  static func factorSymmetric(
    _ a: UnsafeMutablePointer<Float>, _ n: Int, _ values: UnsafeMutablePointer<Float>
  ) -> Int {
    var (size, integers) = (Int32(n), Int32(3 + 5 * n))
    return withUnsafeTemporaryAllocation(of: Int32.self, capacity: Int(integers)) { indices in
      withWorkspace { work, count, info in
        ssyevd_(
          "V", "U", &size, a, &size, values, work, &count, indices.baseAddress, &integers, &info, 1,
          1)
      }
    }
  }

  static func factorSVD(
    _ a: UnsafeMutablePointer<Float>, _ rows: Int, _ columns: Int, _ u: UnsafeMutablePointer<Float>,
    _ s: UnsafeMutablePointer<Float>, _ vt: UnsafeMutablePointer<Float>
  ) -> Int {
    var (m, n, k) = (Int32(rows), Int32(columns), Int32(min(rows, columns)))
    return withUnsafeTemporaryAllocation(of: Int32.self, capacity: 8 * Int(k)) { indices in
      withWorkspace { work, size, info in
        sgesdd_(
          "S", &m, &n, a, &m, s, u, &m, vt, &k, work, &size, indices.baseAddress, &info, 1)
      }
    }
  }

  static func solveTriangular(
    _ a: UnsafeMutablePointer<Float>, upper: Bool, left: Bool, unit: Bool,
    _ b: UnsafeMutablePointer<Float>, _ rows: Int, _ columns: Int
  ) {
    cblas_strsm(
      CblasRowMajor, left ? CblasLeft : CblasRight, upper ? CblasUpper : CblasLower, CblasNoTrans,
      unit ? CblasUnit : CblasNonUnit, Int32(rows), Int32(columns), 1, a,
      Int32(left ? rows : columns), b, Int32(columns))
  }
}

extension Double: LAPACKScalar {
  static func factorLU(
    _ a: UnsafeMutablePointer<Double>, _ n: Int, _ pivots: UnsafeMutablePointer<Int32>
  ) -> Int {
    var (size, info) = (Int32(n), Int32(0))
    dgetrf_(&size, &size, a, &size, pivots, &info)
    return Int(info)
  }

  static func solveLU(
    _ a: UnsafeMutablePointer<Double>, _ n: Int, _ pivots: UnsafeMutablePointer<Int32>,
    transposed: Bool, _ b: UnsafeMutablePointer<Double>, _ columns: Int
  ) -> Int {
    var (size, count, info) = (Int32(n), Int32(columns), Int32(0))
    dgetrs_(transposed ? "T" : "N", &size, &count, a, &size, pivots, b, &size, &info, 1)
    return Int(info)
  }

  static func factorCholesky(_ a: UnsafeMutablePointer<Double>, _ n: Int) -> Int {
    var (size, info) = (Int32(n), Int32(0))
    dpotrf_("U", &size, a, &size, &info, 1)
    return Int(info)
  }

  static func factorQR(
    _ a: UnsafeMutablePointer<Double>, _ rows: Int, _ columns: Int,
    _ tau: UnsafeMutablePointer<Double>
  ) -> Int {
    var (m, n) = (Int32(rows), Int32(columns))
    return withWorkspace { work, size, info in
      dgeqrf_(&m, &n, a, &m, tau, work, &size, &info)
    }
  }

  static func formQ(
    _ a: UnsafeMutablePointer<Double>, _ rows: Int, _ columns: Int,
    _ tau: UnsafeMutablePointer<Double>
  ) -> Int {
    var (m, n) = (Int32(rows), Int32(columns))
    return withWorkspace { work, size, info in
      dorgqr_(&m, &n, &n, a, &m, tau, work, &size, &info)
    }
  }

  static func factorSymmetric(
    _ a: UnsafeMutablePointer<Double>, _ n: Int, _ values: UnsafeMutablePointer<Double>
  ) -> Int {
    var (size, integers) = (Int32(n), Int32(3 + 5 * n))
    return withUnsafeTemporaryAllocation(of: Int32.self, capacity: Int(integers)) { indices in
      withWorkspace { work, count, info in
        dsyevd_(
          "V", "U", &size, a, &size, values, work, &count, indices.baseAddress, &integers, &info, 1,
          1)
      }
    }
  }

  static func factorSVD(
    _ a: UnsafeMutablePointer<Double>, _ rows: Int, _ columns: Int,
    _ u: UnsafeMutablePointer<Double>,
    _ s: UnsafeMutablePointer<Double>, _ vt: UnsafeMutablePointer<Double>
  ) -> Int {
    var (m, n, k) = (Int32(rows), Int32(columns), Int32(min(rows, columns)))
    return withUnsafeTemporaryAllocation(of: Int32.self, capacity: 8 * Int(k)) { indices in
      withWorkspace { work, size, info in
        dgesdd_(
          "S", &m, &n, a, &m, s, u, &m, vt, &k, work, &size, indices.baseAddress, &info, 1)
      }
    }
  }

  static func solveTriangular(
    _ a: UnsafeMutablePointer<Double>, upper: Bool, left: Bool, unit: Bool,
    _ b: UnsafeMutablePointer<Double>, _ rows: Int, _ columns: Int
  ) {
    cblas_dtrsm(
      CblasRowMajor, left ? CblasLeft : CblasRight, upper ? CblasUpper : CblasLower, CblasNoTrans,
      unit ? CblasUnit : CblasNonUnit, Int32(rows), Int32(columns), 1, a,
      Int32(left ? rows : columns), b, Int32(columns))
  }
}

/// Calls `body` for each of `count` matrices, on several threads if that is worthwhile.
///
/// - Returns: The first matrix whose `info` is not 0, and its `info`.
func forEachMatrix(_ count: Int, size: Int, _ body: (Int) -> Int) -> (matrix: Int, info: Int)? {
  _ = BLAS.isConfigured
  let parts = count * size * size * size < 1 << 17 ? 1 : min(count, Threads.count)
  let results = UnsafeMutableBufferPointer<Int>.allocate(capacity: count)
  defer { results.deallocate() }
  let start = results.baseAddress
  if parts == 1 {
    for matrix in 0..<count { start![matrix] = body(matrix) }
  } else {
    parallel(parts) { part in
      for matrix in count * part / parts..<count * (part + 1) / parts {
        start![matrix] = body(matrix)
      }
    }
  }
  return results.firstIndex { $0 != 0 }.map { ($0, results[$0]) }
}
