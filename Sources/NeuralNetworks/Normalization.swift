public import TensorCore

/// Normalizes each sample over its last axes.
public struct LayerNorm: Layer {
  /// The factor of each element; nil if not affine.
  public let weight: Parameter?
  /// The summand of each element; nil if not affine, or without bias.
  public let bias: Parameter?
  /// The sizes of the axes that are normalized.
  public let normalizedShape: TensorShape
  /// The number added to the variance.
  public let epsilon: Double

  /// A layer over the last axes, whose sizes are `normalizedShape`, with weight 1 and bias 0.
  public init(
    _ normalizedShape: TensorShape, epsilon: Double = 1e-5, affine: Bool = true, bias: Bool = true
  ) {
    self.normalizedShape = normalizedShape
    self.epsilon = epsilon
    weight = affine ? Parameter(Initializer.ones(normalizedShape)) : nil
    self.bias = affine && bias ? Parameter(Initializer.zeros(normalizedShape)) : nil
  }

  /// A layer over the last axis, of size `width`.
  public init(_ width: Int, epsilon: Double = 1e-5, affine: Bool = true, bias: Bool = true) {
    self.init([width], epsilon: epsilon, affine: affine, bias: bias)
  }

  /// Applies the layer.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    x.layerNorm(normalizedShape, weight: weight, bias: bias, epsilon: epsilon)
  }
}

/// Normalizes groups of channels of each sample, `[N, C, ...]`.
public struct GroupNorm: Layer {
  /// The factor of each channel; nil if not affine.
  public let weight: Parameter?
  /// The summand of each channel; nil if not affine.
  public let bias: Parameter?
  /// The number of groups.
  public let groups: Int
  /// The number added to the variance.
  public let epsilon: Double

  /// A layer that divides `channels` into `groups`.
  public init(_ groups: Int, _ channels: Int, epsilon: Double = 1e-5, affine: Bool = true) {
    require(
      groups > 0 && channels % groups == 0,
      "GroupNorm: \(channels) channels are not divisible by \(groups) groups")
    self.groups = groups
    self.epsilon = epsilon
    weight = affine ? Parameter(Initializer.ones([channels])) : nil
    bias = affine ? Parameter(Initializer.zeros([channels])) : nil
  }

  /// Applies the layer.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    x.groupNorm(groups, weight: weight, bias: bias, epsilon: epsilon)
  }
}

/// A layer that applies a `BatchNormalization`.
protocol BatchNormalizing {
  var core: BatchNormalization { get }
  /// Whether this layer uses the statistics of all processes by itself.
  var synchronizesItself: Bool { get }
}

extension BatchNormalizing {
  var synchronizesItself: Bool { false }
}

/// Normalizes the channels of batches `[N, C]` or `[N, C, L]`; see `BatchNormalization`.
public struct BatchNorm1d: Layer, BatchNormalizing {
  /// The layer for any number of axes.
  public let core: BatchNormalization

  /// A layer for `channels` channels.
  public init(
    _ channels: Int, epsilon: Double = 1e-5, momentum: Double = 0.1, affine: Bool = true
  ) {
    core = BatchNormalization(channels, epsilon: epsilon, momentum: momentum, affine: affine)
  }

  /// The parts of `core`.
  public var children: [(name: String, value: Any)] { core.children }

  /// Applies the layer.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    require(
      x.shape.count == 2 || x.shape.count == 3,
      "BatchNorm1d: [N, C] or [N, C, L] is needed, not \(x.shape)")
    return core(x)
  }
}

/// Normalizes the channels of batches of images `[N, C, H, W]`; see `BatchNormalization`.
public struct BatchNorm2d: Layer, BatchNormalizing {
  /// The layer for any number of axes.
  public let core: BatchNormalization

  /// A layer for `channels` channels.
  public init(
    _ channels: Int, epsilon: Double = 1e-5, momentum: Double = 0.1, affine: Bool = true
  ) {
    core = BatchNormalization(channels, epsilon: epsilon, momentum: momentum, affine: affine)
  }

  /// The parts of `core`.
  public var children: [(name: String, value: Any)] { core.children }

  /// Applies the layer.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    self(x, adding: nil, relu: false)
  }

  /// Applies the layer, adds a residual of the shape of `x` if there is one, and applies ReLU if `relu`: all
  /// in one pass over memory.
  public func callAsFunction(_ x: Tensor, adding residual: Tensor?, relu: Bool) -> Tensor {
    require(x.shape.count == 4, "BatchNorm2d: [N, C, H, W] is needed, not \(x.shape)")
    return core(x, adding: residual, relu: relu)
  }

  /// Applies a convolution, then this layer; in training, the convolution sums the statistics while it stores
  /// its result.
  public func callAsFunction(
    _ convolution: Conv2d, _ x: Tensor, adding residual: Tensor? = nil, relu: Bool
  ) -> Tensor {
    guard isTraining, !core.isFrozen else {
      return self(convolution(x), adding: residual, relu: relu)
    }
    let (y, statistics) = convolution.withStatistics(x)
    return core(y, adding: residual, relu: relu, statistics: statistics)
  }
}

/// Normalizes the channels of batches `[N, C, ...]`: in training by their own mean and variance, in
/// evaluation by running ones.
///
/// Each forward pass in training moves the running statistics by `momentum` towards those of the
/// batch, with the unbiased variance, as in PyTorch. Ranks see different samples, so their running
/// statistics differ and are averaged before they are used or saved (`namedBuffers()` lists them);
/// `synchronizeBatchNorm(_:)` makes every rank use the statistics of the whole batch instead.
public struct BatchNormalization: Layer, BatchNormalizing {
  /// The factor of each channel; nil if not affine.
  public let weight: Parameter?
  /// The summand of each channel; nil if not affine.
  public let bias: Parameter?
  /// The running mean of each channel.
  public let runningMean: Buffer
  /// The running variance of each channel.
  public let runningVariance: Buffer
  /// The number added to the variance.
  public let epsilon: Double
  /// The factor with which the batch's statistics enter the running ones.
  public let momentum: Double
  /// Where statistics come from in training; shared by all copies of this layer.
  fileprivate let statisticsState = StatisticsState()

  fileprivate final class StatisticsState {
    /// How statistics are summed over ranks.
    var reduction: StatisticsReduction?
    /// Whether running statistics are used in training too, and stay.
    var isFrozen = false
  }

  /// Whether the running statistics are used in training too, and stay.
  fileprivate var isFrozen: Bool { statisticsState.isFrozen }

  var core: BatchNormalization { self }

  /// A layer for `channels` channels.
  public init(
    _ channels: Int, epsilon: Double = 1e-5, momentum: Double = 0.1, affine: Bool = true
  ) {
    self.epsilon = epsilon
    self.momentum = momentum
    weight = affine ? Parameter(Initializer.ones([channels])) : nil
    bias = affine ? Parameter(Initializer.zeros([channels])) : nil
    runningMean = Buffer(Initializer.zeros([channels]))
    runningVariance = Buffer(Initializer.ones([channels]))
  }

  /// PyTorch's names.
  public var children: [(name: String, value: Any)] {
    [
      ("weight", weight as Any), ("bias", bias as Any), ("running_mean", runningMean),
      ("running_var", runningVariance),
    ]
  }

  /// Applies the layer.
  public func callAsFunction(_ x: Tensor) -> Tensor { self(x, adding: nil, relu: false) }

  /// Applies the layer, adds a residual of the shape of `x` if there is one, and applies ReLU if `relu`: all
  /// in one pass over memory.
  public func callAsFunction(_ x: Tensor, adding residual: Tensor?, relu: Bool) -> Tensor {
    self(x, adding: residual, relu: relu, statistics: nil)
  }

  /// The same with the statistics of `x`, if they are known.
  fileprivate func callAsFunction(
    _ x: Tensor, adding residual: Tensor?, relu: Bool, statistics known: ChannelStatistics?
  ) -> Tensor {
    guard isTraining, !isFrozen else {
      return x.batchNorm(
        mean: runningMean, variance: runningVariance, weight: weight, bias: bias, epsilon: epsilon,
        adding: residual, relu: relu)
    }
    let (result, statistics) = x.batchNorm(
      weight: weight, bias: bias, epsilon: epsilon, adding: residual, relu: relu,
      statistics: known, reduction: statisticsState.reduction)
    // Only once, if backward computes a checkpointed layer again.
    if isRecomputing { return result }
    withoutGrad {
      runningMean.assign((1 - momentum) * runningMean + momentum * statistics.mean)
      runningVariance.assign(
        (1 - momentum) * runningVariance + momentum * statistics.unbiasedVariance)
    }
    return result
  }
}

extension Module {
  /// Makes all batch normalization layers of this module use the statistics of the batches of all
  /// processes, PyTorch's `SyncBatchNorm`; with nil, each process uses its own again.
  ///
  /// Then every forward pass in training mode, and its backward pass, is a collective operation of all
  /// processes, also of those whose batch is empty.
  public func synchronizeBatchNorm(_ reduction: StatisticsReduction?) {
    synchronizeBatchNorm(reduction, onlySyncBatchNorm: false)
  }

  /// The same for all layers, or for those of type `SyncBatchNorm` only.
  package func synchronizeBatchNorm(_ reduction: StatisticsReduction?, onlySyncBatchNorm: Bool) {
    forEachPart(of: self) { _, part in
      guard let layer = part as? any BatchNormalizing else { return true }
      if !onlySyncBatchNorm || layer.synchronizesItself {
        layer.core.statisticsState.reduction = reduction
      }
      return false
    }
  }

  /// Whether there is a `SyncBatchNorm` in this module.
  package var hasSyncBatchNorm: Bool {
    var isFound = false
    forEachPart(of: self) { _, part in
      isFound = isFound || (part as? any BatchNormalizing)?.synchronizesItself ?? false
      return !isFound
    }
    return isFound
  }

  /// Freezes the running statistics of all batch normalization layers whose parameters are frozen.
  func freezeStatistics() {
    forEachPart(of: self) { _, part in
      guard let layer = part as? any BatchNormalizing else { return true }
      let parameters = [layer.core.weight, layer.core.bias].compactMap(\.self)
      if !parameters.isEmpty, !parameters.contains(where: \.requiresGrad) {
        layer.core.statisticsState.isFrozen = true
      }
      return false
    }
  }
}
