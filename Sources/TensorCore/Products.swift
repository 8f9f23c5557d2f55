internal import CKernels

/// Which code computes a matrix product.
enum Products {
  /// c = a b, or c += a b if `adds`: a is [m, k], b [k, n] in any layout, c [m, n] dense; then a bias [n] is
  /// added to each row, and with `relu` negative elements become 0.
  ///
  /// Our own kernel computes products of bfloat16, and with AVX-512 those of float32, unless the columns of
  /// the left operand are dense: it needs no pass over c for what follows. OpenBLAS, which is faster for the
  /// others, computes those, and all of float64.
  static func multiply(
    into c: Tensor, _ a: Tensor, _ b: Tensor, adds: Bool, bias: Tensor? = nil, relu: Bool = false
  ) {
    guard c.count > 0 else { return }
    c.storage.version += 1
    if isForKernel(a, b) {
      multiplyByKernel(into: c, a, b, adds: adds, bias, relu: relu)
      return
    }
    BLAS.multiply(into: c, a, b, adds: adds)
    if let bias = bias?.contiguousUnrecorded() {
      ck_add_row(c.dataType.kernelType, c.bytes, bias.bytes, c.shape[0], c.shape[1])
    }
    if relu { ck_relu(c.dataType.kernelType, c.bytes, c.bytes, c.count) }
  }

  private static func isForKernel(_ a: Tensor, _ b: Tensor) -> Bool {
    if a.dataType == .bfloat16 || b.dataType == .bfloat16 { return true }
    let hasDenseColumns = a.strides[0] == 1 && a.strides[1] != 1
    return a.dataType == .float32 && hasWideVectors && !hasDenseColumns
      && a.shape[0] * a.shape[1] * b.shape[1] > BLAS.smallProduct
  }

  private static let hasWideVectors = Threads.instructionSet.hasPrefix("avx512")

  private static func multiplyByKernel(
    into c: Tensor, _ a: Tensor, _ b: Tensor, adds: Bool, _ bias: Tensor?, relu: Bool
  ) {
    let type: DataType = b.dataType == .bfloat16 ? .bfloat16 : a.dataType
    let (m, k, n) = (a.shape[0], a.shape[1], b.shape[1])
    let (left, bias) = withoutGrad {
      (a.converted(to: type).withUnitStride(), bias?.widened.contiguousUnrecorded())
    }
    var shape = ck_product_shape(
      a_type: type.kernelType, b_type: b.dataType.kernelType, c_type: c.dataType.kernelType, m: m,
      n: n, k: k, a_row: left.strides[0], a_col: left.strides[1], b_row: b.strides[0],
      b_col: b.strides[1], c_row: n, threads: Threads.count)
    // The stride of an axis of size 1 says nothing.
    if k == 1 { shape.a_col = 1 } else if m == 1, shape.a_col != 1 { shape.a_row = 1 }
    var epilogue = ck_epilogue()
    epilogue.bias = bias.map { UnsafeRawPointer($0.bytes) }
    epilogue.residual = adds ? UnsafeRawPointer(c.bytes) : nil
    epilogue.relu = relu
    let workspace = Storage(byteCount: ck_product_workspace(&shape))
    ck_product(c.bytes, left.bytes, b.bytes, &shape, &epilogue, workspace.pointer)
    withExtendedLifetime((left, bias, workspace)) {}
  }
}

extension Tensor {
  /// This matrix if its rows or columns are dense, else a copy, outside the graph.
  fileprivate func withUnitStride() -> Tensor {
    strides.contains(1) || shape.contains(1) ? self : contiguousUnrecorded()
  }
}
