/// A loop over the elements of two operands of the same shape and different strides.
///
/// Axes of size one are dropped, and adjacent axes are merged if that is possible in both operands. The
/// two innermost of the remaining axes are the rows and columns of a block, which a kernel processes;
/// the others are looped over.
struct StridedLoop {
  private var shape = TensorShape()
  private var strides: (TensorShape, TensorShape) = ([], [])

  init(shape full: TensorShape, _ a: TensorShape, _ b: TensorShape) {
    for axis in 0..<full.count where full[axis] != 1 {
      let last = shape.count - 1
      if last >= 0, strides.0[last] == a[axis] * full[axis], strides.1[last] == b[axis] * full[axis]
      {
        shape[last] *= full[axis]
        strides.0[last] = a[axis]
        strides.1[last] = b[axis]
      } else {
        shape.append(full[axis])
        strides.0.append(a[axis])
        strides.1.append(b[axis])
      }
    }
    while shape.count < 2 {
      shape = shape.inserting(1, at: 0)
      strides.0 = strides.0.inserting(shape.count == 1 ? 1 : 0, at: 0)
      strides.1 = strides.1.inserting(shape.count == 1 ? 1 : 0, at: 0)
    }
  }

  func rowStride(_ operand: Int) -> Int {
    (operand == 0 ? strides.0 : strides.1)[shape.count - 2]
  }
  func columnStride(_ operand: Int) -> Int {
    (operand == 0 ? strides.0 : strides.1)[shape.count - 1]
  }

  /// Calls `body` for each block: with its rows and columns, the offsets of its first element in both
  /// operands, and the number of elements before it.
  func forEachBlock(_ body: (Int, Int, InlineArray<3, Int>) -> Void) {
    let rows = shape[shape.count - 2]
    let cols = shape[shape.count - 1]
    guard shape.elementCount > 0 else { return }
    var offsets: InlineArray<3, Int> = [0, 0, 0]
    guard shape.count > 2 else { return body(rows, cols, offsets) }
    let outer = shape.count - 2
    var index = TensorShape(repeating: 0, count: outer)
    while true {
      body(rows, cols, offsets)
      offsets[2] += rows * cols
      var axis = outer - 1
      while axis >= 0 {
        index[axis] += 1
        offsets[0] += strides.0[axis]
        offsets[1] += strides.1[axis]
        if index[axis] < shape[axis] { break }
        offsets[0] -= strides.0[axis] * shape[axis]
        offsets[1] -= strides.1[axis] * shape[axis]
        index[axis] = 0
        axis -= 1
      }
      if axis < 0 { return }
    }
  }
}

extension StridedLoop {
  /// Calls `body` for each element: with its offsets in both operands and its index in row-major order.
  func forEachElement(_ body: (Int, Int, Int) -> Void) {
    forEachBlock { rows, cols, offsets in
      for row in 0..<rows {
        for col in 0..<cols {
          body(
            offsets[0] + row * rowStride(0) + col * columnStride(0),
            offsets[1] + row * rowStride(1) + col * columnStride(1),
            offsets[2] + row * cols + col)
        }
      }
    }
  }
}
