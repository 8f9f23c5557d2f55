public import TensorCore

/// Normalizes each channel of each sample, `[N, C, ...]`, by its own mean and variance.
///
/// With running statistics, evaluation uses these instead: each forward pass in training moves them by
/// `momentum` towards the means over the batch of the samples' means and unbiased variances, as in PyTorch.
public struct InstanceNormalization: Layer {
  /// The factor of each channel; nil if not affine.
  public let weight: Parameter?
  /// The summand of each channel; nil if not affine.
  public let bias: Parameter?
  /// The running mean of each channel, if there are running statistics.
  public let runningMean: Buffer?
  /// The running variance of each channel, if there are running statistics.
  public let runningVariance: Buffer?
  /// The number added to the variance.
  public let epsilon: Double
  /// The factor with which the batch's statistics enter the running ones.
  public let momentum: Double

  /// A layer for `channels` channels; without weight, bias and running statistics by default, as in PyTorch.
  public init(
    _ channels: Int, epsilon: Double = 1e-5, momentum: Double = 0.1, affine: Bool = false,
    trackRunningStatistics: Bool = false
  ) {
    (self.epsilon, self.momentum) = (epsilon, momentum)
    weight = affine ? Parameter(Initializer.ones([channels])) : nil
    bias = affine ? Parameter(Initializer.zeros([channels])) : nil
    runningMean = trackRunningStatistics ? Buffer(Initializer.zeros([channels])) : nil
    runningVariance = trackRunningStatistics ? Buffer(Initializer.ones([channels])) : nil
  }

  /// PyTorch's names.
  public var children: [(name: String, value: Any)] {
    [
      ("weight", weight as Any), ("bias", bias as Any), ("running_mean", runningMean as Any),
      ("running_var", runningVariance as Any),
    ]
  }

  /// Applies the layer.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    guard let runningMean, let runningVariance else {
      return x.instanceNorm(weight: weight, bias: bias, epsilon: epsilon)
    }
    guard isTraining else {
      return x.batchNorm(
        mean: runningMean, variance: runningVariance, weight: weight, bias: bias, epsilon: epsilon)
    }
    let y = x.instanceNorm(weight: weight, bias: bias, epsilon: epsilon)
    withoutGrad {
      let rows = x.detached().converted(to: .float32).reshaped(to: [x.shape[0], x.shape[1], -1])
      let mean = rows.mean(axes: [2], keepingAxes: true)
      let count = Double(rows.shape[2])
      let variance = (rows - mean).squared().sum(axes: [2]) / (count - 1)
      runningMean.assign(
        (1 - momentum) * runningMean + momentum * mean.squeezed(axis: 2).mean(axes: [0]))
      runningVariance.assign(
        (1 - momentum) * runningVariance + momentum * variance.mean(axes: [0]))
    }
    return y
  }

  /// Applies the layer to samples `[C, ...]` without the axis of the batch, or with it.
  fileprivate func callAsFunction(_ x: Tensor, _ layer: String, axes: Int, _ form: String) -> Tensor
  {
    require(
      x.shape.count == axes + 1 || x.shape.count == axes + 2,
      "\(layer): \(form) is needed, with or without N, not \(x.shape)")
    return x.shape.count == axes + 2 ? self(x) : self(x.unsqueezed(axis: 0)).squeezed(axis: 0)
  }
}

/// Normalizes each channel of each of sequences `[N, C, L]`; see `InstanceNormalization`.
public struct InstanceNorm1d: Layer {
  /// The layer for any number of axes.
  public let core: InstanceNormalization

  /// A layer for `channels` channels; without weight, bias and running statistics by default, as in PyTorch.
  public init(
    _ channels: Int, epsilon: Double = 1e-5, momentum: Double = 0.1, affine: Bool = false,
    trackRunningStatistics: Bool = false
  ) {
    core = InstanceNormalization(
      channels, epsilon: epsilon, momentum: momentum, affine: affine,
      trackRunningStatistics: trackRunningStatistics)
  }

  /// The parts of `core`.
  public var children: [(name: String, value: Any)] { core.children }

  /// Applies the layer.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    core(x, "InstanceNorm1d", axes: 1, "[N, C, L]")
  }
}

/// Normalizes each channel of each of images `[N, C, H, W]`; see `InstanceNormalization`.
public struct InstanceNorm2d: Layer {
  /// The layer for any number of axes.
  public let core: InstanceNormalization

  /// A layer for `channels` channels; without weight, bias and running statistics by default, as in PyTorch.
  public init(
    _ channels: Int, epsilon: Double = 1e-5, momentum: Double = 0.1, affine: Bool = false,
    trackRunningStatistics: Bool = false
  ) {
    core = InstanceNormalization(
      channels, epsilon: epsilon, momentum: momentum, affine: affine,
      trackRunningStatistics: trackRunningStatistics)
  }

  /// The parts of `core`.
  public var children: [(name: String, value: Any)] { core.children }

  /// Applies the layer.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    core(x, "InstanceNorm2d", axes: 2, "[N, C, H, W]")
  }
}

/// Normalizes each channel of each of volumes `[N, C, D, H, W]`; see `InstanceNormalization`.
public struct InstanceNorm3d: Layer {
  /// The layer for any number of axes.
  public let core: InstanceNormalization

  /// A layer for `channels` channels; without weight, bias and running statistics by default, as in PyTorch.
  public init(
    _ channels: Int, epsilon: Double = 1e-5, momentum: Double = 0.1, affine: Bool = false,
    trackRunningStatistics: Bool = false
  ) {
    core = InstanceNormalization(
      channels, epsilon: epsilon, momentum: momentum, affine: affine,
      trackRunningStatistics: trackRunningStatistics)
  }

  /// The parts of `core`.
  public var children: [(name: String, value: Any)] { core.children }

  /// Applies the layer.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    core(x, "InstanceNorm3d", axes: 3, "[N, C, D, H, W]")
  }
}

/// Divides each element by a power of the mean square of the channels around it, as in AlexNet; see
/// `Tensor.localResponseNorm`.
public struct LocalResponseNorm: Layer {
  /// The number of channels in a mean.
  public let size: Int
  /// The factor of the mean.
  public let alpha: Double
  /// The exponent.
  public let beta: Double
  /// The summand.
  public let k: Double

  /// A layer with PyTorch's defaults.
  public init(_ size: Int, alpha: Double = 1e-4, beta: Double = 0.75, k: Double = 1) {
    (self.size, self.alpha, self.beta, self.k) = (size, alpha, beta, k)
  }

  /// Applies the layer.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    x.localResponseNorm(size, alpha: alpha, beta: beta, k: k)
  }
}
