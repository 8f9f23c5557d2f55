import TensorCore

/// A padding of convolutions by its effect, as PyTorch's `padding="same"`.
public enum NamedPadding: Sendable {
  /// The output is as large as the input; needs a stride of 1.
  ///
  /// If the padding is an odd number of zeros, the last one is at the end.
  case same
  /// None.
  case valid

  /// The padding before the elements along an axis, and how many more zeros are behind them.
  func sizes(
    _ layer: String, kernel: Int, stride: Int, dilation: Int
  ) -> (padding: Int, extra: Int) {
    switch self {
    case .valid: return (0, 0)
    case .same:
      require(
        stride == 1, "\(layer): the padding 'same' needs a stride of 1, not \(stride)")
      let total = dilation * (kernel - 1)
      return (total / 2, total % 2)
    }
  }
}

/// Stops unless inputs and outputs can be divided into groups.
func checkGroups(_ layer: String, _ inputs: Int, _ outputs: Int, _ groups: Int) {
  require(
    groups > 0 && inputs % groups == 0 && outputs % groups == 0,
    "\(layer): \(inputs) inputs and \(outputs) outputs cannot be divided into \(groups) groups")
}

/// Parameters with PyTorch's default initialization: uniform in ±1/√n, where n is what one output sees of its
/// inputs, the product of the weight's sizes but the first.
func initializedConvolution(
  _ shape: TensorShape, outputs: Int, bias: Bool
) -> (weight: Parameter, bias: Parameter?) {
  let fanIn = shape.dropFirst().reduce(1, *)
  let weight = Parameter(Initializer.fanIn(shape, fanIn))
  return (weight, bias ? Parameter(Initializer.fanIn([outputs], fanIn)) : nil)
}
