/// A leaf that a module owns and that is not trained, such as a running mean.
///
/// Buffers are found like parameters and are in state dictionaries beside them, but have no gradient
/// and are not updated by optimizers.
public final class Buffer: Tensor {
  /// Makes the elements of `tensor` part of a module's state, sharing its memory.
  public init(_ tensor: Tensor) {
    require(
      tensor.isContiguous,
      "Buffer: a contiguous tensor is needed, not a view of shape \(tensor.shape)")
    super.init(sharing: tensor)
  }
}
