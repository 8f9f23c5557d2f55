internal import CKernels

private typealias RowKernel<T> = (
  UnsafeMutablePointer<T>?, UnsafePointer<T>?, Int, Int
) -> Void
private typealias RowBackwardKernel<T> = (
  UnsafeMutablePointer<T>?, UnsafePointer<T>?, UnsafePointer<T>?, Int, Int
) -> Void

extension Tensor {
  /// exp(x) / sum(exp(x)) along an axis, without overflow.
  ///
  /// The gradient is `y * (dy - sum(dy * y))`.
  public final func softmax(axis: Int = -1) -> Tensor {
    alongRows(axis, "softmax") { x in
      x.rows(ck_softmax_f32, ck_softmax_f64).recorded(
        "Softmax", from: x,
        withResult: { dy, y in
          isGradientEnabled
            ? [y * (dy - (dy * y).sum(axes: [-1], keepingAxes: true))]
            : [dy.rows(y, ck_softmax_backward_f32, ck_softmax_backward_f64)]
        })
    }
  }

  /// x - log(sum(exp(x))) along an axis, without overflow: the logarithm of `softmax`.
  ///
  /// The gradient is `dy - exp(y) * sum(dy)`.
  public final func logSoftmax(axis: Int = -1) -> Tensor {
    alongRows(axis, "logSoftmax") { x in
      x.rows(ck_log_softmax_f32, ck_log_softmax_f64).recorded(
        "LogSoftmax", from: x,
        withResult: { dy, y in
          isGradientEnabled
            ? [dy - y.exp() * dy.sum(axes: [-1], keepingAxes: true)]
            : [dy.rows(y, ck_log_softmax_backward_f32, ck_log_softmax_backward_f64)]
        })
    }
  }

  /// Applies a function of rows along any axis by moving that axis to the end and back.
  private func alongRows(_ axis: Int, _ name: StaticString, _ body: (Tensor) -> Tensor) -> Tensor {
    require(dataType.isFloatingPoint, "\(name): floating-point types only, not \(dataType)")
    let axis = shape.normalized(axis: axis, operation: name)
    require(shape[axis] > 0, "\(name): axis \(axis) of \(shape) is empty")
    if axis == shape.count - 1 { return body(self) }
    return body(transposed(axis, -1)).transposed(axis, -1)
  }

  private var rowCount: Int { count / shape.last! }

  private func rows(_ f32Kernel: RowKernel<Float>, _ f64Kernel: RowKernel<Double>) -> Tensor {
    let x = dense()
    let y = Tensor(uninitialized: shape, dataType)
    if dataType == .float32 {
      f32Kernel(y.f32, x.f32, rowCount, shape.last!)
    } else {
      f64Kernel(y.f64, x.f64, rowCount, shape.last!)
    }
    return y
  }

  private func rows(
    _ saved: Tensor, _ f32Kernel: RowBackwardKernel<Float>, _ f64Kernel: RowBackwardKernel<Double>
  ) -> Tensor {
    let (dy, y) = (dense(), saved.dense())
    let dx = Tensor(uninitialized: shape, dataType)
    if dataType == .float32 {
      f32Kernel(dx.f32, dy.f32, y.f32, rowCount, shape.last!)
    } else {
      f64Kernel(dx.f64, dy.f64, y.f64, rowCount, shape.last!)
    }
    return dx
  }
}
