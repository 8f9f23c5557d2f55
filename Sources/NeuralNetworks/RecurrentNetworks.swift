public import TensorCore

/// The layers of a recurrent network over sequences `[N, T, inputs]`: what `RNN`, `LSTM` and `GRU` share.
public struct RecurrentLayers: Module {
  /// The weights of each layer; of a bidirectional one forward, then backward.
  public let weights: [RecurrentWeights]
  /// Whether each layer also has a part that reads sequences from their end.
  public let bidirectional: Bool
  /// The probability with which dropout zeroes outputs of all layers but the last, in training.
  public let dropout: Double
  /// The formulas.
  package let cell: RecurrentCell
  private let name: String

  init(
    _ name: String, _ cell: RecurrentCell, _ inputs: Int, _ hidden: Int, layers: Int, bias: Bool,
    dropout: Double, bidirectional: Bool
  ) {
    require(
      inputs > 0 && hidden > 0 && layers > 0,
      "\(name): \(inputs) inputs, \(hidden) units and \(layers) layers must be positive")
    require(
      dropout >= 0 && dropout < 1, "\(name): the dropout probability \(dropout) is not in 0..<1")
    (self.name, self.cell, self.dropout) = (name, cell, dropout)
    self.bidirectional = bidirectional
    let directions = bidirectional ? ["", "_reverse"] : [""]
    weights = (0..<layers).flatMap { layer in
      directions.map { direction in
        RecurrentWeights(
          cell.gates, layer == 0 ? inputs : hidden * directions.count, hidden, bias: bias,
          suffix: "_l\(layer)\(direction)")
      }
    }
  }

  /// The weights under PyTorch's names.
  public var children: [(name: String, value: Any)] { weights.flatMap(\.children) }

  private var directions: Int { bidirectional ? 2 : 1 }
  /// The number of layers.
  public var count: Int { weights.count / directions }
  /// The units of each direction.
  public var hidden: Int { weights[0].hidden }

  /// Runs all layers over sequences `[N, T, inputs]`.
  ///
  /// Returns the last layer's outputs `[N, T, directions hidden]`, and all final states
  /// `[layers directions, N, hidden]`, of an LSTM two.
  func callAsFunction(
    _ x: Tensor, _ initial: [Tensor?], lengths: [Int]?
  ) -> (output: Tensor, states: [Tensor]) {
    check(x, initial, lengths)
    let steps = x.shape[1]
    // 1 where a sequence has not ended.
    let isActive = lengths.map { lengths in
      withoutGrad {
        let ends = Tensor(lengths.map { Float($0) })
        return (Tensor.arange(steps).unsqueezed(axis: 1) .< ends)
          .converted(to: weights[0].input.dataType).unsqueezed(axis: 2)
      }
    }
    // With the steps outermost, so that each is dense.
    var sequence = x.transposed(0, 1)
    var finals = initial.map { _ in [Tensor]() }
    for layer in 0..<count {
      if layer > 0, dropout > 0, isTraining {
        // The first axis of dropout counts samples.
        sequence = sequence.transposed(0, 1).dropout(dropout).transposed(0, 1)
      }
      var outputs: [Tensor] = []
      for direction in 0..<directions {
        let index = layer * directions + direction
        let states = weights[index].states(
          sequence, cell, initial.map { $0?[index] }, lengths: lengths, reversed: direction == 1)
        let last = direction == 0 ? steps - 1 : 0
        for part in finals.indices { finals[part].append(states[part][last]) }
        outputs.append(isActive.map { states[0] * $0 } ?? states[0])
      }
      sequence = directions == 1 ? outputs[0] : .concatenated(outputs, axis: 2)
    }
    // A copy, so that changing it in place does not overwrite what backward needs.
    let output = sequence.transposed(0, 1)
    return (
      output.isContiguous ? output.copy() : output.contiguous(), finals.map { .stacked($0) }
    )
  }

  private func check(_ x: Tensor, _ initial: [Tensor?], _ lengths: [Int]?) {
    let inputs = weights[0].input.shape[1]
    require(
      x.shape.count == 3 && x.shape[2] == inputs,
      "\(name): an input [N, T, \(inputs)] is needed, not \(x.shape)")
    require(x.shape[1] > 0, "\(name): the sequences of \(x.shape) have length 0")
    let expected: TensorShape = [weights.count, x.shape[0], hidden]
    for state in initial {
      require(
        state == nil || state!.shape == expected,
        "\(name): an initial state \(expected) is needed, not \(state!.shape)")
    }
    if let lengths {
      require(
        lengths.count == x.shape[0] && lengths.allSatisfy { 1...x.shape[1] ~= $0 },
        "\(name): a length from 1 to \(x.shape[1]) is needed for each of \(x.shape[0]) sequences, not \(lengths)"
      )
    }
  }
}

/// The outputs of recurrent layers as a layer, without the final states.
package struct RecurrentOutputs: Layer {
  /// The layers.
  package let layers: RecurrentLayers

  init(_ layers: RecurrentLayers) { self.layers = layers }

  package var children: [(name: String, value: Any)] { layers.children }

  package func callAsFunction(_ x: Tensor) -> Tensor {
    layers(x, [Tensor?](repeating: nil, count: layers.cell.states), lengths: nil).output
  }
}

/// Plain recurrent layers over sequences, PyTorch's `nn.RNN` with `batch_first`.
public struct RNN: Module {
  /// The layers.
  public let layers: RecurrentLayers

  /// Layers of `hidden` units each, in both directions if `bidirectional`, with dropout between them.
  public init(
    _ inputs: Int, _ hidden: Int, layers: Int = 1, bias: Bool = true,
    nonlinearity: RecurrentNonlinearity = .tanh, dropout: Double = 0, bidirectional: Bool = false
  ) {
    self.layers = RecurrentLayers(
      "RNN", nonlinearity.cell, inputs, hidden, layers: layers, bias: bias, dropout: dropout,
      bidirectional: bidirectional)
  }

  /// The weights under PyTorch's names.
  public var children: [(name: String, value: Any)] { layers.children }

  /// The last layer's states `[N, T, directions hidden]` for sequences `[N, T, inputs]`, and all layers'
  /// final states `[layers directions, N, hidden]`.
  ///
  /// - Parameters:
  ///   - x: The sequences.
  ///   - h: The initial states, of the shape of the final ones; zeros if nil.
  ///   - lengths: The length of each sequence, if some are shorter than T. Outputs behind the end are 0, the
  ///     final state is that of the last step, and the other direction begins there: PyTorch's
  ///     `pack_padded_sequence` with `enforce_sorted=False`.
  public func callAsFunction(
    _ x: Tensor, _ h: Tensor? = nil, lengths: [Int]? = nil
  ) -> (output: Tensor, h: Tensor) {
    let (output, states) = layers(x, [h], lengths: lengths)
    return (output, states[0])
  }
}

/// LSTM layers over sequences, PyTorch's `nn.LSTM` with `batch_first`.
public struct LSTM: Module {
  /// The layers.
  public let layers: RecurrentLayers

  /// Layers of `hidden` units each, in both directions if `bidirectional`, with dropout between them.
  public init(
    _ inputs: Int, _ hidden: Int, layers: Int = 1, bias: Bool = true, dropout: Double = 0,
    bidirectional: Bool = false
  ) {
    self.layers = RecurrentLayers(
      "LSTM", .lstm, inputs, hidden, layers: layers, bias: bias, dropout: dropout,
      bidirectional: bidirectional)
  }

  /// The weights under PyTorch's names.
  public var children: [(name: String, value: Any)] { layers.children }

  /// The last layer's states `[N, T, directions hidden]` for sequences `[N, T, inputs]`, and all layers'
  /// final hidden and cell states `[layers directions, N, hidden]`.
  ///
  /// - Parameters:
  ///   - x: The sequences.
  ///   - state: The initial states, of the shape of the final ones; zeros if nil.
  ///   - lengths: The length of each sequence, if some are shorter than T; see `RNN`.
  public func callAsFunction(
    _ x: Tensor, _ state: (h: Tensor, c: Tensor)? = nil, lengths: [Int]? = nil
  ) -> (output: Tensor, h: Tensor, c: Tensor) {
    let (output, states) = layers(x, [state?.h, state?.c], lengths: lengths)
    return (output, states[0], states[1])
  }
}

/// GRU layers over sequences, PyTorch's `nn.GRU` with `batch_first`.
public struct GRU: Module {
  /// The layers.
  public let layers: RecurrentLayers

  /// Layers of `hidden` units each, in both directions if `bidirectional`, with dropout between them.
  public init(
    _ inputs: Int, _ hidden: Int, layers: Int = 1, bias: Bool = true, dropout: Double = 0,
    bidirectional: Bool = false
  ) {
    self.layers = RecurrentLayers(
      "GRU", .gru, inputs, hidden, layers: layers, bias: bias, dropout: dropout,
      bidirectional: bidirectional)
  }

  /// The weights under PyTorch's names.
  public var children: [(name: String, value: Any)] { layers.children }

  /// The last layer's states `[N, T, directions hidden]` for sequences `[N, T, inputs]`, and all layers'
  /// final states `[layers directions, N, hidden]`.
  ///
  /// - Parameters:
  ///   - x: The sequences.
  ///   - h: The initial states, of the shape of the final ones; zeros if nil.
  ///   - lengths: The length of each sequence, if some are shorter than T; see `RNN`.
  public func callAsFunction(
    _ x: Tensor, _ h: Tensor? = nil, lengths: [Int]? = nil
  ) -> (output: Tensor, h: Tensor) {
    let (output, states) = layers(x, [h], lengths: lengths)
    return (output, states[0])
  }
}
