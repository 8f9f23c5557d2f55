public import TensorCore

/// Layers applied one after another.
///
/// Their parameters are named by position, as in PyTorch: `0.weight`.
public struct Sequential: Layer {
  /// The layers, first to last.
  public let layers: [any Layer]

  /// Chains layers, first to last.
  public init(_ layers: any Layer...) { self.layers = layers }
  /// Chains layers, first to last.
  public init(_ layers: [any Layer]) { self.layers = layers }

  /// The layers under their positions.
  public var children: [(name: String, value: Any)] {
    layers.enumerated().map { (String($0.offset), $0.element) }
  }

  /// Applies all layers.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    var x = x
    for layer in layers { x = layer(x) }
    return x
  }
}
