import NeuralNetworks
import Settings
import TensorCore
import TestSupport
import Testing

/// A network of the file `recurrent_networks`, with the options of its case.
private struct NetworkCase: Sendable, CustomTestStringConvertible {
  let kind: String
  let options: String
  var name: String { "\(kind)_\(options)" }
  var testDescription: String { name }
  var layers: Int { options == "bidirectional" || options == "packed" ? 1 : 2 }
  var isBidirectional: Bool { options.contains("bidirectional") }
  var lengths: [Int]? { options.hasPrefix("packed") ? [2, 5, 1, 4] : nil }
  var hasBias: Bool { options != "packed_layers" }

  static let all = ["rnn", "gru", "lstm"].flatMap { kind in
    [
      "bidirectional", "bidirectional_layers", "packed", "packed_layers", "packed_bidirectional",
    ].map { NetworkCase(kind: kind, options: $0) }
  }
}

@Suite struct RecurrentNetworksTests {
  @Test(
    "both directions, several layers and sequences of several lengths are PyTorch's",
    arguments: NetworkCase.all)
  private func goldens(_ row: NetworkCase) throws {
    let sequence = SequenceCase(row.name, in: "recurrent_networks")
    let lengths = row.lengths
    switch row.kind {
    case "rnn":
      let network = RNN(
        3, 4, layers: row.layers, bias: row.hasBias, bidirectional: row.isBidirectional)
      try sequence.check(network, ["x", "h0"], ["h"]) {
        let (output, h) = network($0["x"], $0["h0"], lengths: lengths)
        return [output, h]
      }
    case "gru":
      let network = GRU(
        3, 4, layers: row.layers, bias: row.hasBias, bidirectional: row.isBidirectional)
      try sequence.check(network, ["x", "h0"], ["h"]) {
        let (output, h) = network($0["x"], $0["h0"], lengths: lengths)
        return [output, h]
      }
    default:
      let network = LSTM(
        3, 4, layers: row.layers, bias: row.hasBias, bidirectional: row.isBidirectional)
      try sequence.check(network, ["x", "h0", "c0"], ["h", "c"]) {
        let (output, h, c) = network($0["x"], ($0["h0"], $0["c0"]), lengths: lengths)
        return [output, h, c]
      }
    }
  }

  @Test("every golden is compared")
  func complete() throws {
    #expect(
      try Goldens("recurrent_networks", in: .module).cases == Set(NetworkCase.all.map(\.name)))
    #expect(try Goldens("text_models", in: .module).cases == ["lstm", "lstm_tied"])
  }

  @Test("the names are PyTorch's")
  func names() {
    #expect(
      GRU(3, 4, layers: 2, bidirectional: true).namedParameters().map {
        "\($0.name) \($0.parameter.shape)"
      } == [
        "weight_ih_l0 [12, 3]", "weight_hh_l0 [12, 4]", "bias_ih_l0 [12]", "bias_hh_l0 [12]",
        "weight_ih_l0_reverse [12, 3]", "weight_hh_l0_reverse [12, 4]", "bias_ih_l0_reverse [12]",
        "bias_hh_l0_reverse [12]", "weight_ih_l1 [12, 8]", "weight_hh_l1 [12, 4]",
        "bias_ih_l1 [12]", "bias_hh_l1 [12]", "weight_ih_l1_reverse [12, 8]",
        "weight_hh_l1_reverse [12, 4]", "bias_ih_l1_reverse [12]", "bias_hh_l1_reverse [12]",
      ])
  }

  /// Sequences [4, 6, 3] of numbers without a pattern.
  private let x = Tensor.of((0..<72).map { Float(($0 * 37) % 71) / 36 - 1 }, shape: [4, 6, 3])

  @Test("what stands behind the end of a sequence does not matter")
  func padding() {
    let network = LSTM(3, 5, layers: 2, bidirectional: true)
    let lengths = [6, 2, 1, 3]
    let (output, h, c) = network(x, lengths: lengths)
    for (sample, length) in lengths.enumerated() {
      let alone = network(x[sample..<sample + 1].sliced(0..<length, axis: 1))
      let part = output[sample].sliced(0..<length)
      func expectEqual(_ a: Tensor, _ b: Tensor) {
        #expect(zip(a.doubles(), b.doubles()).allSatisfy { abs($0 - $1) < 1e-6 })
      }
      expectEqual(part, alone.output[0])
      expectEqual(h.selected(sample, axis: 1), alone.h.selected(0, axis: 1))
      expectEqual(c.selected(sample, axis: 1), alone.c.selected(0, axis: 1))
      #expect(output[sample].sliced(length..<6).doubles().allSatisfy { $0 == 0 })
    }
  }

  @Test("dropout stands between layers, in training, by sample")
  func dropout() {
    let network = GRU(3, 5, layers: 2, dropout: 0.5)
    let plain = withEvaluation { network(x).output.doubles() }
    #expect(plain == withEvaluation { network(x).output.doubles() })
    func trained(_ x: Tensor, firstSample: Int) -> [Double] {
      withTraining(SampleRandomness(seed: 1, epoch: 0, firstSample: firstSample)) {
        network(x).output.doubles()
      }
    }
    let whole = trained(x, firstSample: 0)
    #expect(whole != plain)
    let parts = trained(x[0..<1], firstSample: 0) + trained(x[1..<4], firstSample: 1)
    #expect(zip(whole, parts).allSatisfy { abs($0 - $1) < 1e-6 })
    // The last layer's outputs are not dropped, and one layer has none before it.
    #expect(!whole.contains(0))
    let single = LSTM(3, 5, dropout: 0.5)
    #expect(
      single(x).output.doubles() == withEvaluation { single(x).output.doubles() })
  }

  @Test("mixed precision gives nearly the same, with states of float32")
  func autocast() {
    let network = LSTM(3, 8, bidirectional: true)
    let exact = network(x).output
    let mixed = withAutocast { network(x).output }
    #expect(mixed.dataType == .float32)
    #expect(zip(exact.doubles(), mixed.doubles()).allSatisfy { abs($0 - $1) < 0.02 })
    mixed.sum().backward()
    #expect(network.parameters.allSatisfy { $0.grad?.dataType == .float32 })
  }

  @Test("results may be changed in place, and nothing is recorded without gradients")
  func inPlace() {
    let network = LSTM(3, 4)
    var (output, _, _) = network(x)
    output += 1
    output.sum().backward()
    #expect(network.parameters.allSatisfy { $0.grad != nil })
    #expect(!withoutGrad { network(x).output.requiresGrad })
    // One step: nothing is transposed on the way.
    var (step, _, _) = network(x.sliced(0..<1, axis: 1))
    step *= 2
    step.sum().backward()
    let cell = LSTMCell(3, 4)
    var state = cell(x.selected(0, axis: 1))
    state.h += 1
    (state.h * state.c).sum().backward()
    #expect(cell.parameters.allSatisfy { $0.grad != nil })
  }

  @Test("lengths and options that do not fit stop")
  func mistakes() async {
    await #expect(processExitsWith: .failure) {
      _ = LSTM(3, 4)(.ones([2, 5, 3]), lengths: [1, 6])
    }
    await #expect(processExitsWith: .failure) { _ = LSTM(3, 4)(.ones([2, 5, 3]), lengths: [1]) }
    await #expect(processExitsWith: .failure) {
      _ = LSTM(3, 4)(.ones([2, 5, 3]), lengths: [0, 5])
    }
    await #expect(processExitsWith: .failure) { _ = GRU(3, 4, dropout: 1) }
    await #expect(processExitsWith: .failure) { _ = RNN(3, 4, layers: 0) }
  }

  // MARK: - The model by name

  @Test("the text model and its gradients are PyTorch's", arguments: [false, true])
  func textModel(_ isTied: Bool) throws {
    let name = isTied ? "lstm_tied" : "lstm"
    let goldens = try Goldens("text_models", in: .module)
    let model = LSTMModel(
      vocabulary: 7, width: 6, hidden: isTied ? 6 : 5, layers: 2, tied: isTied)
    #expect(model.namedParameters().contains { $0.name == "decoder.weight" } == !isTied)
    #expect(model.stateDictionary().contains { $0.name == "decoder.weight" })
    for (key, parameter) in model.namedParameters() {
      parameter.assign(try goldens["\(name)/state/\(key)"].tensor())
    }
    let output = model(try goldens["\(name)/tokens"].tensor(.int32))
    func expect(_ tensor: Tensor?, _ part: String) throws {
      #expect(
        try goldens["\(name)/\(part)"].mismatch(tensor, tolerance: 4e-6, relativeTo: .largest)
          == nil, "\(part)")
    }
    try expect(output, "output")
    output.backward(gradient: try goldens["\(name)/output.grad"].tensor())
    for (key, parameter) in model.namedParameters() {
      try expect(parameter.grad, "gradient/\(key)")
    }
    let gradients = goldens.names.filter { $0.hasPrefix("\(name)/gradient/") }
    #expect(gradients.count == model.namedParameters().count)
  }

  @Test("the options of the text model reach it")
  func options() throws {
    let kind = try #require(ModelKind.all.named("lstm"))
    let options = try kind.settings.replacing {
      (["blocks": 1, "width": 8, "tiedHead": true] as [String: SettingValue])[$0]
    }
    let model = try kind.make(options, inputShape: [5], outputs: 3, tokens: 3, seed: 1)
    #expect(
      model.namedParameters().map { "\($0.name) \($0.parameter.shape)" } == [
        "encoder.weight [3, 8]", "rnn.weight_ih_l0 [32, 8]", "rnn.weight_hh_l0 [32, 8]",
        "rnn.bias_ih_l0 [32]", "rnn.bias_hh_l0 [32]", "decoder.bias [3]",
      ])
  }
}
