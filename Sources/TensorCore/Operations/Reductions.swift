internal import CKernels

// Sums, extremes and their like, over any axes.

private typealias ReductionKernel<T, Result> = (
  UnsafeMutablePointer<Result>?, UnsafePointer<T>?, Int, Int, Int
) -> Void

extension Tensor {
  /// The sum over `axes`, all of them unless some are named.
  ///
  /// The gradient is `dy` repeated along the summed axes.
  public final func sum(axes: [Int]? = nil, keepingAxes: Bool = false) -> Tensor {
    let mask = shape.mask(of: axes, operation: "sum")
    let y = reduced(mask, ck_sum_f32, ck_sum_f64, ck_sum_i32)
    return finish("Sum", y, mask, keepingAxes) { dy, _, shape in dy.expanded(to: shape) }
  }

  /// The mean over `axes`, all of them unless some are named.
  ///
  /// The gradient is `dy / n`, repeated along the n elements averaged.
  public final func mean(axes: [Int]? = nil, keepingAxes: Bool = false) -> Tensor {
    let mask = shape.mask(of: axes, operation: "mean")
    let y = reduced(mask, ck_sum_f32, ck_sum_f64, ck_sum_i32)
    let factor = Double(y.count) / Double(count)
    switch dataType {
    case .float32: ck_affine_f32(y.f32, y.f32, y.count, Float(factor), 0)
    case .float64: ck_affine_f64(y.f64, y.f64, y.count, factor, 0)
    case .int32: notForIntegers("mean")
    }
    return finish("Mean", y, mask, keepingAxes) { dy, _, shape in
      (dy * factor).expanded(to: shape)
    }
  }

  /// The largest element over `axes`; NaN if there is one.
  ///
  /// The gradient is shared evenly by the largest.
  public final func max(axes: [Int]? = nil, keepingAxes: Bool = false) -> Tensor {
    extreme("max", "Max", axes, keepingAxes, ck_max_f32, ck_max_f64, ck_max_i32)
  }

  /// The smallest element over `axes`; NaN if there is one.
  ///
  /// The gradient is shared evenly by the smallest.
  public final func min(axes: [Int]? = nil, keepingAxes: Bool = false) -> Tensor {
    extreme("min", "Min", axes, keepingAxes, ck_min_f32, ck_min_f64, ck_min_i32)
  }

  /// The index of the largest element along an axis, the first of several, as int32.
  public final func argmax(axis: Int = -1, keepingAxes: Bool = false) -> Tensor {
    indices("argmax", axis, keepingAxes, ck_argmax_f32, ck_argmax_f64, ck_argmax_i32)
  }

  /// The index of the smallest element along an axis, the first of several, as int32.
  public final func argmin(axis: Int = -1, keepingAxes: Bool = false) -> Tensor {
    indices("argmin", axis, keepingAxes, ck_argmin_f32, ck_argmin_f64, ck_argmin_i32)
  }

  /// The Euclidean norm: the square root of the sum of squares over `axes`.
  ///
  /// The gradient is `dy * x / norm`, 0 where the norm is 0.
  public final func norm(axes: [Int]? = nil, keepingAxes: Bool = false) -> Tensor {
    let mask = shape.mask(of: axes, operation: "norm")
    let y = withoutGrad { squared().sum(axes: axes, keepingAxes: true).sqrt() }
    let saved = Saved(self, by: "Norm")
    return finish("Norm", y, mask, keepingAxes) { dy, y, _ in
      Tensor.where(y .== 0, 0, dy * saved() / Tensor.where(y .== 0, 1, y))
    }
  }

  /// This tensor summed down to a shape that broadcasts to its own: the transpose of broadcasting.
  final func summed(to target: Shape, _ source: StaticString) -> Tensor {
    require(
      Shape.broadcast(target, shape) == shape,
      "\(source): a gradient of shape \(shape) for an input of shape \(target)")
    let added = shape.count - target.count
    let axes = (0..<shape.count).filter { axis in
      axis < added || target[axis - added] == 1 && shape[axis] != 1
    }
    let y = sum(axes: axes, keepingAxes: true)
    return added == 0 ? y : y.reshaped(to: target)
  }

  private func extreme(
    _ name: StaticString, _ recordedName: StaticString, _ axes: [Int]?, _ keepingAxes: Bool,
    _ f32: ReductionKernel<Float, Float>, _ f64: ReductionKernel<Double, Double>,
    _ i32: ReductionKernel<Int32, Int32>
  ) -> Tensor {
    let mask = shape.mask(of: axes, operation: name)
    for axis in 0..<shape.count where mask[axis] {
      require(shape[axis] > 0, "\(name): nothing to choose from along axis \(axis) of \(shape)")
    }
    let y = reduced(mask, f32, f64, i32)
    let saved = Saved(self, by: recordedName)
    let axes = (0..<shape.count).filter { mask[$0] }
    return finish(recordedName, y, mask, keepingAxes) { dy, y, _ in
      let isExtreme = (saved() .== y).converted(to: dy.dataType)
      return dy * isExtreme / isExtreme.sum(axes: axes, keepingAxes: true)
    }
  }

  private func indices(
    _ name: StaticString, _ axis: Int, _ keepingAxes: Bool, _ f32: ReductionKernel<Float, Int32>,
    _ f64: ReductionKernel<Double, Int32>, _ i32: ReductionKernel<Int32, Int32>
  ) -> Tensor {
    let axis = shape.normalized(axis: axis, operation: name)
    require(shape[axis] > 0, "\(name): nothing to choose from along axis \(axis) of \(shape)")
    let y = reduced(shape.mask(of: [axis], operation: name), f32, f64, i32)
    return keepingAxes ? y : withoutGrad { y.squeezed(axis: axis) }
  }

  /// Records a reduction whose result `y` still has the reduced axes, and removes them unless they
  /// are kept.
  private func finish(
    _ name: StaticString, _ y: Tensor, _ mask: InlineArray<8, Bool>, _ keepingAxes: Bool,
    _ pullback: @escaping (_ dy: Tensor, _ y: Tensor, _ shape: Shape) -> Tensor
  ) -> Tensor {
    let (full, keptShape) = (shape, y.shape)
    var target = Shape()
    for axis in 0..<shape.count where keepingAxes || !mask[axis] { target.append(y.shape[axis]) }
    return Tensor(shape: target, storage: y.storage, dataType: dataType)
      .recorded(
        name, from: self,
        withResult: { dy, y in
          [pullback(dy.reshaped(to: keptShape), y.reshaped(to: keptShape), full)]
        })
  }

  /// A kernel over the masked axes, which stay as axes of size one; dense and outside the graph.
  private func reduced<Result32, Result64>(
    _ mask: InlineArray<8, Bool>, _ f32Kernel: ReductionKernel<Float, Result32>,
    _ f64Kernel: ReductionKernel<Double, Result64>, _ i32Kernel: ReductionKernel<Int32, Int32>
  ) -> Tensor {
    var result = shape
    for axis in 0..<shape.count where mask[axis] { result[axis] = 1 }
    let resultType: DataType = Result32.self == Int32.self ? .int32 : dataType
    let y = Tensor(uninitialized: result, resultType)
    let (x, outer, reduce, inner) = grouped(mask)
    switch dataType {
    case .float32:
      f32Kernel(y.bytes.assumingMemoryBound(to: Result32.self), x.f32, outer, reduce, inner)
    case .float64:
      f64Kernel(y.bytes.assumingMemoryBound(to: Result64.self), x.f64, outer, reduce, inner)
    case .int32: i32Kernel(y.i32, x.i32, outer, reduce, inner)
    }
    return y
  }

  /// This tensor as a dense [outer, reduce, inner]; the axes are moved only when the reduced ones
  /// are not neighbours.
  private func grouped(
    _ mask: InlineArray<8, Bool>
  ) -> (x: Tensor, outer: Int, reduce: Int, inner: Int) {
    var (outer, reduce, inner) = (1, 1, 1)
    var areNeighbours = true
    for axis in 0..<shape.count where shape[axis] != 1 {
      if mask[axis] {
        if inner != 1 { areNeighbours = false }
        reduce *= shape[axis]
      } else if reduce != 1 {
        inner *= shape[axis]
      } else {
        outer *= shape[axis]
      }
    }
    if areNeighbours { return (dense(), outer, reduce, inner) }
    let axes = (0..<shape.count).filter { !mask[$0] } + (0..<shape.count).filter { mask[$0] }
    return (withoutGrad { permuted(axes).dense() }, outer * inner, reduce, 1)
  }
}
