internal import CKernels

// Elements shifted and scaled to mean 0 and variance 1, within a sample or over a batch.

/// What batch normalisation found out about the channels of a batch.
public struct ChannelStatistics {
  /// The mean of each channel.
  public let mean: Tensor
  /// The biased variance of each channel.
  public let variance: Tensor
  /// The number of elements of a channel.
  public let count: Int

  /// The variance that divides by `count - 1`.
  public var unbiasedVariance: Tensor { variance * (Double(count) / Double(count - 1)) }
}

/// Sums statistics over the processes that each hold a part of a batch.
///
/// All processes have to run the same layers, forward and backward, also those whose part is empty.
public struct StatisticsReduction {
  /// The sums of each number over all processes.
  let sum: ([Double]) -> [Double]

  /// A reduction whose `sum` adds up each number over all processes: an all-reduce.
  public init(sum: @escaping ([Double]) -> [Double]) { self.sum = sum }
}

extension Tensor {
  /// The elements normalised over the last axes, which have the sizes `shape`, then scaled by
  /// `weight` and shifted by `bias`, both of that shape: PyTorch's `layer_norm`.
  ///
  /// With n the normalised elements, d their deviation, and g = dy * weight, the gradient is
  /// `(g - mean(g) - n * mean(g * n)) / d`; those of weight and bias are the sums of `dy * n` and
  /// `dy`.
  public final func layerNorm(
    _ normalizedShape: TensorShape, weight: Tensor? = nil, bias: Tensor? = nil,
    epsilon: Double = 1e-5
  ) -> Tensor {
    require(
      normalizedShape.count > 0
        && TensorShape(shape.suffix(normalizedShape.count)) == normalizedShape,
      "layerNorm: \(shape) does not end with \(normalizedShape)")
    require(
      [weight, bias].allSatisfy { $0 == nil || $0!.shape == normalizedShape },
      "layerNorm: weight and bias must be \(normalizedShape), not \(describe(weight, bias))")
    checkTypes(weight, bias, "layerNorm")
    let axes = Array(-normalizedShape.count..<0)
    let columns = normalizedShape.elementCount
    require(columns > 0, "layerNorm: nothing to normalise in \(shape)")
    let rows = count / columns
    let x = contiguousUnrecorded()
    let y = Tensor(uninitialized: shape, dataType)
    let mean = Tensor(uninitialized: [rows], dataType)
    let rstd = Tensor(uninitialized: [rows], dataType)
    let (w, b) = (weight?.contiguousUnrecorded(), bias?.contiguousUnrecorded())
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
        let (dense, g, factor) = (
          x.contiguousUnrecorded(), dy.contiguousUnrecorded(), w?.contiguousUnrecorded()
        )
        let type = x.dataType.kernelType
        var gradients: [Tensor?] = [nil]
        if needsX {
          let dx = Tensor(uninitialized: x.shape, x.dataType)
          ck_layer_norm_backward(
            type, dx.bytes, g.bytes, dense.bytes, mean.bytes, rstd.bytes, factor?.bytes, rows,
            columns)
          gradients[0] = dx
        }
        guard w != nil || hasBias else { return gradients }
        let dw = Tensor(uninitialized: normalizedShape, x.dataType)
        let db = Tensor(uninitialized: normalizedShape, x.dataType)
        ck_layer_norm_sums(
          type, dw.bytes, db.bytes, g.bytes, dense.bytes, mean.bytes, rstd.bytes, rows, columns)
        if w != nil { gradients.append(dw) }
        if hasBias { gradients.append(db) }
        return gradients
      } composed: {
        normalizationGradients(dy, x, w, hasBias: hasBias, axes, epsilon)
      }
    }
  }

  /// The elements `[N, C, ...]` normalised over each of `groups` groups of channels of a sample, then
  /// scaled and shifted by a `weight` and a `bias` for each channel: PyTorch's `group_norm`.
  ///
  /// The gradient is that of `layerNorm`.
  public final func groupNorm(
    _ groups: Int, weight: Tensor? = nil, bias: Tensor? = nil, epsilon: Double = 1e-5
  ) -> Tensor {
    require(
      shape.count >= 2 && groups > 0 && shape[1] % groups == 0,
      "groupNorm: the channels of \(shape) do not fall into \(groups) groups")
    let rest = shape.dropFirst(2).reduce(shape[1] / groups, *)
    let y = reshaped(to: [shape[0], groups, rest]).layerNorm([rest], epsilon: epsilon)
      .reshaped(to: shape)
    checkChannels(weight, bias, "groupNorm")
    let perChannel = shape.channelShape
    let scaled = weight.map { y * $0.reshaped(to: perChannel) } ?? y
    return bias.map { scaled + $0.reshaped(to: perChannel) } ?? scaled
  }

  /// The channels of this batch `[N, C, ...]` normalised by their own mean and variance, then scaled
  /// by `weight` and shifted by `bias`, `[C]`, together with what was found: PyTorch's `batch_norm`
  /// in training.
  ///
  /// With a `reduction`, the batch is that of all processes together: PyTorch's `SyncBatchNorm`. The
  /// gradient is that of `layerNorm`, with means over each channel.
  public final func batchNorm(
    weight: Tensor? = nil, bias: Tensor? = nil, epsilon: Double = 1e-5,
    reduction: StatisticsReduction? = nil
  ) -> (result: Tensor, statistics: ChannelStatistics) {
    let layout = channelLayout(weight, bias, "batchNorm")
    let own = channelStatistics(layout)
    let statistics = reduction.map { own.merged(by: $0) } ?? own
    require(
      statistics.count > 1,
      "batchNorm: training needs more than one element of each channel, not \(shape)")
    let batch = BatchDependence(count: statistics.count, reduction: reduction)
    return (normalized(statistics, layout, weight, bias, epsilon, batch), statistics)
  }

  /// The channels `[N, C, ...]` normalised by a given mean and variance `[C]`, then scaled by
  /// `weight` and shifted by `bias`: PyTorch's `batch_norm` in evaluation.
  ///
  /// No gradient flows to mean and variance.
  public final func batchNorm(
    mean: Tensor, variance: Tensor, weight: Tensor? = nil, bias: Tensor? = nil,
    epsilon: Double = 1e-5
  ) -> Tensor {
    let layout = channelLayout(weight, bias, "batchNorm")
    checkChannels(mean, variance, "batchNorm")
    let statistics = ChannelStatistics(
      mean: mean.detached().contiguousUnrecorded(),
      variance: variance.detached().contiguousUnrecorded(),
      count: layout.countOfChannel)
    return normalized(statistics, layout, weight, bias, epsilon, nil)
  }

  /// The mean and variance of each channel.
  private func channelStatistics(_ layout: ChannelLayout) -> ChannelStatistics {
    let x = layout.dense(self)
    let mean = Tensor(uninitialized: [layout.channels], dataType)
    let variance = Tensor(uninitialized: [layout.channels], dataType)
    ck_channel_moments(
      dataType.kernelType, mean.bytes, variance.bytes, x.bytes, layout.rows, layout.channels,
      layout.columns)
    return ChannelStatistics(mean: mean, variance: variance, count: layout.countOfChannel)
  }

  private func normalized(
    _ statistics: ChannelStatistics, _ layout: ChannelLayout, _ weight: Tensor?, _ bias: Tensor?,
    _ epsilon: Double, _ batch: BatchDependence?
  ) -> Tensor {
    let mean = Saved(statistics.mean, by: "BatchNorm")
    let scale = withoutGrad { (statistics.variance + epsilon).sqrt().reciprocal() }
    let factor = withoutGrad { weight.map { $0 * scale } ?? scale }
    let x = layout.dense(self)
    let z = Tensor(uninitialized: x.shape, dataType)
    let shift = bias?.contiguousUnrecorded()
    ck_channel_affine(
      dataType.kernelType, z.bytes, x.bytes, statistics.mean.bytes, factor.bytes, shift?.bytes,
      layout.rows, layout.channels, layout.columns)
    let y = layout.restored(z)
    let saved = Saved(self, by: "BatchNorm")
    let savedWeight = weight.map { Saved($0, by: "BatchNorm") }
    let hasBias = bias != nil
    return y.recorded("BatchNorm", weight, bias, from: self) { dy in
      let (x, w) = (saved(), savedWeight?())
      return fused {
        let (dx, dw, db) = channelGradients(
          dy, x, layout, mean: mean(), scale: scale, factor: w.map { $0 * scale } ?? scale, batch)
        return [dx] + (w == nil ? [] : [dw]) + (hasBias ? [db] : [])
      } composed: {
        composedChannelGradients(
          dy, x, w, hasBias: hasBias, mean: mean(), scale: scale, epsilon, batch)
      }
    }
  }

  /// Records an operation whose weight and bias may be missing.
  private func recorded(
    _ name: StaticString, _ weight: Tensor?, _ bias: Tensor?, from x: Tensor,
    pullback: @escaping Pullback
  ) -> Tensor {
    record(name, [x, weight, bias].compactMap { $0 })?.pullback = .returning(pullback)
    return self
  }

  private func checkTypes(_ weight: Tensor?, _ bias: Tensor?, _ name: StaticString) {
    require(
      dataType.isFloatingPoint
        && [weight, bias].allSatisfy { ($0?.dataType ?? dataType) == dataType },
      "\(name): an input of \(dataType) and \(describe(weight, bias))")
  }

  private func checkChannels(_ a: Tensor?, _ b: Tensor?, _ name: StaticString) {
    require(shape.count >= 2, "\(name): an input [N, C, ...] is needed, not \(shape)")
    require(
      [a, b].allSatisfy { $0 == nil || $0!.shape == [shape[1]] },
      "\(name): for the channels of \(shape), [\(shape[1])] is needed, not \(describe(a, b))")
    checkTypes(a, b, name)
  }

  private func channelLayout(
    _ weight: Tensor?, _ bias: Tensor?, _ name: StaticString
  ) -> ChannelLayout {
    checkChannels(weight, bias, name)
    return ChannelLayout(shape)
  }
}

/// Mean and variance that depend on the elements of the batch.
private struct BatchDependence {
  /// The elements of a channel in the whole batch.
  let count: Int
  /// Sums over the processes that hold parts of the batch; nil if this one holds all of it.
  let reduction: StatisticsReduction?

  /// The sums of two `[C]` over all processes.
  func overAll(_ a: Tensor, _ b: Tensor) -> (Tensor, Tensor) {
    guard let reduction else { return (a, b) }
    let sums = reduction.sum(a.doubles() + b.doubles())
    return (
      .of(Array(sums[..<a.count]), shape: a.shape).converted(to: a.dataType),
      .of(Array(sums[a.count...]), shape: a.shape).converted(to: a.dataType)
    )
  }
}

extension ChannelStatistics {
  /// The statistics of all processes' elements together.
  fileprivate func merged(by reduction: StatisticsReduction) -> ChannelStatistics {
    let channels = mean.count
    // Without elements, mean and variance are NaN.
    let nothing = [Double](repeating: 0, count: channels)
    let (means, variances) = count == 0 ? (nothing, nothing) : (mean.doubles(), variance.doubles())
    let n = Double(count)
    let sums = reduction.sum(
      [n] + means.map { n * $0 } + zip(means, variances).map { n * ($0 * $0 + $1) })
    let allMeans = sums[1...channels].map { $0 / sums[0] }
    let allVariances = zip(sums[(channels + 1)...], allMeans).map {
      max(0, $0 / sums[0] - $1 * $1)
    }
    func tensor(_ values: [Double]) -> Tensor {
      .of(values, shape: mean.shape).converted(to: mean.dataType)
    }
    return ChannelStatistics(
      mean: tensor(allMeans), variance: tensor(allVariances), count: Int(sums[0]))
  }
}

/// A batch `[N, C, ...]` as the kernels see it: rows of channels of columns.
///
/// A matrix `[N, C]` is transposed, so that the elements of a channel are neighbours.
private struct ChannelLayout {
  let rows: Int
  let channels: Int
  let columns: Int
  private let isTransposed: Bool

  init(_ shape: TensorShape) {
    isTransposed = shape.count == 2
    rows = isTransposed ? 1 : shape[0]
    channels = shape[1]
    columns = isTransposed ? shape[0] : shape.dropFirst(2).reduce(1, *)
  }

  var countOfChannel: Int { rows * columns }

  func dense(_ x: Tensor) -> Tensor {
    withoutGrad { (isTransposed ? x.transposed() : x).contiguousUnrecorded() }
  }

  func restored(_ x: Tensor) -> Tensor {
    isTransposed ? withoutGrad { x.transposed().contiguousUnrecorded() } : x
  }
}

/// The gradients of batch normalization in tensor operations.
private func composedChannelGradients(
  _ dy: Tensor, _ x: Tensor, _ weight: Tensor?, hasBias: Bool, mean: Tensor, scale: Tensor,
  _ epsilon: Double, _ batch: BatchDependence?
) -> [Tensor?] {
  let perChannel = x.shape.channelShape
  let axes = [0] + x.shape.indices.dropFirst(2)
  let weight = weight?.reshaped(to: perChannel)
  if let batch {
    require(
      batch.reduction == nil,
      "backward: the gradient of batchNorm with statistics of several processes cannot be differentiated (createGraph)"
    )
    return normalizationGradients(dy, x, weight, hasBias: hasBias, axes, epsilon)
      .enumerated().map { $0 == 0 ? $1 : $1?.reshaped(to: [x.shape[1]]) }
  }
  let center = mean.reshaped(to: perChannel)
  let step = scale.reshaped(to: perChannel)
  let g = weight.map { dy * $0 } ?? dy
  return [g * step]
    + (weight == nil ? [] : [(dy * (x - center) * step).sum(axes: axes)])
    + (hasBias ? [dy.sum(axes: axes)] : [])
}

private func channelGradients(
  _ dy: Tensor, _ x: Tensor, _ layout: ChannelLayout, mean: Tensor, scale: Tensor, factor: Tensor,
  _ batch: BatchDependence?
) -> (dx: Tensor, dw: Tensor, db: Tensor) {
  let (g, x) = (layout.dense(dy), layout.dense(x))
  let (rows, channels, columns) = (layout.rows, layout.channels, layout.columns)
  let sum = Tensor(uninitialized: [channels], x.dataType)
  let product = Tensor(uninitialized: [channels], x.dataType)
  let dx = Tensor(uninitialized: x.shape, x.dataType)
  let type = x.dataType.kernelType
  ck_channel_sums(
    type, sum.bytes, product.bytes, g.bytes, x.bytes, mean.bytes, rows, channels, columns)
  // The batch's own mean and variance depend on each element; given ones do not.
  let part = batch.map { 1 / Double($0.count) } ?? 0
  let (allSum, allProduct) = batch?.overAll(sum, product) ?? (sum, product)
  let (shift, slope) = (allSum * part, allProduct * scale * scale * part)
  let center = mean.contiguousUnrecorded()
  ck_channel_backward(
    type, dx.bytes, g.bytes, x.bytes, center.bytes, factor.bytes, shift.bytes, slope.bytes, rows,
    channels, columns)
  return (layout.restored(dx), product * scale, sum)
}

/// The gradients of (x - mean) / sqrt(variance + epsilon) * weight + bias in tensor operations, mean
/// and variance being those of `x` over `axes`.
private func normalizationGradients(
  _ dy: Tensor, _ x: Tensor, _ weight: Tensor?, hasBias: Bool, _ axes: [Int], _ epsilon: Double
) -> [Tensor?] {
  func mean(_ x: Tensor) -> Tensor { x.mean(axes: axes, keepingAxes: true) }
  let centered = x - mean(x)
  let scale = (mean(centered.squared()) + epsilon).sqrt().reciprocal()
  let n = centered * scale
  let g = weight.map { dy * $0 } ?? dy
  let dx = scale * (g - mean(g) - n * mean(g * n))
  // Backward sums these down to the shape of weight and bias.
  let others = [weight.map { (dy * n).summed(to: $0.shape, "BatchNorm") }].compactMap { $0 }
  guard hasBias else { return [dx] + others }
  let kept =
    weight?.shape ?? TensorShape(x.shape.indices.map { axes.contains($0) ? 1 : x.shape[$0] })
  return [dx] + others + [dy.summed(to: kept, "BatchNorm")]
}

private func describe(_ weight: Tensor?, _ bias: Tensor?) -> String {
  [weight, bias].map { $0.map { "\($0.dataType) \($0.shape)" } ?? "none" }.joined(
    separator: " and ")
}

extension TensorShape {
  /// The shape in which `[C]` broadcasts to this one, `[N, C, ...]`.
  fileprivate var channelShape: TensorShape {
    var result = TensorShape(repeating: 1, count: count)
    result[1] = self[1]
    return result
  }
}
