// Relatives of dropout.

extension Tensor {
  /// In training mode, zeroes whole channels of samples `[N, C, ...]` at random; in evaluation mode,
  /// returns this tensor.
  ///
  /// Channels are zeroed with probability `p`, and the others scaled by 1 / (1 - p): PyTorch's
  /// `dropout2d` and its relatives (Tompson et al., 2015).
  public final func channelDropout(_ p: Double) -> Tensor {
    requireFloatingPoint("channelDropout", self)
    require(
      shape.count >= 2, "channelDropout: samples [N, C, ...] are needed, not \(shape)")
    require(p >= 0 && p < 1, "channelDropout: the probability \(p) is not in 0..<1")
    guard isTraining, p > 0 else { return self }
    var mask = TensorShape(repeating: 1, count: shape.count)
    (mask[0], mask[1]) = (shape[0], shape[1])
    return self * withoutGrad { Tensor.ones(mask, dataType).dropout(p) }
  }

  /// In training mode, sets elements at random to the limit of `selu` for very negative x, and scales and
  /// shifts all so that mean and variance stay (Klambauer et al., 2017); in evaluation mode, returns this
  /// tensor.
  public final func alphaDropout(_ p: Double) -> Tensor {
    requireFloatingPoint("alphaDropout", self)
    require(p >= 0 && p < 1, "alphaDropout: the probability \(p) is not in 0..<1")
    guard isTraining, p > 0 else { return self }
    let limit = -seluAlpha * 1.0507009873554804934193349852946
    let scale = 1 / ((1 - p) * (1 + p * limit * limit)).squareRoot()
    let isDropped = withoutGrad { Tensor.ones(shape, dataType).dropout(p) .<= 0 }
    return Tensor.where(isDropped, limit, self) * scale - scale * limit * p
  }
}
