public import TensorCore

/// The weights of a recurrent cell as in PyTorch: a weight and a bias for the input, and for the state,
/// with a row for each unit of each gate.
public struct RecurrentWeights: Module {
  /// The weight of the input, `[gates * hidden, inputs]`.
  public let input: Parameter
  /// The weight of the state, `[gates * hidden, hidden]`.
  public let state: Parameter
  /// The bias of the input.
  public let inputBias: Parameter?
  /// The bias of the state.
  public let stateBias: Parameter?
  /// The suffix of PyTorch's names: `_l0` and so on for the layers of a network.
  let suffix: String

  /// Weights and biases uniform in ±1/√hidden, PyTorch's default.
  init(_ gates: Int, _ inputs: Int, _ hidden: Int, bias: Bool, suffix: String = "") {
    func drawn(_ shape: TensorShape) -> Parameter { Parameter(Initializer.fanIn(shape, hidden)) }
    input = drawn([gates * hidden, inputs])
    state = drawn([gates * hidden, hidden])
    inputBias = bias ? drawn([gates * hidden]) : nil
    stateBias = bias ? drawn([gates * hidden]) : nil
    self.suffix = suffix
  }

  /// The number of units.
  var hidden: Int { state.shape[1] }

  /// PyTorch's names.
  public var children: [(name: String, value: Any)] {
    [
      ("weight_ih\(suffix)", input), ("weight_hh\(suffix)", state),
      ("bias_ih\(suffix)", inputBias as Any), ("bias_hh\(suffix)", stateBias as Any),
    ]
  }

  /// The states `[states, T, N, hidden]` after each step of sequences `[T, N, inputs]`.
  ///
  /// States that are not given start as zeros.
  func states(
    _ x: Tensor, _ cell: RecurrentCell, _ initial: [Tensor?], lengths: [Int]? = nil,
    reversed: Bool = false
  ) -> Tensor {
    let initial = initial.map { $0 ?? .zeros([x.shape[1], hidden], input.dataType) }
    // In a GRU the bias of the state is inside of a product, in the others it can be added before.
    let isInside = cell == .gru
    let bias = isInside ? inputBias : inputBias.map { $0 + stateBias! }
    return x.linear(weight: input, bias: bias).recurrentStates(
      cell, weight: state, bias: isInside ? stateBias : nil, initial: initial, lengths: lengths,
      reversed: reversed)
  }

  /// The states after one step for an input `[N, inputs]`: a copy, which may be changed in place.
  func step(_ x: Tensor, _ cell: RecurrentCell, _ initial: [Tensor?]) -> Tensor {
    states(x.unsqueezed(axis: 0), cell, initial).squeezed(axis: 1).copy()
  }
}

/// The activation of a plain recurrent cell.
public enum RecurrentNonlinearity: Sendable {
  /// The hyperbolic tangent, PyTorch's default.
  case tanh
  /// The rectifier, max(x, 0).
  case relu

  var cell: RecurrentCell { self == .tanh ? .tanh : .relu }
}

private func checkInput(_ x: Tensor, _ weights: RecurrentWeights, _ name: String) {
  require(
    x.shape.count == 2 && x.shape.last == weights.input.shape[1],
    "\(name): an input [N, \(weights.input.shape[1])] is needed, not \(x.shape)")
}

// MARK: - Cells

/// One step of a plain recurrent network: tanh(W x + U h + b).
public struct RNNCell: Module {
  /// The weights.
  public let weights: RecurrentWeights
  /// The activation.
  public let nonlinearity: RecurrentNonlinearity

  /// A cell of `hidden` units.
  public init(
    _ inputs: Int, _ hidden: Int, bias: Bool = true, nonlinearity: RecurrentNonlinearity = .tanh
  ) {
    weights = RecurrentWeights(1, inputs, hidden, bias: bias)
    self.nonlinearity = nonlinearity
  }

  /// The weights under PyTorch's names.
  public var children: [(name: String, value: Any)] { weights.children }

  /// The next state `[N, hidden]` from an input `[N, inputs]` and the state, by default zeros.
  public func callAsFunction(_ x: Tensor, _ h: Tensor? = nil) -> Tensor {
    checkInput(x, weights, "RNNCell")
    return weights.step(x, nonlinearity.cell, [h]).squeezed(axis: 0)
  }
}

/// One step of an LSTM.
public struct LSTMCell: Module {
  /// The weights of the gates input, forget, cell and output.
  public let weights: RecurrentWeights

  /// A cell of `hidden` units.
  public init(_ inputs: Int, _ hidden: Int, bias: Bool = true) {
    weights = RecurrentWeights(4, inputs, hidden, bias: bias)
  }

  /// The weights under PyTorch's names.
  public var children: [(name: String, value: Any)] { weights.children }

  /// The next states `[N, hidden]` from an input `[N, inputs]` and the states, by default zeros.
  public func callAsFunction(
    _ x: Tensor, _ state: (h: Tensor, c: Tensor)? = nil
  ) -> (h: Tensor, c: Tensor) {
    checkInput(x, weights, "LSTMCell")
    let states = weights.step(x, .lstm, [state?.h, state?.c])
    return (states[0], states[1])
  }
}

/// One step of a GRU.
public struct GRUCell: Module {
  /// The weights of the gates reset, update and new.
  public let weights: RecurrentWeights

  /// A cell of `hidden` units.
  public init(_ inputs: Int, _ hidden: Int, bias: Bool = true) {
    weights = RecurrentWeights(3, inputs, hidden, bias: bias)
  }

  /// The weights under PyTorch's names.
  public var children: [(name: String, value: Any)] { weights.children }

  /// The next state `[N, hidden]` from an input `[N, inputs]` and the state, by default zeros.
  public func callAsFunction(_ x: Tensor, _ h: Tensor? = nil) -> Tensor {
    checkInput(x, weights, "GRUCell")
    return weights.step(x, .gru, [h]).squeezed(axis: 0)
  }
}
