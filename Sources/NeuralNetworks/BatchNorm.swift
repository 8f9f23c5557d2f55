public import TensorCore

/// Normalizes the channels of batches of volumes `[N, C, D, H, W]`; see `BatchNormalization`.
public struct BatchNorm3d: Layer, BatchNormalizing {
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
    require(x.shape.count == 5, "BatchNorm3d: [N, C, D, H, W] is needed, not \(x.shape)")
    return core(x)
  }
}

/// Normalizes the channels of batches `[N, C, ...]` that are spread over processes: in a model that
/// `DataParallel` trains, by the mean and variance over the samples of all ranks; elsewhere it is a
/// `BatchNormalization`.
///
/// The option `synchronizedBatchNorm` of `DataParallel` does this for the batch normalization of any model.
public struct SyncBatchNorm: Layer, BatchNormalizing {
  /// The layer for one process.
  public let core: BatchNormalization

  /// A layer for `channels` channels.
  public init(
    _ channels: Int, epsilon: Double = 1e-5, momentum: Double = 0.1, affine: Bool = true
  ) {
    core = BatchNormalization(channels, epsilon: epsilon, momentum: momentum, affine: affine)
  }

  /// The parts of `core`.
  public var children: [(name: String, value: Any)] { core.children }

  var synchronizesItself: Bool { true }

  /// Applies the layer.
  public func callAsFunction(_ x: Tensor) -> Tensor { core(x) }
}
