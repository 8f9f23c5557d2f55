internal import CKernels

/// The statistics of the channels of a batch.
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
  /// The channels of this batch `[N, C, ...]` normalized by their own mean and variance, multiplied by
  /// `weight` and added to `bias`, both `[C]`, and these statistics: PyTorch's `batch_norm` in training.
  ///
  /// With a `reduction`, the batch is that of all processes together: PyTorch's `SyncBatchNorm`. The
  /// gradient is that of `layerNorm`, with means over each channel.
  public final func batchNorm(
    weight: Tensor? = nil, bias: Tensor? = nil, epsilon: Double = 1e-5,
    reduction: StatisticsReduction? = nil
  ) -> (result: Tensor, statistics: ChannelStatistics) {
    let layout = channelLayout(weight, bias)
    let own = channelStatistics(layout)
    let statistics = reduction.map { own.merged(by: $0) } ?? own
    require(
      statistics.count > 1,
      "batchNorm: training needs more than one element per channel, not \(shape)")
    let batch = BatchDependence(count: statistics.count, reduction: reduction)
    return (normalized(statistics, layout, weight, bias, epsilon, batch), statistics)
  }

  /// The channels `[N, C, ...]` normalized by a given mean and variance `[C]`, multiplied by `weight` and
  /// added to `bias`, both `[C]`: PyTorch's `batch_norm` in evaluation.
  ///
  /// No gradient flows to mean and variance.
  public final func batchNorm(
    mean: Tensor, variance: Tensor, weight: Tensor? = nil, bias: Tensor? = nil,
    epsilon: Double = 1e-5
  ) -> Tensor {
    let layout = channelLayout(weight, bias)
    checkChannels("batchNorm", mean, variance)
    let statistics = ChannelStatistics(
      mean: mean.detached().contiguousUnrecorded(),
      variance: variance.detached().contiguousUnrecorded(),
      count: layout.countOfChannel)
    return normalized(statistics, layout, weight, bias, epsilon, nil)
  }

  /// The mean and variance of each channel.
  private func channelStatistics(_ layout: ChannelLayout) -> ChannelStatistics {
    let x = layout.contiguous(self)
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
    let rstd = withoutGrad { (statistics.variance + epsilon).sqrt().reciprocal() }
    let factor = withoutGrad { weight.map { $0 * rstd } ?? rstd }
    let x = layout.contiguous(self)
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
          dy, x, layout, mean: mean(), rstd: rstd, factor: w.map { $0 * rstd } ?? rstd, batch)
        return [dx] + (w == nil ? [] : [dw]) + (hasBias ? [db] : [])
      } composed: {
        composedChannelGradients(
          dy, x, w, hasBias: hasBias, mean: mean(), rstd: rstd, epsilon, batch)
      }
    }
  }

  private func channelLayout(_ weight: Tensor?, _ bias: Tensor?) -> ChannelLayout {
    checkChannels("batchNorm", weight, bias)
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

/// A batch `[N, C, ...]` as `[rows, channels, columns]` for the kernels.
///
/// A matrix `[N, C]` is transposed, so that the elements of a channel are adjacent.
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

  func contiguous(_ x: Tensor) -> Tensor {
    withoutGrad { (isTransposed ? x.transposed() : x).contiguousUnrecorded() }
  }

  func restored(_ x: Tensor) -> Tensor {
    isTransposed ? withoutGrad { x.transposed().contiguousUnrecorded() } : x
  }
}

/// The gradients of batch normalization in tensor operations.
private func composedChannelGradients(
  _ dy: Tensor, _ x: Tensor, _ weight: Tensor?, hasBias: Bool, mean: Tensor, rstd: Tensor,
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
  let rstd = rstd.reshaped(to: perChannel)
  let g = weight.map { dy * $0 } ?? dy
  return [g * rstd]
    + (weight == nil ? [] : [(dy * (x - center) * rstd).sum(axes: axes)])
    + (hasBias ? [dy.sum(axes: axes)] : [])
}

private func channelGradients(
  _ dy: Tensor, _ x: Tensor, _ layout: ChannelLayout, mean: Tensor, rstd: Tensor, factor: Tensor,
  _ batch: BatchDependence?
) -> (dx: Tensor, dw: Tensor, db: Tensor) {
  let (g, x) = (layout.contiguous(dy), layout.contiguous(x))
  let (rows, channels, columns) = (layout.rows, layout.channels, layout.columns)
  let sum = Tensor(uninitialized: [channels], x.dataType)
  let product = Tensor(uninitialized: [channels], x.dataType)
  let dx = Tensor(uninitialized: x.shape, x.dataType)
  let type = x.dataType.kernelType
  ck_channel_sums(
    type, sum.bytes, product.bytes, g.bytes, x.bytes, mean.bytes, rows, channels, columns)
  // The batch's own mean and variance depend on its elements; given ones do not.
  let part = batch.map { 1 / Double($0.count) } ?? 0
  let (allSum, allProduct) = batch?.overAll(sum, product) ?? (sum, product)
  let (shift, slope) = (allSum * part, allProduct * rstd * rstd * part)
  let center = mean.contiguousUnrecorded()
  ck_channel_backward(
    type, dx.bytes, g.bytes, x.bytes, center.bytes, factor.bytes, shift.bytes, slope.bytes, rows,
    channels, columns)
  return (layout.restored(dx), product * rstd, sum)
}
