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

  /// Applies all layers; a ReLU behind a convolution is applied while the convolution stores its result.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    var x = x
    var index = 0
    while index < layers.count {
      if index + 1 < layers.count, layers[index + 1] is ReLU,
        let convolution = layers[index] as? Conv2d
      {
        x = convolution(x, relu: true)
        index += 2
      } else {
        x = layers[index](x)
        index += 1
      }
    }
    return x
  }
}
