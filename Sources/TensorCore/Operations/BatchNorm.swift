internal import CKernels

/// The statistics of the channels of a batch.
public struct ChannelStatistics {
  /// The mean of each channel.
  public let mean: Tensor
  /// The biased variance of each channel.
  public let variance: Tensor
  /// The number of elements of a channel.
  public let count: Int

  init(mean: Tensor, variance: Tensor, count: Int) {
    (self.mean, self.variance, self.count) = (mean, variance, count)
  }

  /// Statistics from those of blocks of rows, `[blocks, CK_STATISTICS, C]`.
  init(ofBlocks blocks: Tensor, count: Int) {
    let channels = blocks.shape[2]
    let mean = Tensor(uninitialized: [channels], blocks.dataType)
    let variance = Tensor(uninitialized: [channels], blocks.dataType)
    ck_moments_of_blocks(
      blocks.dataType.kernelType, mean.bytes, variance.bytes, blocks.bytes, blocks.shape[0],
      channels)
    self.init(mean: mean, variance: variance, count: count)
  }

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
  /// A `residual` of this tensor's shape is added to the result, and with `relu` negative elements then
  /// become 0: the end of a residual block in one pass over memory. `statistics` are those of this batch, if
  /// they are known: see `conv2dWithStatistics`.
  ///
  /// With a `reduction`, the batch is that of all processes together: PyTorch's `SyncBatchNorm`. The
  /// gradient is that of `layerNorm`, with means over each channel.
  public final func batchNorm(
    weight: Tensor? = nil, bias: Tensor? = nil, epsilon: Double = 1e-5,
    adding residual: Tensor? = nil, relu: Bool = false, statistics known: ChannelStatistics? = nil,
    reduction: StatisticsReduction? = nil
  ) -> (result: Tensor, statistics: ChannelStatistics) {
    let layout = channelLayout(weight, bias, residual)
    checkChannels("batchNorm", known?.mean, known?.variance)
    let own = known ?? layout.statistics(of: self)
    let statistics = reduction.map { own.merged(by: $0) } ?? own
    require(
      statistics.count > 1,
      "batchNorm: training needs more than one element per channel, not \(shape)")
    let batch = BatchDependence(count: statistics.count, reduction: reduction)
    return (
      normalized(statistics, layout, weight, bias, epsilon, residual, relu: relu, batch), statistics
    )
  }

  /// The channels `[N, C, ...]` normalized by a given mean and variance `[C]`, multiplied by `weight` and
  /// added to `bias`, both `[C]`: PyTorch's `batch_norm` in evaluation; `residual` and `relu` as in training.
  ///
  /// No gradient flows to mean and variance.
  public final func batchNorm(
    mean: Tensor, variance: Tensor, weight: Tensor? = nil, bias: Tensor? = nil,
    epsilon: Double = 1e-5, adding residual: Tensor? = nil, relu: Bool = false
  ) -> Tensor {
    let layout = channelLayout(weight, bias, residual)
    checkChannels("batchNorm", mean, variance)
    let statistics = ChannelStatistics(
      mean: mean.detached().widened.contiguousUnrecorded(),
      variance: variance.detached().widened.contiguousUnrecorded(),
      count: layout.countOfChannel)
    return normalized(statistics, layout, weight, bias, epsilon, residual, relu: relu, nil)
  }

  private func normalized(
    _ statistics: ChannelStatistics, _ layout: ChannelLayout, _ weight: Tensor?, _ bias: Tensor?,
    _ epsilon: Double, _ residual: Tensor?, relu: Bool, _ batch: BatchDependence?
  ) -> Tensor {
    let mean = Saved(statistics.mean, by: "BatchNorm")
    let rstd = withoutGrad { (statistics.variance + epsilon).sqrt().reciprocal() }
    let factor = withoutGrad { weight.map { $0 * rstd } ?? rstd }
    let y = layout.affine(
      self, center: statistics.mean, scale: factor, shift: bias, residual, relu: relu)
    let saved = Saved(self, by: "BatchNorm")
    let savedWeight = weight.map { Saved($0, by: "BatchNorm") }
    let (hasBias, hasResidual) = (bias != nil, residual != nil)
    let gradients = { (dy: Tensor, y: Tensor?) -> [Tensor?] in
      let (x, w) = (saved(), savedWeight?())
      return fused {
        let (dx, dw, db, dr) = channelGradients(
          dy, gate: y, x, layout, mean: mean(), rstd: rstd, factor: w.map { $0 * rstd } ?? rstd,
          hasResidual: hasResidual, batch)
        return [dx] + (w == nil ? [] : [dw]) + (hasBias ? [db] : []) + (hasResidual ? [dr] : [])
      } composed: {
        let g = y.map { dy * $0.sign() } ?? dy
        return composedChannelGradients(
          g, x, w, hasBias: hasBias, mean: mean(), rstd: rstd, epsilon, batch)
          + (hasResidual ? [g] : [])
      }
    }
    let inputs = [self, weight, bias, residual].compactMap { $0 }
    if relu { return y.recorded("BatchNorm", fromAll: inputs) { dy, y in gradients(dy, y) } }
    y.record("BatchNorm", inputs)?.pullback = .returning { dy in gradients(dy, nil) }
    return y
  }

  private func channelLayout(
    _ weight: Tensor?, _ bias: Tensor?, _ residual: Tensor?
  ) -> ChannelLayout {
    checkChannels("batchNorm", weight, bias)
    require(
      residual == nil || residual!.shape == shape,
      "batchNorm: a residual of shape \(residual!.shape) for an input of shape \(shape)")
    return ChannelLayout(self)
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

/// How a batch `[N, C, ...]` lies in memory for the kernels: as planes `[N, C, ...]`, or as a matrix with a
/// column for each channel, which images are that lie channels last, and batches `[N, C]`.
private struct ChannelLayout {
  private let shape: TensorShape
  private let isMatrix: Bool
  private let order: MemoryOrder

  init(_ x: Tensor) {
    shape = x.shape
    order = x.memoryOrder == .channelsLast ? .channelsLast : .rowMajor
    isMatrix = shape.count == 2 || order == .channelsLast
  }

  var channels: Int { shape[1] }
  var countOfChannel: Int { shape[0] * columns }
  /// The elements of a channel of a sample.
  private var columns: Int { shape.dropFirst(2).reduce(1, *) }

  private func result(_ type: DataType) -> Tensor { Tensor(uninitialized: shape, order, type) }

  /// Memory for some rows of sums of each block of a matrix.
  private func partialSums(rows: Int, _ type: DataType) -> Tensor {
    let block = Int(CK_COLUMN_BLOCK)
    return Tensor(
      uninitialized: [(countOfChannel + block - 1) / block, rows, channels], type)
  }

  /// The mean and variance of each channel.
  func statistics(of x: Tensor) -> ChannelStatistics {
    let (x, type) = (x.ordered(order), x.dataType.kernelType)
    let mean = Tensor(uninitialized: [channels], x.dataType.sumType)
    let variance = Tensor(uninitialized: [channels], x.dataType.sumType)
    if isMatrix {
      let partial = partialSums(rows: Int(CK_STATISTICS), x.dataType.sumType)
      ck_column_moments(
        type, mean.bytes, variance.bytes, partial.bytes, x.bytes, countOfChannel, channels)
    } else {
      ck_channel_moments(type, mean.bytes, variance.bytes, x.bytes, shape[0], channels, columns)
    }
    return ChannelStatistics(mean: mean, variance: variance, count: countOfChannel)
  }

  /// (x - center) * scale + shift + residual, without what is negative if `relu`.
  func affine(
    _ x: Tensor, center: Tensor, scale: Tensor, shift: Tensor?, _ residual: Tensor?, relu: Bool
  ) -> Tensor {
    let (x, y, type) = (x.ordered(order), result(x.dataType), x.dataType.kernelType)
    let (shift, residual) = withoutGrad {
      (shift?.widened.contiguous(), residual?.converted(to: x.dataType).ordered(order))
    }
    if isMatrix {
      ck_column_affine(
        type, y.bytes, x.bytes, center.bytes, scale.bytes, shift?.bytes, residual?.bytes, relu,
        countOfChannel, channels)
      return y
    }
    ck_channel_affine(
      type, y.bytes, x.bytes, center.bytes, scale.bytes, shift?.bytes, shape[0], channels, columns)
    if let residual { ck_accumulate(type, y.bytes, residual.bytes, y.count) }
    if relu { ck_relu(type, y.bytes, y.bytes, y.count) }
    return y
  }

  /// `dy`, without what does not pass a gate, a result of ReLU; only matrices' kernels do that themselves.
  func gated(_ dy: Tensor, _ gate: Tensor?) -> (dy: Tensor, gate: Tensor?) {
    guard !isMatrix, let gate else { return (dy.ordered(order), gate?.ordered(order)) }
    return (dy.mapped(ck_relu_backward, gate).ordered(order), nil)
  }

  /// The sum over each channel of dy, and of dy * (x - center).
  func sums(
    _ dy: Tensor, gate: Tensor?, _ x: Tensor, center: Tensor
  ) -> (sum: Tensor, product: Tensor) {
    let (x, type) = (x.ordered(order), x.dataType.kernelType)
    let sum = Tensor(uninitialized: [channels], x.dataType.sumType)
    let product = Tensor(uninitialized: [channels], x.dataType.sumType)
    if isMatrix {
      let partial = partialSums(rows: 2, x.dataType.sumType)
      ck_column_sums(
        type, sum.bytes, product.bytes, partial.bytes, dy.bytes, gate?.bytes, x.bytes, center.bytes,
        countOfChannel, channels)
    } else {
      ck_channel_sums(
        type, sum.bytes, product.bytes, dy.bytes, x.bytes, center.bytes, shape[0], channels, columns
      )
    }
    return (sum, product)
  }

  /// dx = scale * (dy - shift - slope * (x - center)), and dy behind its gate.
  func backward(
    _ dy: Tensor, gate: Tensor?, _ x: Tensor, center: Tensor, scale: Tensor, shift: Tensor,
    slope: Tensor, hasResidual: Bool
  ) -> (dx: Tensor, dresidual: Tensor?) {
    let (x, dx, type) = (x.ordered(order), result(x.dataType), x.dataType.kernelType)
    guard isMatrix else {
      ck_channel_backward(
        type, dx.bytes, dy.bytes, x.bytes, center.bytes, scale.bytes, shift.bytes, slope.bytes,
        shape[0], channels, columns)
      return (dx, hasResidual ? dy : nil)
    }
    let dresidual = hasResidual && gate != nil ? result(x.dataType) : nil
    ck_column_backward(
      type, dx.bytes, dresidual?.bytes, dy.bytes, gate?.bytes, x.bytes, center.bytes, scale.bytes,
      shift.bytes, slope.bytes, countOfChannel, channels)
    return (dx, hasResidual ? dresidual ?? dy : nil)
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

/// The gradients of batch normalization; `gate` is its result if that went through ReLU.
private func channelGradients(
  _ dy: Tensor, gate: Tensor?, _ x: Tensor, _ layout: ChannelLayout, mean: Tensor, rstd: Tensor,
  factor: Tensor, hasResidual: Bool, _ batch: BatchDependence?
) -> (dx: Tensor, dw: Tensor, db: Tensor, dresidual: Tensor?) {
  let (g, gate) = layout.gated(dy, gate)
  let center = mean.contiguousUnrecorded()
  let (sum, product) = layout.sums(g, gate: gate, x, center: center)
  // The batch's own mean and variance depend on its elements; given ones do not.
  let part = batch.map { 1 / Double($0.count) } ?? 0
  let (allSum, allProduct) = batch?.overAll(sum, product) ?? (sum, product)
  let (shift, slope) = (allSum * part, allProduct * rstd * rstd * part)
  let (dx, dresidual) = layout.backward(
    g, gate: gate, x, center: center, scale: factor, shift: shift, slope: slope,
    hasResidual: hasResidual)
  return (dx, product * rstd, sum, dresidual)
}
