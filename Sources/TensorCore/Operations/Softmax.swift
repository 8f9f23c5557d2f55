internal import CKernels

private typealias RowKernel =
  @convention(c) (
    ck_type, UnsafeMutableRawPointer, UnsafeRawPointer, Int, Int
  ) -> Void
private typealias RowBackwardKernel =
  @convention(c) (
    ck_type, UnsafeMutableRawPointer, UnsafeRawPointer, UnsafeRawPointer, Int, Int
  ) -> Void

extension Tensor {
  /// exp(x) / sum(exp(x)) along an axis, without overflow.
  ///
  /// The gradient is `y * (dy - sum(dy * y))`.
  public final func softmax(axis: Int = -1) -> Tensor {
    alongRows(axis, "softmax") { x in
      x.rows(ck_softmax).recorded(
        "Softmax", from: x,
        withResult: { dy, y in
          fused {
            [dy.rows(with: y, ck_softmax_backward)]
          } composed: {
            [y * (dy - (dy * y).sum(axes: [-1], keepingAxes: true))]
          }
        })
    }
  }

  /// x - log(sum(exp(x))) along an axis, without overflow: the logarithm of `softmax`.
  ///
  /// The gradient is `dy - exp(y) * sum(dy)`.
  public final func logSoftmax(axis: Int = -1) -> Tensor {
    alongRows(axis, "logSoftmax") { x in
      x.rows(ck_log_softmax).recorded(
        "LogSoftmax", from: x,
        withResult: { dy, y in
          fused {
            [dy.rows(with: y, ck_log_softmax_backward)]
          } composed: {
            [dy - y.exp() * dy.sum(axes: [-1], keepingAxes: true)]
          }
        })
    }
  }

  /// Applies a function of rows along any axis by moving that axis to the end and back.
  private func alongRows(_ axis: Int, _ name: StaticString, _ body: (Tensor) -> Tensor) -> Tensor {
    requireFloatingPoint(name, self)
    if dataType == .bfloat16 { return widened.alongRows(axis, name, body) }
    if shape.count == 0 { return onOneAxis(axis) { body($0) } }
    let axis = shape.normalized(axis: axis, operation: name)
    require(shape[axis] > 0, "\(name): axis \(axis) of \(shape) is empty")
    if axis == shape.count - 1 { return body(self) }
    return body(transposed(axis, -1)).transposed(axis, -1)
  }

  private var rowCount: Int { count / shape.last! }

  private func rows(_ kernel: RowKernel) -> Tensor {
    let x = contiguousUnrecorded()
    let y = Tensor(uninitialized: shape, dataType)
    kernel(dataType.kernelType, y.bytes, x.bytes, rowCount, shape.last!)
    return y
  }

  private func rows(with saved: Tensor, _ kernel: RowBackwardKernel) -> Tensor {
    let (dy, y) = (contiguousUnrecorded(), saved.contiguousUnrecorded())
    let dx = Tensor(uninitialized: shape, dataType)
    kernel(dataType.kernelType, dx.bytes, dy.bytes, y.bytes, rowCount, shape.last!)
    return dx
  }
}
