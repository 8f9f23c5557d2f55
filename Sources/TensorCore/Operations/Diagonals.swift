// Diagonals and triangles of matrices.

extension Tensor {
  /// The diagonal of two axes, which comes last: a view.
  ///
  /// `offset` is above the main diagonal, or below it if negative.
  ///
  /// The gradient is `dy` on the diagonal and 0 elsewhere.
  public final func diagonal(offset: Int = 0, axes: (Int, Int) = (0, 1)) -> Tensor {
    let (i, j) = diagonalAxes(axes, shape)
    let from = shape
    return diagonalView(offset, i, j).recorded("Diagonal", from: self) { dy in
      [dy.onDiagonal(offset, i, j, in: from)]
    }
  }

  private final func diagonalView(_ offset: Int, _ i: Int, _ j: Int) -> Tensor {
    let (rows, columns) = (shape[i], shape[j])
    let length = Swift.max(
      0, offset >= 0 ? Swift.min(rows, columns - offset) : Swift.min(rows + offset, columns))
    let (high, low) = (Swift.max(i, j), Swift.min(i, j))
    var target = shape.removing(high).removing(low)
    var steps = strides.removing(high).removing(low)
    target.append(length)
    steps.append(strides[i] + strides[j])
    let start =
      length == 0 ? 0 : offset >= 0 ? offset * strides[j] : -offset * strides[i]
    return view(target, steps, self.offset + start)
  }

  /// A tensor of zeros with these elements on a diagonal: the transpose of `diagonal`.
  private final func onDiagonal(_ offset: Int, _ i: Int, _ j: Int, in target: TensorShape) -> Tensor
  {
    let y = Tensor.zeros(target, dataType)
    copyElements(from: self, to: y.diagonalView(offset, i, j))
    return y.recorded("EmbedDiagonal", from: self) { dy in
      [dy.diagonal(offset: offset, axes: (i, j))]
    }
  }

  private final func diagonalAxes(_ axes: (Int, Int), _ shape: TensorShape) -> (Int, Int) {
    let i = shape.normalized(axis: axes.0, operation: "diagonal")
    let j = shape.normalized(axis: axes.1, operation: "diagonal")
    require(i != j, "diagonal: axes \(axes) of \(shape) are the same")
    return (i, j)
  }

  /// A matrix with this vector on its diagonal, or the diagonal of this matrix, as PyTorch's `diag`.
  public final func diag(_ offset: Int = 0) -> Tensor {
    require(
      shape.count == 1 || shape.count == 2, "diag: a vector or a matrix is needed, not \(shape)")
    return shape.count == 1 ? diagEmbedded(offset: offset) : diagonal(offset: offset)
  }

  /// Matrices with the last axis of this tensor on their diagonals.
  ///
  /// The gradient is the diagonal of `dy`.
  public final func diagEmbedded(offset: Int = 0) -> Tensor {
    require(shape.count > 0, "diagEmbedded: a vector is needed, not a scalar")
    let size = shape.last! + Swift.abs(offset)
    var target = TensorShape(shape.dropLast())
    target.append(size)
    target.append(size)
    return onDiagonal(offset, target.count - 2, target.count - 1, in: target)
  }

  /// The upper triangle of the last two axes, 0 below the diagonal `offset` (above the main one if
  /// positive).
  ///
  /// The gradient is the upper triangle of `dy`.
  public final func triu(_ offset: Int = 0) -> Tensor { triangle("triu") { $1 - $0 >= offset } }

  /// The lower triangle of the last two axes, 0 above the diagonal `offset` (above the main one if
  /// positive).
  ///
  /// The gradient is the lower triangle of `dy`.
  public final func tril(_ offset: Int = 0) -> Tensor { triangle("tril") { $1 - $0 <= offset } }

  private func triangle(_ name: StaticString, _ isKept: (Int, Int) -> Bool) -> Tensor {
    require(shape.count >= 2, "\(name): a matrix is needed, not \(shape)")
    let (rows, columns) = (shape[shape.count - 2], shape.last!)
    var mask = [Int32](repeating: 0, count: rows * columns)
    for row in 0..<rows {
      for column in 0..<columns where isKept(row, column) { mask[row * columns + column] = 1 }
    }
    return .where(Tensor.of(mask, shape: [rows, columns]) .== 1, self, 0)
  }

  /// The sum of the diagonal of this matrix.
  public final func trace() -> Tensor {
    require(shape.count == 2, "trace: a matrix is needed, not \(shape)")
    return diagonal().sum()
  }
}
