public import TensorCore

/// Layers applied one after another.
///
/// Parameters are named by index, as in PyTorch: `0.weight`.
public struct Sequential: Layer {
  /// The layers in order.
  public let layers: [any Layer]

  /// Layers in order.
  public init(_ layers: any Layer...) { self.layers = layers }
  /// Layers in order.
  public init(_ layers: [any Layer]) { self.layers = layers }

  /// The layers, named by index.
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
