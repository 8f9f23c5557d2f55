import NeuralNetworks
import TensorCore

extension LSTMModel: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) throws -> ONNXValue {
    decoder.onnx(rnn.layers.onnx(encoder.onnx(x, in: &graph), in: &graph), in: &graph)
  }

  func pytorch(in program: inout PythonProgram) -> String {
    program.add(
      """
      class LSTMModel(nn.Module):
          \"""Stacked LSTM layers: logits [B, T, vocabulary] for tokens [B, T].\"""

          def __init__(self, vocabulary, width, hidden, layers, dropout=0.0, tied=False):
              super().__init__()
              self.encoder = nn.Embedding(vocabulary, width)
              self.rnn = nn.LSTM(width, hidden, layers, batch_first=True, dropout=dropout)
              self.decoder = nn.Linear(hidden, vocabulary)
              self.dropout = nn.Dropout(dropout)
              if tied:
                  self.decoder.weight = self.encoder.weight

          def forward(self, tokens):
              x, _ = self.rnn(self.dropout(self.encoder(tokens)))
              return self.decoder(self.dropout(x))
      """)
    let (vocabulary, width) = (encoder.weight.shape[0], encoder.weight.shape[1])
    return "LSTMModel(\(vocabulary), width=\(width), hidden=\(rnn.layers.hidden), "
      + "layers=\(rnn.layers.count)" + (dropout > 0 ? ", dropout=\(dropout)" : "")
      + (isTied ? ", tied=True)" : ")")
  }
}

extension RecurrentOutputs: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue {
    layers.onnx(x, in: &graph)
  }

  func pytorch(in program: inout PythonProgram) -> String {
    let type = layers.cell == .lstm ? "LSTM" : "GRU"
    program.add(
      """
      class \(type)Outputs(nn.\(type)):
          \"""The states of the last layer, without the final ones of all.\"""

          def forward(self, x):
              return super().forward(x)[0]
      """)
    let inputs = layers.weights[0].input.shape[1]
    return "\(type)Outputs(\(inputs), \(layers.hidden), \(layers.count), batch_first=True)"
  }
}

extension RecurrentLayers {
  /// The outputs `[B, T, hidden]` of LSTM or GRU layers in one direction, with biases.
  fileprivate func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue {
    // ONNX has the steps outermost, as in PyTorch without `batch_first`.
    var y = graph.add("Transpose", x, attributes: ["perm": .integers([1, 0, 2])])
    var attributes: [String: ONNXAttribute] = ["hidden_size": .integer(hidden)]
    if cell == .gru { attributes["linear_before_reset"] = .integer(1) }
    for layer in weights {
      let biases = [layer.inputBias, layer.stateBias].compactMap { $0 }.map {
        graph.gates($0, of: cell)
      }
      let bias = graph.add("Concat", biases[0], biases[1], attributes: ["axis": .integer(0)])
      let operands = [
        graph.gates(layer.input, of: cell), graph.gates(layer.state, of: cell), bias,
      ].map { graph.add("Unsqueeze", $0, graph.integers([0]), rank: $0.rank + 1) }
      let states = graph.add(
        cell == .lstm ? "LSTM" : "GRU", y, operands[0], operands[1], operands[2], rank: 4,
        attributes: attributes)
      // From [T, directions, B, hidden].
      y = graph.add("Squeeze", states, graph.integers([1]), rank: 3)
    }
    return graph.add("Transpose", y, attributes: ["perm": .integers([1, 0, 2])])
  }
}

extension ONNXGraph {
  /// A weight or bias with its gates in the order of ONNX: input, output, forget, cell of an LSTM; update,
  /// reset, new of a GRU.
  fileprivate mutating func gates(_ weight: Tensor, of cell: RecurrentCell) -> ONNXValue {
    let parts = addSplit(self.weight(weight), parts: cell.gates, axis: 0)
    let attributes: [String: ONNXAttribute] = ["axis": .integer(0)]
    return cell == .lstm
      ? add("Concat", parts[0], parts[3], parts[1], parts[2], attributes: attributes)
      : add("Concat", parts[1], parts[0], parts[2], attributes: attributes)
  }
}
