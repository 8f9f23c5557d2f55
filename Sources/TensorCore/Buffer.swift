/// A leaf that a module owns and that is not learned, such as a running mean.
///
/// Buffers are found like parameters and stand in state dictionaries beside them, but have no
/// gradient and are no business of optimizers.
public final class Buffer: Tensor {
  /// Makes the elements of `tensor` part of a module's state, sharing its memory.
  public init(_ tensor: Tensor) {
    require(
      tensor.isContiguous,
      "Buffer: a contiguous tensor is needed, not a view of shape \(tensor.shape)")
    super.init(sharing: tensor)
  }
}
