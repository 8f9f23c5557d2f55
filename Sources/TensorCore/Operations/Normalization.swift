internal import CKernels

// Layer and group normalization: mean 0 and variance 1 within a sample. BatchNorm.swift normalizes over a
// batch.

extension Tensor {
  /// The elements normalized over the last axes, whose sizes are `normalizedShape`, multiplied by
  /// `weight` and added to `bias`, both of that shape: PyTorch's `layer_norm`.
  ///
  /// With the normalized elements n, rstd = 1 / sqrt(variance + epsilon) and g = dy * weight, the
  /// gradient is `rstd * (g - mean(g) - n * mean(g * n))`; those of weight and bias are the sums of
  /// `dy * n` and `dy`.
  public final func layerNorm(
    _ normalizedShape: TensorShape, weight: Tensor? = nil, bias: Tensor? = nil,
    epsilon: Double = 1e-5
  ) -> Tensor {
    require(
      normalizedShape.count > 0
        && TensorShape(shape.suffix(normalizedShape.count)) == normalizedShape,
      "layerNorm: \(shape) does not end with \(normalizedShape)")
    for parameter in [weight, bias] {
      require(
        parameter == nil || parameter!.shape == normalizedShape,
        "layerNorm: weight and bias must be \(normalizedShape), not \(parameter!.shape)")
    }
    requireFloatingPoint("layerNorm", self, weight, bias)
    let axes = Array(-normalizedShape.count..<0)
    let columns = normalizedShape.elementCount
    require(columns > 0, "layerNorm: there are no elements to normalize in \(shape)")
    let rows = count / columns
    let x = contiguousUnrecorded()
    let y = Tensor(uninitialized: shape, dataType)
    let mean = Tensor(uninitialized: [rows], dataType.sumType)
    let rstd = Tensor(uninitialized: [rows], dataType.sumType)
    let (w, b) = withoutGrad { (weight?.widened.contiguous(), bias?.widened.contiguous()) }
    ck_layer_norm(
      dataType.kernelType, y.bytes, mean.bytes, rstd.bytes, x.bytes, w?.bytes, b?.bytes, rows,
      columns, epsilon)
    let saved = Saved(self, by: "LayerNorm")
    let savedWeight = weight.map { Saved($0, by: "LayerNorm") }
    let hasBias = bias != nil
    let needsX = requiresGrad
    return y.recorded("LayerNorm", weight, bias, from: self) { dy in
      let (x, w) = (saved(), savedWeight?())
      return fused {
        let (x, g, w) = (
          x.contiguousUnrecorded(), dy.contiguousUnrecorded(), w?.widened.contiguousUnrecorded()
        )
        let type = x.dataType.kernelType
        var gradients: [Tensor?] = [nil]
        if needsX {
          let dx = Tensor(uninitialized: x.shape, x.dataType)
          ck_layer_norm_backward(
            type, dx.bytes, g.bytes, x.bytes, mean.bytes, rstd.bytes, w?.bytes, rows,
            columns)
          gradients[0] = dx
        }
        guard w != nil || hasBias else { return gradients }
        let dw = Tensor(uninitialized: normalizedShape, x.dataType.sumType)
        let db = Tensor(uninitialized: normalizedShape, x.dataType.sumType)
        ck_layer_norm_sums(
          type, dw.bytes, db.bytes, g.bytes, x.bytes, mean.bytes, rstd.bytes, rows, columns)
        if w != nil { gradients.append(dw) }
        if hasBias { gradients.append(db) }
        return gradients
      } composed: {
        normalizationGradients(dy, x, w, hasBias: hasBias, axes, epsilon)
      }
    }
  }

  /// The elements `[N, C, ...]` normalized over each of `groups` groups of channels of a sample,
  /// multiplied by `weight` and added to `bias`, both `[C]`: PyTorch's `group_norm`.
  ///
  /// The gradient is that of `layerNorm`.
  public final func groupNorm(
    _ groups: Int, weight: Tensor? = nil, bias: Tensor? = nil, epsilon: Double = 1e-5
  ) -> Tensor {
    require(
      shape.count >= 2 && groups > 0 && shape[1] % groups == 0,
      "groupNorm: the channels of \(shape) are not divisible by \(groups) groups")
    let rest = shape.dropFirst(2).reduce(shape[1] / groups, *)
    let y = reshaped(to: [shape[0], groups, rest]).layerNorm([rest], epsilon: epsilon)
      .reshaped(to: shape)
    checkChannels("groupNorm", weight, bias)
    let perChannel = shape.channelShape
    let scaled = weight.map { y * $0.reshaped(to: perChannel) } ?? y
    return bias.map { scaled + $0.reshaped(to: perChannel) } ?? scaled
  }

  /// The elements `[N, C, ...]` normalized over each channel of each sample, multiplied by `weight` and added to
  /// `bias`, both `[C]`: PyTorch's `instance_norm`, which is `groupNorm` with as many groups as channels.
  public final func instanceNorm(
    weight: Tensor? = nil, bias: Tensor? = nil, epsilon: Double = 1e-5
  ) -> Tensor {
    require(
      shape.count >= 3 && shape.dropFirst(2).reduce(1, *) > 1,
      "instanceNorm: [N, C, ...] with more than one element per channel is needed, not \(shape)")
    return groupNorm(shape[1], weight: weight, bias: bias, epsilon: epsilon)
  }

  /// x / (k + alpha * m)^beta, where m is the mean square of `size` channels around that of x in `[N, C, ...]`,
  /// with zeros beyond the first and the last: PyTorch's `local_response_norm`.
  public final func localResponseNorm(
    _ size: Int, alpha: Double = 1e-4, beta: Double = 0.75, k: Double = 1
  ) -> Tensor {
    require(
      size > 0 && shape.count >= 3,
      "localResponseNorm: [N, C, ...] and a positive size are needed, not \(shape) and \(size)")
    let rest = shape.dropFirst(2).reduce(1, *)
    let means = squared().reshaped(to: [shape[0], 1, shape[1], rest])
      .zeroPadded(axis: 2, by: size / 2, (size - 1) / 2)
      .avgPool2d(kernel: [size, 1], stride: 1)
      .reshaped(to: shape)
    return self / (k + alpha * means).pow(beta)
  }

  /// Records an operation whose weight and bias may be missing.
  final func recorded(
    _ name: StaticString, _ weight: Tensor?, _ bias: Tensor?, from x: Tensor,
    pullback: @escaping Pullback
  ) -> Tensor {
    record(name, [x, weight, bias].compactMap { $0 })?.pullback = .returning(pullback)
    return self
  }

  final func checkChannels(_ name: StaticString, _ a: Tensor?, _ b: Tensor?) {
    require(shape.count >= 2, "\(name): an input [N, C, ...] is needed, not \(shape)")
    for parameter in [a, b] {
      require(
        parameter == nil || parameter!.shape == [shape[1]],
        "\(name): for the channels of \(shape), [\(shape[1])] is needed, not \(parameter!.shape)")
    }
    requireFloatingPoint(name, self, a, b)
  }
}

/// The gradients of (x - mean) / sqrt(variance + epsilon) * weight + bias in tensor operations, with the
/// mean and variance of `x` over `axes`.
func normalizationGradients(
  _ dy: Tensor, _ x: Tensor, _ weight: Tensor?, hasBias: Bool, _ axes: [Int], _ epsilon: Double
) -> [Tensor?] {
  func mean(_ x: Tensor) -> Tensor { x.mean(axes: axes, keepingAxes: true) }
  let centered = x - mean(x)
  let rstd = (mean(centered.squared()) + epsilon).sqrt().reciprocal()
  let n = centered * rstd
  let g = weight.map { dy * $0 } ?? dy
  let dx = rstd * (g - mean(g) - n * mean(g * n))
  // Backward does not know that the shapes of weight and bias are per channel.
  let others = [weight.map { (dy * n).summed(to: $0.shape, "normalization") }].compactMap { $0 }
  guard hasBias else { return [dx] + others }
  let kept =
    weight?.shape ?? TensorShape(x.shape.indices.map { axes.contains($0) ? 1 : x.shape[$0] })
  return [dx] + others + [dy.summed(to: kept, "normalization")]
}

extension TensorShape {
  /// The shape in which `[C]` broadcasts to this one, `[N, C, ...]`.
  var channelShape: TensorShape {
    var result = TensorShape(repeating: 1, count: count)
    result[1] = self[1]
    return result
  }
}
