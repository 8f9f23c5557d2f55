public import TensorCore

/// y = x1ᵀ W x2 + b for each output, with two inputs.
public struct Bilinear: Module {
  /// The weight, `[outputs, inputs1, inputs2]`.
  public let weight: Parameter
  /// The bias, `[outputs]`.
  public let bias: Parameter?

  /// A layer with PyTorch's initial values, uniform in ±1/√inputs1.
  public init(_ inputs1: Int, _ inputs2: Int, _ outputs: Int, bias: Bool = true) {
    weight = Parameter(Initializer.fanIn([outputs, inputs1, inputs2], inputs1))
    self.bias = bias ? Parameter(Initializer.fanIn([outputs], inputs1)) : nil
  }

  /// The outputs `[..., outputs]` for inputs `[..., inputs1]` and `[..., inputs2]`.
  public func callAsFunction(_ x1: Tensor, _ x2: Tensor) -> Tensor {
    let (outputs, n1, n2) = (weight.shape[0], weight.shape[1], weight.shape[2])
    require(
      x1.shape.last == n1 && x2.shape.last == n2 && x1.shape.dropLast() == x2.shape.dropLast(),
      "Bilinear: inputs [..., \(n1)] and [..., \(n2)] are needed, not \(x1.shape) and \(x2.shape)")
    // W x2 for each output and element of x1, in one product.
    let products = x2.linear(weight: weight.reshaped(to: [outputs * n1, n2]))
      .reshaped(to: TensorShape(Array(x2.shape.dropLast()) + [outputs, n1]))
    let y = (products * x1.unsqueezed(axis: -2)).sum(axes: [-1])
    return bias.map { y + $0 } ?? y
  }
}
