public import TensorCore

/// A layer that stays in evaluation mode while the rest of the model is trained: PyTorch's
/// `backbone.eval()` behind `model.train()`.
///
/// Dropout does nothing in it, and batch normalization uses and keeps its running statistics. Gradients
/// flow, and parameters are trained unless they are frozen: `backbone.requiresGrad = false`. The names of
/// parameters stay the same.
public struct InEvaluation<Wrapped: Layer>: Layer {
  /// The layer.
  public let layer: Wrapped

  /// A layer that stays in evaluation mode.
  public init(_ layer: Wrapped) { self.layer = layer }

  /// The parts of the layer.
  public var children: [(name: String, value: Any)] { layer.children }

  /// The layer's key.
  public func stateDictionaryKey(forForeignKey key: String) -> String? {
    layer.stateDictionaryKey(forForeignKey: key)
  }

  /// Applies the layer in evaluation mode.
  public func callAsFunction(_ x: Tensor) -> Tensor { withEvaluation { layer(x) } }
}
