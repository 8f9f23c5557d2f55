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

extension RecurrentLayers {
  /// The outputs `[B, T, hidden]` of LSTM layers in one direction.
  fileprivate func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue {
    // ONNX has the steps outermost, as an LSTM without `batch_first`.
    var y = graph.add("Transpose", x, attributes: ["perm": .integers([1, 0, 2])])
    for layer in weights {
      var biases: [ONNXValue] = []
      if let inputBias = layer.inputBias, let stateBias = layer.stateBias {
        let (a, b) = (graph.gates(inputBias), graph.gates(stateBias))
        let both = graph.add("Concat", a, b, attributes: ["axis": .integer(0)])
        biases = [graph.add("Unsqueeze", both, graph.integers([0]), rank: 2)]
      }
      let inputs = [layer.input, layer.state].map { weight in
        graph.add("Unsqueeze", graph.gates(weight), graph.integers([0]), rank: 3)
      }
      let attributes: [String: ONNXAttribute] = ["hidden_size": .integer(hidden)]
      let states =
        biases.isEmpty
        ? graph.add("LSTM", y, inputs[0], inputs[1], rank: 4, attributes: attributes)
        : graph.add("LSTM", y, inputs[0], inputs[1], biases[0], rank: 4, attributes: attributes)
      // [T, directions, B, hidden]
      y = graph.add("Squeeze", states, graph.integers([1]), rank: 3)
    }
    return graph.add("Transpose", y, attributes: ["perm": .integers([1, 0, 2])])
  }
}

extension ONNXGraph {
  /// A weight of an LSTM with the gates in the order of ONNX: input, output, forget, cell.
  fileprivate mutating func gates(_ weight: Tensor) -> ONNXValue {
    let parts = addSplit(self.weight(weight), parts: 4, axis: 0)
    return add(
      "Concat", parts[0], parts[3], parts[1], parts[2], attributes: ["axis": .integer(0)])
  }
}
