internal import CKernels

extension Tensor {
  /// The elements divided by their root mean square over the last axes, whose sizes are
  /// `normalizedShape`, and multiplied by `weight` of that shape: PyTorch's `rms_norm` (Zhang and
  /// Sennrich, 2019).
  ///
  /// With r = 1 / sqrt(mean(x²) + epsilon), n = x r and g = dy * weight, the gradient is
  /// `r * (g - n * mean(g * n))`; that of the weight is the sum of `dy * n`.
  ///
  /// - Parameters:
  ///   - normalizedShape: The sizes of the last axes.
  ///   - weight: The factors of the elements; 1 by default.
  ///   - epsilon: What is added to the mean of the squares; by default, as in PyTorch, the distance from 1
  ///     to the next number of the type.
  public final func rmsNorm(
    _ normalizedShape: TensorShape, weight: Tensor? = nil, epsilon: Double? = nil
  ) -> Tensor {
    require(
      normalizedShape.count > 0
        && TensorShape(shape.suffix(normalizedShape.count)) == normalizedShape,
      "rmsNorm: \(shape) does not end with \(normalizedShape)")
    require(
      weight == nil || weight!.shape == normalizedShape,
      "rmsNorm: the weight must be \(normalizedShape), not \(weight!.shape)")
    requireFloatingPoint("rmsNorm", self, weight)
    let columns = normalizedShape.elementCount
    require(columns > 0, "rmsNorm: there are no elements to normalize in \(shape)")
    let rows = count / columns
    let epsilon = epsilon ?? dataType.distanceToNextOfOne
    let axes = Array(-normalizedShape.count..<0)
    let x = contiguousUnrecorded()
    let y = Tensor(uninitialized: shape, dataType)
    let factors = Tensor(uninitialized: [rows], dataType.sumType)
    let type = dataType.kernelType
    let w = withoutGrad { weight?.widened.contiguous() }
    ck_rms_norm(type, y.bytes, factors.bytes, x.bytes, w?.bytes, rows, columns, epsilon)
    let saved = Saved(self, by: "RMSNorm")
    let savedWeight = weight.map { Saved($0, by: "RMSNorm") }
    let needsX = requiresGrad
    return y.recorded("RMSNorm", weight, nil, from: self) { dy in
      let (x, weight) = (saved(), savedWeight?())
      return fused {
        let (x, g) = (x.contiguousUnrecorded(), dy.contiguousUnrecorded())
        let w = weight?.widened.contiguousUnrecorded()
        var gradients: [Tensor?] = [nil]
        if needsX {
          let dx = Tensor(uninitialized: x.shape, x.dataType)
          ck_rms_norm_backward(
            type, dx.bytes, g.bytes, x.bytes, factors.bytes, w?.bytes, rows, columns)
          gradients[0] = dx
        }
        guard w != nil else { return gradients }
        let dw = Tensor(uninitialized: normalizedShape, x.dataType.sumType)
        ck_rms_norm_sums(type, dw.bytes, g.bytes, x.bytes, factors.bytes, rows, columns)
        return gradients + [dw]
      } composed: {
        let x = x.widened
        func mean(_ x: Tensor) -> Tensor { x.mean(axes: axes, keepingAxes: true) }
        let r = (mean(x.squared()) + epsilon).sqrt().reciprocal()
        let n = x * r
        let g = weight.map { dy * $0 } ?? dy
        let dx = r * (g - n * mean(g * n))
        return [dx] + (weight == nil ? [] : [(dy * n).summed(to: normalizedShape, "rmsNorm")])
      }
    }
  }
}

extension DataType {
  /// The distance from 1 to the next larger number of a floating-point type.
  fileprivate var distanceToNextOfOne: Double {
    switch self {
    case .float64: Double.ulpOfOne
    case .bfloat16: 0x1p-7
    default: Double(Float.ulpOfOne)
    }
  }
}
