internal import CKernels
internal import COpenBLAS

/// The only place that calls OpenBLAS.
///
/// OpenBLAS computes on the calling thread alone; large products are cut into tiles for the
/// kernels' own pool, so that one set of threads serves everything.
public enum BLAS {
  /// The family of kernels that OpenBLAS chose for this processor, such as `Zen` or `SkylakeX`.
  public static let coreName: String = {
    _ = isConfigured
    return String(cString: openblas_get_corename())
  }()

  /// OpenBLAS's version and build options.
  public static let configuration = String(cString: openblas_get_config())

  private static let isConfigured: Bool = {
    openblas_set_num_threads(1)
    return true
  }()

  /// Products with fewer multiplications than this are done by a plain loop, for which no BLAS call
  /// pays.
  private static let smallProduct = 4096
  /// Products with fewer multiplications than this stay on one thread.
  private static let parallelProduct = 1 << 19
  /// Into how many parts a product is cut for any number of threads.
  ///
  /// More of them would keep more threads busy, and repeat more of the packing on each.
  private static let fixedParts = 8

  /// c = a b, or c += a b when `adds`: a is [m, k], b [k, n] in any layout, c [m, n] dense.
  static func multiply(into c: Tensor, _ a: Tensor, _ b: Tensor, adds: Bool) {
    let (m, k, n) = (a.shape[0], a.shape[1], b.shape[1])
    c.storage.version += 1
    guard m > 0, n > 0 else { return }
    guard k > 0 else { return adds ? () : c.setAll(to: 0) }
    switch c.dataType {
    case .float32:
      multiply(c.f32, a, a.f32, b, b.f32, m, n, k, adds ? 1 : 0, ck_gemm_small_f32, Self.gemm)
    case .float64:
      multiply(c.f64, a, a.f64, b, b.f64, m, n, k, adds ? 1 : 0, ck_gemm_small_f64, Self.gemm)
    case .int32: fatalError("matmul: floating-point types only")
    }
  }

  /// A matrix in memory as a factor of a product, whose rows (or columns, when it is transposed) are
  /// `leading` elements apart.
  struct Factor<T> {
    var elements: UnsafeMutablePointer<T>
    var leading: Int
    var isTransposed = false
  }

  /// c = a b, or c += a b when `adds`, on the calling thread alone: a is [m, k], b [k, n], and the
  /// rows of c [m, n] are `ldc` elements apart.
  static func multiply(
    into c: UnsafeMutablePointer<Float>, ldc: Int, _ a: Factor<Float>, _ b: Factor<Float>, m: Int,
    n: Int, k: Int, adds: Bool
  ) {
    multiply(c, ldc, a, b, m, n, k, adds ? 1 : 0, ck_gemm_small_f32, Self.gemm)
  }

  /// The same in double precision.
  static func multiply(
    into c: UnsafeMutablePointer<Double>, ldc: Int, _ a: Factor<Double>, _ b: Factor<Double>,
    m: Int, n: Int, k: Int, adds: Bool
  ) {
    multiply(c, ldc, a, b, m, n, k, adds ? 1 : 0, ck_gemm_small_f64, Self.gemm)
  }

  private static func multiply<T>(
    _ c: UnsafeMutablePointer<T>, _ ldc: Int, _ a: Factor<T>, _ b: Factor<T>, _ m: Int, _ n: Int,
    _ k: Int, _ beta: T, _ small: Small<T>, _ gemm: (Tile<T>) -> Void
  ) {
    guard m * n * k > smallProduct else {
      return small(
        c, a.elements, b.elements, m, n, k, a.isTransposed ? 1 : a.leading,
        a.isTransposed ? a.leading : 1, b.isTransposed ? 1 : b.leading,
        b.isTransposed ? b.leading : 1, ldc, beta)
    }
    gemm(
      Tile(
        c: c, a: a.elements, b: b.elements, m: m, n: n, k: k, ldc: ldc, aLayout: Layout(a),
        bLayout: Layout(b), beta: beta))
  }

  private typealias Small<T> = (
    UnsafeMutablePointer<T>?, UnsafePointer<T>?, UnsafePointer<T>?, Int, Int, Int, Int, Int, Int,
    Int, Int, T
  ) -> Void

  /// A matrix as BLAS wants it: transposed or not, its rows (or columns) apart by one leading
  /// dimension.
  private struct Layout {
    var isTransposed: Bool
    var leading: Int32

    init(_ factor: Factor<some Any>) {
      isTransposed = factor.isTransposed
      leading = Int32(factor.leading)
    }

    /// nil when the matrix has to be copied first.
    init?(_ matrix: Tensor) {
      let (rows, columns) = (matrix.shape[0], matrix.shape[1])
      let (rowStride, columnStride) = (matrix.strides[0], matrix.strides[1])
      if columns == 1 || columnStride == 1, rows == 1 || rowStride >= columns {
        isTransposed = false
        leading = Int32(rows == 1 ? columns : rowStride)
      } else if rows == 1 || rowStride == 1, columns == 1 || columnStride >= rows {
        isTransposed = true
        leading = Int32(columns == 1 ? rows : columnStride)
      } else {
        return nil
      }
    }
  }

  private static func multiply<T: TensorScalar>(
    _ c: UnsafeMutablePointer<T>, _ aMatrix: Tensor, _ a: UnsafeMutablePointer<T>,
    _ bMatrix: Tensor, _ b: UnsafeMutablePointer<T>, _ m: Int, _ n: Int, _ k: Int, _ beta: T,
    _ small: Small<T>, _ gemm: (Tile<T>) -> Void
  ) {
    if m * n * k <= smallProduct {
      small(
        c, a, b, m, n, k, aMatrix.strides[0], aMatrix.strides[1], bMatrix.strides[0],
        bMatrix.strides[1], n, beta)
      return
    }
    guard let aLayout = Layout(aMatrix) else {
      let copy = aMatrix.dense()
      return multiply(c, copy, copy.pointer(), bMatrix, b, m, n, k, beta, small, gemm)
    }
    guard let bLayout = Layout(bMatrix) else {
      let copy = bMatrix.dense()
      return multiply(c, aMatrix, a, copy, copy.pointer(), m, n, k, beta, small, gemm)
    }
    let whole = Tile(
      c: c, a: a, b: b, m: m, n: n, k: k, ldc: n, aLayout: aLayout, bLayout: bLayout, beta: beta)
    // BLAS rounds differently where matrices have other sizes, so the cut shows in the last bits.
    let parts = Threads.cutsWorkAlike ? fixedParts : Threads.count
    guard parts > 1, m * n * k >= parallelProduct else { return gemm(whole) }
    // Cutting the longer side repeats the least packing: every part reads the other operand whole.
    withoutActuallyEscaping(gemm) { gemm in
      parallel(parts) { part in
        if m >= n {
          let rows = range(m, part, of: parts)
          if !rows.isEmpty { gemm(whole.rows(rows)) }
        } else {
          let columns = range(n, part, of: parts)
          if !columns.isEmpty { gemm(whole.columns(columns)) }
        }
      }
    }
  }

  /// The part of 0..<count for one of several workers, in multiples of 16.
  private static func range(_ count: Int, _ part: Int, of parts: Int) -> Range<Int> {
    let blocks = (count + 15) / 16
    return min(count, blocks * part / parts * 16)..<min(count, blocks * (part + 1) / parts * 16)
  }

  /// A product of parts of two matrices.
  private struct Tile<T> {
    var c: UnsafeMutablePointer<T>
    var a: UnsafeMutablePointer<T>
    var b: UnsafeMutablePointer<T>
    var m: Int, n: Int, k: Int, ldc: Int
    var aLayout: Layout, bLayout: Layout
    var beta: T

    func rows(_ range: Range<Int>) -> Tile {
      var tile = self
      tile.m = range.count
      tile.c += range.lowerBound * ldc
      tile.a += range.lowerBound * (aLayout.isTransposed ? 1 : Int(aLayout.leading))
      return tile
    }

    func columns(_ range: Range<Int>) -> Tile {
      var tile = self
      tile.n = range.count
      tile.c += range.lowerBound
      tile.b += range.lowerBound * (bLayout.isTransposed ? Int(bLayout.leading) : 1)
      return tile
    }
  }

  private static func gemm(_ tile: Tile<Float>) {
    _ = isConfigured
    cblas_sgemm(
      CblasRowMajor, tile.aLayout.isTransposed ? CblasTrans : CblasNoTrans,
      tile.bLayout.isTransposed ? CblasTrans : CblasNoTrans, Int32(tile.m), Int32(tile.n),
      Int32(tile.k), 1, tile.a, tile.aLayout.leading, tile.b, tile.bLayout.leading, tile.beta,
      tile.c, Int32(tile.ldc))
  }

  private static func gemm(_ tile: Tile<Double>) {
    _ = isConfigured
    cblas_dgemm(
      CblasRowMajor, tile.aLayout.isTransposed ? CblasTrans : CblasNoTrans,
      tile.bLayout.isTransposed ? CblasTrans : CblasNoTrans, Int32(tile.m), Int32(tile.n),
      Int32(tile.k), 1, tile.a, tile.aLayout.leading, tile.b, tile.bLayout.leading, tile.beta,
      tile.c, Int32(tile.ldc))
  }
}

/// Calls `body(part)` for each part on the kernels' thread pool, and waits.
func parallel(_ parts: Int, _ body: (Int) -> Void) {
  withoutActuallyEscaping(body) { body in
    var task = body
    withUnsafeMutablePointer(to: &task) { task in
      ck_parallel(
        { context, part in
          context!.assumingMemoryBound(to: ((Int) -> Void).self).pointee(Int(part))
        }, task, Int32(parts))
    }
  }
}

/// How many threads this process computes with.
public enum Threads {
  /// The number of threads, the caller's included.
  ///
  /// Results do not depend on it beyond the rounding of matrix products, and not even there within
  /// `withWorkCutAlike`.
  public static var count: Int {
    get { Int(ck_threads()) }
    set { ck_set_threads(Int32(newValue)) }
  }

  static var cutsWorkAlike: Bool { ck_current_thread_state().pointee.fixed_parts != 0 }

  /// Runs `body` with all work cut in the same way whatever the number of threads, so that results
  /// have the same bits; products take a little longer.
  public static func withWorkCutAlike<Result>(_ body: () throws -> Result) rethrows -> Result {
    let state = ck_current_thread_state()!
    let previous = state.pointee.fixed_parts
    state.pointee.fixed_parts = 1
    defer { state.pointee.fixed_parts = previous }
    return try body()
  }

  /// The instruction set that the kernels use: `avx512`, `avx2` or `plain`.
  public static var instructionSet: String { String(cString: ck_isa()) }

  /// Makes this thread treat numbers too small for full precision as zero, as the pool's threads
  /// do.
  public static func flushDenormals() { ck_flush_denormals() }
}
