internal import CKernels

// Reductions over any axes. Those of bfloat16 give float32.

typealias ReductionKernel =
  @convention(c) (
    ck_type, UnsafeMutableRawPointer, UnsafeRawPointer, Int, Int, Int
  ) -> Void
private typealias IndexKernel =
  @convention(c) (
    ck_type, UnsafeMutablePointer<Int32>, UnsafeRawPointer, Int, Int, Int
  ) -> Void

extension Tensor {
  /// The sum over `axes`, by default over all; of integers and bool as int64.
  ///
  /// The gradient is `dy`, expanded along the summed axes.
  public final func sum(axes: [Int]? = nil, keepingAxes: Bool = false) -> Tensor {
    guard dataType.isFloatingPoint || dataType == .int64 else {
      return converted(to: .int64).sum(axes: axes, keepingAxes: keepingAxes)
    }
    let mask = shape.mask(of: axes, operation: "sum")
    let y = reduced(mask, ck_sum)
    let (full, kept) = (shape, y.shape)
    return withoutAxes(y, mask, keepingAxes).recorded("Sum", from: self, savesNothing: true) { dy in
      [dy.reshaped(to: kept).expanded(to: full)]
    }
  }

  /// The mean over `axes`; by default, over all.
  ///
  /// The gradient is `dy / n`, expanded along the n averaged elements.
  public final func mean(axes: [Int]? = nil, keepingAxes: Bool = false) -> Tensor {
    requireFloatingPoint("mean", self)
    let mask = shape.mask(of: axes, operation: "mean")
    let y = reduced(mask, ck_sum)
    let factor = Double(y.count) / Double(count)
    ck_affine(y.dataType.kernelType, y.bytes, y.bytes, y.count, factor, 0)
    let (full, kept) = (shape, y.shape)
    return withoutAxes(y, mask, keepingAxes).recorded("Mean", from: self, savesNothing: true) {
      dy in
      [(dy.reshaped(to: kept) * factor).expanded(to: full)]
    }
  }

  /// The largest element over `axes`; NaN if there is one.
  ///
  /// The gradient is divided evenly between equal largest elements.
  public final func max(axes: [Int]? = nil, keepingAxes: Bool = false) -> Tensor {
    extreme("max", "Max", axes, keepingAxes, ck_max)
  }

  /// The smallest element over `axes`; NaN if there is one.
  ///
  /// The gradient is divided evenly between equal smallest elements.
  public final func min(axes: [Int]? = nil, keepingAxes: Bool = false) -> Tensor {
    extreme("min", "Min", axes, keepingAxes, ck_min)
  }

  /// The index of the largest element along an axis, the first of equal ones, as int32; without an axis, its
  /// index in the flattened tensor.
  public final func argmax(axis: Int? = nil, keepingAxes: Bool = false) -> Tensor {
    indices("argmax", axis, keepingAxes, ck_argmax)
  }

  /// The index of the smallest element along an axis, the first of equal ones, as int32; without an axis, its
  /// index in the flattened tensor.
  public final func argmin(axis: Int? = nil, keepingAxes: Bool = false) -> Tensor {
    indices("argmin", axis, keepingAxes, ck_argmin)
  }

  /// The Euclidean norm: the square root of the sum of squares over `axes`.
  ///
  /// The gradient is `dy * x / norm`, 0 where the norm is 0.
  public final func norm(axes: [Int]? = nil, keepingAxes: Bool = false) -> Tensor {
    let mask = shape.mask(of: axes, operation: "norm")
    let y = withoutGrad { widened.squared().sum(axes: axes, keepingAxes: true).sqrt() }
    let saved = Saved(self, by: "Norm")
    return finish("Norm", y, mask, keepingAxes) { dy, y in
      Tensor.where(y .== 0, 0, dy * saved() / Tensor.where(y .== 0, 1, y))
    }
  }

  /// This tensor summed to a shape that broadcasts to its own: the transpose of broadcasting.
  final func summed(to target: TensorShape, _ source: StaticString) -> Tensor {
    require(
      TensorShape.broadcast(target, shape) == shape,
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
    _ kernel: ReductionKernel
  ) -> Tensor {
    let mask = shape.mask(of: axes, operation: name)
    for axis in 0..<shape.count where mask[axis] {
      require(shape[axis] > 0, "\(name): axis \(axis) of \(shape) is empty")
    }
    let y = reduced(mask, kernel)
    let saved = Saved(self, by: recordedName)
    let axes = (0..<shape.count).filter { mask[$0] }
    return finish(recordedName, y, mask, keepingAxes) { dy, y in
      let isExtreme = (saved() .== y).converted(to: dy.dataType)
      return dy * isExtreme / isExtreme.sum(axes: axes, keepingAxes: true)
    }
  }

  private func indices(
    _ name: StaticString, _ axis: Int?, _ keepingAxes: Bool, _ kernel: IndexKernel
  ) -> Tensor {
    guard let axis else {
      require(count > 0, "\(name): \(shape) is empty")
      return withoutGrad {
        let index = reshaped(to: [count]).indices(name, 0, false, kernel)
        return keepingAxes ? index.reshaped(to: TensorShape(shape.map { _ in 1 })) : index
      }
    }
    let normal = shape.normalized(axis: axis, operation: name)
    require(shape[normal] > 0, "\(name): axis \(normal) of \(shape) is empty")
    if dataType == .bfloat16 {
      return withoutGrad { widened.indices(name, normal, keepingAxes, kernel) }
    }
    let y = reduced(shape.mask(of: [normal], operation: name), .int32) {
      kernel($0, $1.assumingMemoryBound(to: Int32.self), $2, $3, $4, $5)
    }
    return keepingAxes ? y : withoutGrad { y.squeezed(axis: normal) }
  }

  /// Records a reduction whose derivative is written in terms of the result `y`, which has the reduced
  /// axes with size one, and removes them unless they are kept.
  final func finish(
    _ name: StaticString, _ y: Tensor, _ mask: InlineArray<8, Bool>, _ keepingAxes: Bool,
    _ pullback: @escaping (_ dy: Tensor, _ y: Tensor) -> Tensor
  ) -> Tensor {
    let kept = y.shape
    return withoutAxes(y, mask, keepingAxes).recorded(
      name, from: self,
      withResult: { dy, y in [pullback(dy.reshaped(to: kept), y.reshaped(to: kept))] })
  }

  /// The fresh result `y` of a reduction without the reduced axes, unless they are kept.
  final func withoutAxes(_ y: Tensor, _ mask: InlineArray<8, Bool>, _ keepingAxes: Bool) -> Tensor {
    var target = TensorShape()
    for axis in 0..<shape.count where keepingAxes || !mask[axis] { target.append(y.shape[axis]) }
    return Tensor(shape: target, storage: y.storage, dataType: y.dataType)
  }

  final func reduced(_ mask: InlineArray<8, Bool>, _ kernel: ReductionKernel) -> Tensor {
    reduced(mask, dataType.sumType) { kernel($0, $1, $2, $3, $4, $5) }
  }

  /// The result of a kernel over the masked axes, which stay as axes of size one; dense and outside
  /// the graph.
  private func reduced(
    _ mask: InlineArray<8, Bool>, _ resultType: DataType,
    _ kernel: (
      _ type: ck_type, _ y: UnsafeMutableRawPointer, _ x: UnsafeRawPointer, _ outer: Int,
      _ reduce: Int, _ inner: Int
    ) -> Void
  ) -> Tensor {
    var result = shape
    for axis in 0..<shape.count where mask[axis] { result[axis] = 1 }
    let y = Tensor(uninitialized: result, resultType)
    let (x, outer, reduce, inner) = grouped(mask)
    kernel(dataType.kernelType, y.bytes, x.bytes, outer, reduce, inner)
    return y
  }

  /// This tensor as a contiguous [outer, reduce, inner]; axes are permuted only if the reduced ones are
  /// not adjacent in memory.
  private func grouped(
    _ mask: InlineArray<8, Bool>
  ) -> (x: Tensor, outer: Int, reduce: Int, inner: Int) {
    // The result is row-major, so channels and positions must not both be kept.
    if memoryOrder == .channelsLast, mask[1] || mask[2] && mask[3] {
      let view = withoutGrad { permuted([0, 2, 3, 1]) }
      let moved = [mask[0], mask[2], mask[3], mask[1]]
      var target = InlineArray<8, Bool>(repeating: false)
      for axis in 0..<4 { target[axis] = moved[axis] }
      return view.grouped(target)
    }
    var (outer, reduce, inner) = (1, 1, 1)
    var areAdjacent = true
    for axis in 0..<shape.count where shape[axis] != 1 {
      if mask[axis] {
        if inner != 1 { areAdjacent = false }
        reduce *= shape[axis]
      } else if reduce != 1 {
        inner *= shape[axis]
      } else {
        outer *= shape[axis]
      }
    }
    if areAdjacent { return (contiguousUnrecorded(), outer, reduce, inner) }
    let axes = (0..<shape.count).filter { !mask[$0] } + (0..<shape.count).filter { mask[$0] }
    return (withoutGrad { permuted(axes).contiguousUnrecorded() }, outer * inner, reduce, 1)
  }
}
