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

  /// Applies all layers; batch normalization and ReLU behind a convolution, and ReLU behind a linear layer, share
  /// its pass over memory.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    var x = x
    var rest = layers[...]
    while let layer = rest.popFirst() {
      if let convolution = layer as? Conv2d {
        if let normalization = rest.popFirst(as: BatchNorm2d.self) {
          x = normalization(convolution, x, relu: rest.popFirst(as: ReLU.self) != nil)
        } else {
          x = convolution(x, relu: rest.popFirst(as: ReLU.self) != nil)
        }
      } else if let linear = layer as? Linear {
        x = linear(x, relu: rest.popFirst(as: ReLU.self) != nil)
      } else if let normalization = layer as? BatchNorm2d {
        x = normalization(x, adding: nil, relu: rest.popFirst(as: ReLU.self) != nil)
      } else {
        x = layer(x)
      }
    }
    return x
  }
}

extension ArraySlice<any Layer> {
  /// Removes and returns the first layer if it is of a type.
  fileprivate mutating func popFirst<L: Layer>(as _: L.Type) -> L? {
    guard let layer = first as? L else { return nil }
    removeFirst()
    return layer
  }
}
