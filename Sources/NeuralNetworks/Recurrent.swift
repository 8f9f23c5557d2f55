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

  /// The contribution of the input to the gates.
  func ofInput(_ x: Tensor) -> Tensor { x.linear(weight: input, bias: inputBias) }
  /// The contribution of the state to the gates.
  func ofState(_ h: Tensor) -> Tensor { h.linear(weight: state, bias: stateBias) }

  /// The initial state of a sequence: zeros for each row of `x`.
  func zeros(for x: Tensor) -> Tensor { .zeros([x.shape[0], hidden], x.dataType) }
}

/// The activation of a plain recurrent cell.
public enum RecurrentNonlinearity: Sendable {
  /// The hyperbolic tangent, PyTorch's default.
  case tanh
  /// The rectifier, max(x, 0).
  case relu

  func callAsFunction(_ x: Tensor) -> Tensor { self == .tanh ? x.tanh() : x.relu() }
}

// One step of each kind of cell, given the contribution of the input to the gates.

private func plainStep(
  _ x: Tensor, _ h: Tensor, _ weights: RecurrentWeights, _ nonlinearity: RecurrentNonlinearity
) -> Tensor {
  nonlinearity(x + weights.ofState(h))
}

private func longShortTermStep(
  _ x: Tensor, _ h: Tensor, _ c: Tensor, _ weights: RecurrentWeights
) -> (h: Tensor, c: Tensor) {
  let gates = (x + weights.ofState(h)).split(weights.hidden, axis: 1)
  let kept = gates[1].sigmoid() * c + gates[0].sigmoid() * gates[2].tanh()
  return (gates[3].sigmoid() * kept.tanh(), kept)
}

private func gatedStep(_ x: Tensor, _ h: Tensor, _ weights: RecurrentWeights) -> Tensor {
  let input = x.split(weights.hidden, axis: 1)
  let state = weights.ofState(h).split(weights.hidden, axis: 1)
  let reset = (input[0] + state[0]).sigmoid()
  let update = (input[1] + state[1]).sigmoid()
  let fresh = (input[2] + reset * state[2]).tanh()
  return fresh + update * (h - fresh)
}

private func checkInput(_ x: Tensor, _ weights: RecurrentWeights, _ axes: Int, _ name: String) {
  require(
    x.shape.count == axes && x.shape.last == weights.input.shape[1],
    "\(name): an input \(axes == 2 ? "[N" : "[N, T"), \(weights.input.shape[1])] is needed, not \(x.shape)"
  )
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
    checkInput(x, weights, 2, "RNNCell")
    return plainStep(weights.ofInput(x), h ?? weights.zeros(for: x), weights, nonlinearity)
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
    checkInput(x, weights, 2, "LSTMCell")
    let (h, c) = state ?? (weights.zeros(for: x), weights.zeros(for: x))
    return longShortTermStep(weights.ofInput(x), h, c, weights)
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
    checkInput(x, weights, 2, "GRUCell")
    return gatedStep(weights.ofInput(x), h ?? weights.zeros(for: x), weights)
  }
}

// MARK: - Sequences

/// The weights of `layers` layers; the input of each layer but the first is the state of the one before.
private func stacked(
  _ gates: Int, _ inputs: Int, _ hidden: Int, _ layers: Int, _ bias: Bool
) -> [RecurrentWeights] {
  (0..<layers).map {
    RecurrentWeights(gates, $0 == 0 ? inputs : hidden, hidden, bias: bias, suffix: "_l\($0)")
  }
}

/// Runs the layers over sequences `[N, T, inputs]`.
///
/// `step` computes the next state from the contribution of the input to the gates and the state; the
/// first tensor of the state is the input of the next layer.
private func run(
  _ x: Tensor, _ layers: [RecurrentWeights], _ initial: [Tensor?], _ name: String,
  step: (_ gates: Tensor, _ state: [Tensor], _ weights: RecurrentWeights) -> [Tensor]
) -> (output: Tensor, states: [Tensor]) {
  checkInput(x, layers[0], 3, name)
  require(x.shape[1] > 0, "\(name): the sequences of \(x.shape) have length 0")
  let expected: TensorShape = [layers.count, x.shape[0], layers[0].hidden]
  for state in initial {
    require(
      state == nil || state!.shape == expected,
      "\(name): an initial state \(expected) is needed, not \(state!.shape)")
  }
  var sequence = x
  var finals: [[Tensor]] = []
  for (index, weights) in layers.enumerated() {
    // The inputs of all steps in one product.
    let gates = weights.ofInput(sequence)
    var state = initial.map { $0?[index] ?? weights.zeros(for: x) }
    var outputs: [Tensor] = []
    for time in 0..<x.shape[1] {
      state = step(gates.selected(time, axis: 1), state, weights)
      outputs.append(state[0])
    }
    sequence = .stacked(outputs, axis: 1)
    finals.append(state)
  }
  return (sequence, initial.indices.map { part in .stacked(finals.map { $0[part] }) })
}

/// Plain recurrent layers over sequences, PyTorch's `nn.RNN` with `batch_first`.
public struct RNN: Module {
  /// The weights of each layer.
  public let layers: [RecurrentWeights]
  /// The activation.
  public let nonlinearity: RecurrentNonlinearity

  /// Layers of `hidden` units each.
  public init(
    _ inputs: Int, _ hidden: Int, layers: Int = 1, bias: Bool = true,
    nonlinearity: RecurrentNonlinearity = .tanh
  ) {
    self.layers = stacked(1, inputs, hidden, layers, bias)
    self.nonlinearity = nonlinearity
  }

  /// The weights under PyTorch's names.
  public var children: [(name: String, value: Any)] { layers.flatMap(\.children) }

  /// The last layer's states `[N, T, hidden]` for sequences `[N, T, inputs]`, and all layers' final
  /// states `[layers, N, hidden]`.
  public func callAsFunction(_ x: Tensor, _ h: Tensor? = nil) -> (output: Tensor, h: Tensor) {
    let (output, states) = run(x, layers, [h], "RNN") { gates, state, weights in
      [plainStep(gates, state[0], weights, nonlinearity)]
    }
    return (output, states[0])
  }
}

/// LSTM layers over sequences, PyTorch's `nn.LSTM` with `batch_first`.
public struct LSTM: Module {
  /// The weights of each layer.
  public let layers: [RecurrentWeights]

  /// Layers of `hidden` units each.
  public init(_ inputs: Int, _ hidden: Int, layers: Int = 1, bias: Bool = true) {
    self.layers = stacked(4, inputs, hidden, layers, bias)
  }

  /// The weights under PyTorch's names.
  public var children: [(name: String, value: Any)] { layers.flatMap(\.children) }

  /// The last layer's states `[N, T, hidden]` for sequences `[N, T, inputs]`, and all layers' final hidden
  /// and cell states `[layers, N, hidden]`.
  public func callAsFunction(
    _ x: Tensor, _ state: (h: Tensor, c: Tensor)? = nil
  ) -> (output: Tensor, h: Tensor, c: Tensor) {
    let (output, states) = run(x, layers, [state?.h, state?.c], "LSTM") { gates, state, weights in
      let (h, c) = longShortTermStep(gates, state[0], state[1], weights)
      return [h, c]
    }
    return (output, states[0], states[1])
  }
}

/// GRU layers over sequences, PyTorch's `nn.GRU` with `batch_first`.
public struct GRU: Module {
  /// The weights of each layer.
  public let layers: [RecurrentWeights]

  /// Layers of `hidden` units each.
  public init(_ inputs: Int, _ hidden: Int, layers: Int = 1, bias: Bool = true) {
    self.layers = stacked(3, inputs, hidden, layers, bias)
  }

  /// The weights under PyTorch's names.
  public var children: [(name: String, value: Any)] { layers.flatMap(\.children) }

  /// The last layer's states `[N, T, hidden]` for sequences `[N, T, inputs]`, and all layers' final
  /// states `[layers, N, hidden]`.
  public func callAsFunction(_ x: Tensor, _ h: Tensor? = nil) -> (output: Tensor, h: Tensor) {
    let (output, states) = run(x, layers, [h], "GRU") { gates, state, weights in
      [gatedStep(gates, state[0], weights)]
    }
    return (output, states[0])
  }
}
