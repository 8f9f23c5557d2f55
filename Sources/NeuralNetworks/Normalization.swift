public import TensorCore

/// Normalises each sample over its last axes.
public struct LayerNorm: Layer {
  /// The factor of each element; nil without affine part.
  public let weight: Parameter?
  /// What is added to each element; nil without affine part or bias.
  public let bias: Parameter?
  /// The sizes of the axes that are normalised over.
  public let normalizedShape: Shape
  /// What is added to the variance.
  public let epsilon: Double

  /// A layer over the last axes, which have the sizes `normalizedShape`; the weight starts as 1 and
  /// the bias as 0.
  public init(
    _ normalizedShape: Shape, epsilon: Double = 1e-5, affine: Bool = true, bias: Bool = true
  ) {
    self.normalizedShape = normalizedShape
    self.epsilon = epsilon
    weight = affine ? Parameter(.ones(normalizedShape)) : nil
    self.bias = affine && bias ? Parameter(.zeros(normalizedShape)) : nil
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

/// Normalises groups of channels of each sample, `[N, C, ...]`.
public struct GroupNorm: Layer {
  /// The factor of each channel; nil without affine part.
  public let weight: Parameter?
  /// What is added to each channel; nil without affine part.
  public let bias: Parameter?
  /// The number of groups.
  public let groups: Int
  /// What is added to the variance.
  public let epsilon: Double

  /// A layer that divides `channels` into `groups`.
  public init(_ groups: Int, _ channels: Int, epsilon: Double = 1e-5, affine: Bool = true) {
    require(
      groups > 0 && channels % groups == 0,
      "GroupNorm: \(channels) channels do not fall into \(groups) groups")
    self.groups = groups
    self.epsilon = epsilon
    weight = affine ? Parameter(.ones([channels])) : nil
    bias = affine ? Parameter(.zeros([channels])) : nil
  }

  /// Applies the layer.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    x.groupNorm(groups, weight: weight, bias: bias, epsilon: epsilon)
  }
}

/// Normalises the channels of batches `[N, C]` or `[N, C, L]`; see `BatchNormalization`.
public struct BatchNorm1d: Layer {
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

/// Normalises the channels of batches of images `[N, C, H, W]`; see `BatchNormalization`.
public struct BatchNorm2d: Layer {
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
    require(x.shape.count == 4, "BatchNorm2d: [N, C, H, W] is needed, not \(x.shape)")
    return core(x)
  }
}

/// Normalises the channels of batches `[N, C, ...]`: in training by their own mean and variance, in
/// evaluation by running ones.
///
/// Each forward pass in training moves the running statistics by `momentum` towards those of the
/// batch, the variance being the unbiased one, as in PyTorch. The statistics are this process's:
/// other ranks have seen other samples, so the running ones are to be averaged over ranks before
/// they are used or saved (`namedBuffers()` lists them). With `withTraining(_:statisticsSum:_:)`
/// they are those of all ranks instead.
public struct BatchNormalization: Layer {
  /// The factor of each channel; nil without affine part.
  public let weight: Parameter?
  /// What is added to each channel; nil without affine part.
  public let bias: Parameter?
  /// The running mean of each channel.
  public let runningMean: Buffer
  /// The running variance of each channel.
  public let runningVariance: Buffer
  /// What is added to the variance.
  public let epsilon: Double
  /// How much of the batch's statistics enters the running ones.
  public let momentum: Double

  /// A layer for `channels` channels.
  public init(
    _ channels: Int, epsilon: Double = 1e-5, momentum: Double = 0.1, affine: Bool = true
  ) {
    self.epsilon = epsilon
    self.momentum = momentum
    weight = affine ? Parameter(.ones([channels])) : nil
    bias = affine ? Parameter(.zeros([channels])) : nil
    runningMean = Buffer(.zeros([channels]))
    runningVariance = Buffer(.ones([channels]))
  }

  /// PyTorch's names.
  public var children: [(name: String, value: Any)] {
    [
      ("weight", weight as Any), ("bias", bias as Any), ("running_mean", runningMean),
      ("running_var", runningVariance),
    ]
  }

  /// Applies the layer.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    guard Mode.current == .training else {
      return x.batchNorm(
        mean: runningMean, variance: runningVariance, weight: weight, bias: bias, epsilon: epsilon)
    }
    let (result, statistics) = x.batchNorm(weight: weight, bias: bias, epsilon: epsilon)
    withoutGrad {
      runningMean.assign((1 - momentum) * runningMean + momentum * statistics.mean)
      runningVariance.assign(
        (1 - momentum) * runningVariance + momentum * statistics.unbiasedVariance)
    }
    return result
  }
}
