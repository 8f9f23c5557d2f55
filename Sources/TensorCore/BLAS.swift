internal import CKernels
internal import COpenBLAS

/// The only place that calls OpenBLAS, with `LAPACKScalar`.
///
/// OpenBLAS runs on the calling thread only; large products are cut into parts for the kernels' own
/// pool, so that there is one set of threads.
public enum BLAS {
  /// The family of kernels that OpenBLAS chose for this processor, such as `Zen` or `SkylakeX`.
  public static let coreName: String = {
    _ = isConfigured
    return String(cString: openblas_get_corename())
  }()

  /// OpenBLAS's version and build options.
  public static let configuration = String(cString: openblas_get_config())

  static let isConfigured: Bool = {
    openblas_set_num_threads(1)
    return true
  }()

  /// Products of at most this many multiplications are computed by a plain loop: a BLAS call costs
  /// more.
  static let smallProduct = 4096
  /// Products of fewer multiplications than this stay on one thread.
  private static let parallelProduct = 1 << 19
  /// The parts of a product in deterministic partitioning.
  ///
  /// More of them would keep more threads busy, and repeat more of the packing on each.
  private static let fixedParts = 8

  /// A matrix in memory: an operand or the result of a product.
  struct Matrix {
    /// Element [0, 0].
    var elements: ElementPointer
    var rows: Int
    var columns: Int
    /// The leading dimension: how many elements the rows are apart, or the columns of a transposed
    /// matrix.
    var leading: Int
    /// Whether the elements of a column are neighbors in memory, and not those of a row.
    var isTransposed = false

    var transposed: Matrix {
      Matrix(
        elements: elements, rows: columns, columns: rows, leading: leading,
        isTransposed: !isTransposed)
    }

    func rows(_ range: Range<Int>) -> Matrix {
      var part = self
      part.elements = elements + range.lowerBound * rowStride
      part.rows = range.count
      return part
    }

    func columns(_ range: Range<Int>) -> Matrix {
      var part = self
      part.elements = elements + range.lowerBound * columnStride
      part.columns = range.count
      return part
    }

    var rowStride: Int { isTransposed ? 1 : leading }
    var columnStride: Int { isTransposed ? leading : 1 }
  }

  /// c = a b, or c += a b if `adds`: a is [m, k], b [k, n] in any layout, c [m, n] dense.
  ///
  /// Large products use several threads.
  package static func multiply(into c: Tensor, _ a: Tensor, _ b: Tensor, adds: Bool) {
    let (m, k, n) = (a.shape[0], a.shape[1], b.shape[1])
    guard k > 0 else { return adds ? () : c.setAll(to: 0) }
    if m * n * k <= smallProduct {
      // In any layout: nothing is copied.
      ck_gemm_small(
        c.dataType.kernelType, c.bytes, a.bytes, b.bytes, m, n, k, a.strides[0], a.strides[1],
        b.strides[0], b.strides[1], n, adds ? 1 : 0)
      return
    }
    let result = Matrix(elements: c.elements, rows: m, columns: n, leading: n)
    withMatrix(a) { a in
      withMatrix(b) { b in multiply(into: result, a, b, adds: adds) }
    }
  }

  /// Calls `body` with a matrix that BLAS can read: these elements, or a dense copy of them.
  private static func withMatrix(_ tensor: Tensor, _ body: (Matrix) -> Void) {
    if let matrix = Matrix(tensor) { return body(matrix) }
    let copy = tensor.contiguousUnrecorded()
    withExtendedLifetime(copy) { body(Matrix(copy)!) }
  }

  /// c = a b, or c += a b if `adds`, on several threads if it is large.
  private static func multiply(into c: Matrix, _ a: Matrix, _ b: Matrix, adds: Bool) {
    // BLAS rounds differently for matrices of other sizes, so where a product is cut shows in the
    // last bits.
    let parts = Threads.isPartitioningDeterministic ? fixedParts : Threads.count
    guard parts > 1, c.rows * c.columns * a.columns >= parallelProduct else {
      return gemm(into: c, a, b, adds: adds)
    }
    // Cutting the longer side repeats the least packing: every part reads the other operand whole.
    parallel(parts) { part in
      if c.rows >= c.columns {
        let rows = range(c.rows, part, of: parts)
        if !rows.isEmpty { gemm(into: c.rows(rows), a.rows(rows), b, adds: adds) }
      } else {
        let columns = range(c.columns, part, of: parts)
        if !columns.isEmpty { gemm(into: c.columns(columns), a, b.columns(columns), adds: adds) }
      }
    }
  }

  /// The part of 0..<count for one of several workers, in multiples of 16.
  private static func range(_ count: Int, _ part: Int, of parts: Int) -> Range<Int> {
    let blocks = (count + 15) / 16
    return min(count, blocks * part / parts * 16)..<min(count, blocks * (part + 1) / parts * 16)
  }

  /// c = a b, or c += a b if `adds`, on the calling thread: a is [m, k], b [k, n], c [m, n] and not
  /// transposed.
  static func gemm(into c: Matrix, _ a: Matrix, _ b: Matrix, adds: Bool) {
    let dataType = c.elements.dataType
    let (m, n, k) = (c.rows, c.columns, a.columns)
    if m * n * k <= smallProduct {
      ck_gemm_small(
        dataType.kernelType, c.elements.address, a.elements.address, b.elements.address, m, n, k,
        a.rowStride, a.columnStride, b.rowStride, b.columnStride, c.leading, adds ? 1 : 0)
      return
    }
    _ = isConfigured
    let transposeA = a.isTransposed ? CblasTrans : CblasNoTrans
    let transposeB = b.isTransposed ? CblasTrans : CblasNoTrans
    switch dataType {
    case .float32:
      cblas_sgemm(
        CblasRowMajor, transposeA, transposeB, Int32(m), Int32(n), Int32(k), 1,
        a.elements.address.assumingMemoryBound(to: Float.self), Int32(a.leading),
        b.elements.address.assumingMemoryBound(to: Float.self), Int32(b.leading), adds ? 1 : 0,
        c.elements.address.assumingMemoryBound(to: Float.self), Int32(c.leading))
    case .float64:
      cblas_dgemm(
        CblasRowMajor, transposeA, transposeB, Int32(m), Int32(n), Int32(k), 1,
        a.elements.address.assumingMemoryBound(to: Double.self), Int32(a.leading),
        b.elements.address.assumingMemoryBound(to: Double.self), Int32(b.leading), adds ? 1 : 0,
        c.elements.address.assumingMemoryBound(to: Double.self), Int32(c.leading))
    case .int32, .int64, .bool, .bfloat16:
      fatalError("matrix product: OpenBLAS has none of \(dataType)")
    }
  }
}

extension BLAS.Matrix {
  /// The elements of a tensor with two axes; nil if no leading dimension describes its layout.
  fileprivate init?(_ tensor: Tensor) {
    let (rows, columns) = (tensor.shape[0], tensor.shape[1])
    let (rowStride, columnStride) = (tensor.strides[0], tensor.strides[1])
    if columns == 1 || columnStride == 1, rows == 1 || rowStride >= columns {
      self.init(
        elements: tensor.elements, rows: rows, columns: columns,
        leading: rows == 1 ? columns : rowStride)
    } else if rows == 1 || rowStride == 1, columns == 1 || columnStride >= rows {
      self.init(
        elements: tensor.elements, rows: rows, columns: columns,
        leading: columns == 1 ? rows : columnStride, isTransposed: true)
    } else {
      return nil
    }
  }
}
