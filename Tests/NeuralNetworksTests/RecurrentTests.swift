import NeuralNetworks
import TensorCore
import TestSupport
import Testing

/// A layer over sequences that PyTorch has applied and differentiated in float32.
struct SequenceCase {
  let name: String
  let file: String
  init(_ name: String, in file: String = "sequence_layers") {
    (self.name, self.file) = (name, file)
  }

  /// Loads the state into `layer`, and compares outputs (`output`, then `others`), gradients of
  /// inputs and gradients of parameters.
  func check(
    _ layer: some Module, _ inputs: [String], _ others: [String] = [],
    _ apply: (GoldenCase.Inputs) -> [Tensor]
  ) throws {
    let goldens = try Goldens(file, in: .module)
    func expect(_ tensor: Tensor?, _ part: String) throws {
      let mismatch = try goldens["\(name)/\(part)"].mismatch(
        tensor, tolerance: 4e-6, relativeTo: .largest)
      #expect(mismatch == nil, "\(name), \(part)")
    }
    _ = try loaded(layer, goldens, name)
    var tensors: [String: Tensor] = [:]
    for input in inputs {
      tensors[input] = try goldens["\(name)/\(input)"].tensor()
      tensors[input]!.requiresGrad = true
    }
    let outputs = apply(GoldenCase.Inputs(values: tensors))
    let parts = ["output"] + others
    #expect(outputs.count == parts.count)
    var total = Tensor(0 as Float)
    for (output, part) in zip(outputs, parts) {
      try expect(output, part)
      total = try total + (output * goldens["\(name)/\(part).grad"].tensor()).sum()
    }
    total.backward()
    for (input, tensor) in tensors { try expect(tensor.grad, "\(input).grad") }
    let named = layer.namedParameters()
    for (key, parameter) in named { try expect(parameter.grad, "gradient/\(key)") }
    let gradients = goldens.names.filter { $0.hasPrefix("\(name)/gradient/") }
    #expect(gradients.count == named.count)
  }
}

@Suite struct RecurrentTests {
  @Test("plain cells are PyTorch's")
  func plainCells() throws {
    let cell = RNNCell(3, 4)
    try SequenceCase("rnn_cell").check(cell, ["x", "h0"]) { [cell($0["x"], $0["h0"])] }
    let relu = RNNCell(3, 4, nonlinearity: .relu)
    try SequenceCase("rnn_cell_relu").check(relu, ["x", "h0"]) { [relu($0["x"], $0["h0"])] }
  }

  @Test("gated cells are PyTorch's", arguments: [true, false])
  func gatedCells(_ bias: Bool) throws {
    let cell = GRUCell(3, 4, bias: bias)
    try SequenceCase(bias ? "gru_cell" : "gru_cell_no_bias").check(cell, ["x", "h0"]) {
      [cell($0["x"], $0["h0"])]
    }
  }

  @Test("long short-term memory cells are PyTorch's")
  func memoryCell() throws {
    let cell = LSTMCell(3, 4)
    try SequenceCase("lstm_cell").check(cell, ["x", "h0", "c0"], ["c"]) {
      let (h, c) = cell($0["x"], ($0["h0"], $0["c0"]))
      return [h, c]
    }
  }

  @Test("layers over sequences are PyTorch's", arguments: [1, 2])
  func sequences(_ layers: Int) throws {
    let suffix = layers == 1 ? "" : "_layers"
    let plain = RNN(3, 4, layers: layers, nonlinearity: layers == 1 ? .tanh : .relu)
    try SequenceCase("rnn\(suffix)").check(plain, ["x", "h0"], ["h"]) {
      let (output, h) = plain($0["x"], $0["h0"])
      return [output, h]
    }
    let gated = GRU(3, 4, layers: layers)
    try SequenceCase("gru\(suffix)").check(gated, ["x", "h0"], ["h"]) {
      let (output, h) = gated($0["x"], $0["h0"])
      return [output, h]
    }
    let memory = LSTM(3, 4, layers: layers)
    try SequenceCase("lstm\(suffix)").check(memory, ["x", "h0", "c0"], ["h", "c"]) {
      let (output, h, c) = memory($0["x"], ($0["h0"], $0["c0"]))
      return [output, h, c]
    }
  }

  @Test("every golden is compared")
  func complete() throws {
    #expect(
      try Goldens("sequence_layers", in: .module).cases == [
        "attention_self", "attention_self_causal", "attention_cross", "rnn_cell", "rnn_cell_relu",
        "gru_cell", "gru_cell_no_bias", "lstm_cell", "rnn", "rnn_layers", "gru", "gru_layers",
        "lstm", "lstm_layers",
      ])
  }

  @Test("states start as zeros, and a sequence is its steps one after another")
  func states() {
    let x = Tensor.of((0..<24).map { Float($0) / 24 }, shape: [2, 4, 3])
    let cell = LSTMCell(3, 5)
    let zeros = Tensor.zeros([2, 5])
    #expect(cell(x[..., 0]).h.doubles() == cell(x[..., 0], (zeros, zeros)).h.doubles())
    let network = LSTM(3, 5, layers: 2)
    let (output, h, c) = network(x)
    #expect(output.shape == [2, 4, 5] && h.shape == [2, 2, 5] && c.shape == [2, 2, 5])
    #expect(output.selected(3, axis: 1).doubles() == h[1].doubles())
    let first = network(x.sliced(0..<2, axis: 1))
    let second = network(x.sliced(2..<4, axis: 1), (first.h, first.c))
    // States are in -1...1.
    #expect(zip(second.h.doubles(), h.doubles()).allSatisfy { abs($0 - $1) < 1e-6 })
  }

  @Test("the names are PyTorch's")
  func names() {
    #expect(
      GRUCell(3, 4).namedParameters().map(\.name)
        == ["weight_ih", "weight_hh", "bias_ih", "bias_hh"])
    #expect(
      LSTM(3, 4, layers: 2, bias: false).namedParameters().map(\.name)
        == ["weight_ih_l0", "weight_hh_l0", "weight_ih_l1", "weight_hh_l1"])
    let bound = 0.5
    let drawn = LSTM(3, 4).parameters.flatMap { $0.doubles() }
    #expect(drawn.allSatisfy { abs($0) <= bound } && drawn.contains { abs($0) > 0.9 * bound })
  }

  @Test("inputs and states of other shapes stop")
  func mistakes() async {
    await #expect(processExitsWith: .failure) { _ = RNNCell(3, 4)(.ones([2, 4])) }
    await #expect(processExitsWith: .failure) { _ = GRU(3, 4)(.ones([2, 3])) }
    await #expect(processExitsWith: .failure) { _ = RNN(3, 4)(.ones([2, 5, 3]), .ones([2, 4])) }
  }
}

extension Tensor {
  /// The part at an index along the second axis.
  fileprivate subscript(_: UnboundedRange, index: Int) -> Tensor { selected(index, axis: 1) }
}
