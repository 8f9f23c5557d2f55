public import TensorCore

/// A dense layer: y = x Wᵀ + b, from `[..., inputs]` to `[..., outputs]`.
public struct Linear: Layer {
  /// The weight, `[outputs, inputs]` as in PyTorch.
  public let weight: Parameter
  /// The bias, `[outputs]`.
  public let bias: Parameter?

  /// A layer with PyTorch's default initialization: weights and biases uniform in ±1/√inputs.
  public init(_ inputs: Int, _ outputs: Int, bias: Bool = true) {
    weight = Parameter(Initializer.fanIn([outputs, inputs], inputs))
    self.bias = bias ? Parameter(Initializer.fanIn([outputs], inputs)) : nil
  }

  /// A layer with the given weight, `[outputs, inputs]`, and bias, `[outputs]`.
  public init(weight: Tensor, bias: Tensor? = nil) {
    self.weight = Parameter(weight)
    self.bias = bias.map(Parameter.init)
  }

  /// A layer whose weight is a parameter of another one, too: they stay the same tensor.
  public init(sharing weight: Parameter, bias: Tensor? = nil) {
    self.weight = weight
    self.bias = bias.map(Parameter.init)
  }

  /// Applies the layer.
  public func callAsFunction(_ x: Tensor) -> Tensor { self(x, relu: false) }

  /// Applies the layer, and ReLU to its result if `relu`: in one pass over memory.
  public func callAsFunction(_ x: Tensor, relu: Bool) -> Tensor {
    x.linear(weight: weight, bias: bias, relu: relu)
  }
}
