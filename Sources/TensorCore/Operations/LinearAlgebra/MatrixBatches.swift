// What the operations of linear algebra share. All work on the last two axes; leading axes are batches.

extension Tensor {
  /// The shape of the leading axes.
  final var batchShape: TensorShape { TensorShape(shape.dropLast(2)) }

  /// The number of matrices.
  final var matrixCount: Int { batchShape.elementCount }

  /// A row-major copy outside the graph.
  final func denseCopy() -> Tensor {
    let y = Tensor(uninitialized: shape, dataType)
    copyElements(from: self, to: y)
    return y
  }

  /// A copy outside the graph whose matrices are transposed: in column-major order, as LAPACK reads them.
  final func transposedCopy() -> Tensor { withoutGrad { transposed() }.denseCopy() }

  /// Stops the program unless this is a matrix or a batch of matrices.
  final func requireMatrix(_ operation: StaticString) {
    requireFloatingPoint(operation, self)
    require(
      shape.count >= 2, "\(operation): a matrix or a batch of them is needed, not shape \(shape)")
  }

  /// Stops the program unless this is a square matrix or a batch of them.
  final func requireSquare(_ operation: StaticString) {
    requireMatrix(operation)
    require(
      shape[shape.count - 1] == shape[shape.count - 2],
      "\(operation): square matrices are needed, not shape \(shape)")
  }

  /// Throws if any element is NaN or infinite: LAPACK's iterations might not end.
  final func checkFinite(_ operation: StaticString) throws(LinearAlgebraError) {
    // A sum of magnitudes is finite if all elements are, unless it overflows.
    if withoutGrad({ abs().sum().item() }).isFinite { return }
    let size = shape.suffix(2).reduce(1, *)
    if let index = doubles().firstIndex(where: { !$0.isFinite }) {
      throw LinearAlgebraError(operation, .notFinite, shape, matrix: index / size)
    }
  }

  /// Two operands with their leading axes broadcast.
  static func matched(_ operation: StaticString, _ a: Tensor, _ b: Tensor) -> (Tensor, Tensor) {
    guard let batch = TensorShape.broadcast(a.batchShape, b.batchShape) else {
      fatalError("\(operation): the batches of \(a.shape) and \(b.shape) do not broadcast")
    }
    return (
      a.expanded(to: TensorShape(batch.array + a.shape.suffix(2))),
      b.expanded(to: TensorShape(batch.array + b.shape.suffix(2)))
    )
  }

  /// A matrix of ones where `isOne(row, column)`, else zeros, with `diagonal` in place of the ones on
  /// the diagonal.
  static func mask(
    _ rows: Int, _ columns: Int, _ dataType: DataType, diagonal: Double = 1,
    _ isOne: (_ row: Int, _ column: Int) -> Bool
  ) -> Tensor {
    var elements = [Float](repeating: 0, count: rows * columns)
    for row in 0..<rows {
      for column in 0..<columns where isOne(row, column) {
        elements[row * columns + column] = row == column ? Float(diagonal) : 1
      }
    }
    return withoutGrad { Tensor.of(elements, shape: [rows, columns]).converted(to: dataType) }
  }

  /// Each column j times element j of `[..., n]`: the product with a diagonal matrix.
  final func scalingColumns(by factors: Tensor) -> Tensor { self * factors.unsqueezed(axis: -2) }

  /// Each row i times element i of `[..., n]`.
  final func scalingRows(by factors: Tensor) -> Tensor { self * factors.unsqueezed(axis: -1) }

  /// The pointer to a matrix of a dense batch.
  final func matrix<Scalar: LAPACKScalar>(_ index: Int, _: Scalar.Type) -> UnsafeMutablePointer<
    Scalar
  > {
    pointer(Scalar.self) + index * shape.suffix(2).reduce(1, *)
  }
}

/// The result of a decomposition that has succeeded before, of the same elements.
func again<Result>(_ body: () throws(LinearAlgebraError) -> Result) -> Result {
  do throws(LinearAlgebraError) {
    return try body()
  } catch {
    fatalError("backward: \(error)")
  }
}
