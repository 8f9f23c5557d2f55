import NeuralNetworks
import TensorCore

extension Sequential: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) throws -> ONNXValue {
    try layers.reduce(x) { try exportable($1).onnx($0, in: &graph) }
  }

  func pytorch(in program: inout PythonProgram) throws -> String {
    "nn.Sequential(\n\(try arguments(in: &program)))"
  }

  /// The layers, one on a line.
  func arguments(in program: inout PythonProgram) throws -> String {
    try layers.map { layer in
      PythonProgram.indented(try exportable(layer).pytorch(in: &program)) + ",\n"
    }.joined()
  }
}

extension Residual: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) throws -> ONNXValue {
    graph.add("Add", x, try block.onnx(x, in: &graph))
  }

  func pytorch(in program: inout PythonProgram) throws -> String {
    program.add(
      """
      class Residual(nn.Module):
          \"""The sum of a block's input and output.\"""

          def __init__(self, *layers):
              super().__init__()
              self.block = nn.Sequential(*layers)

          def forward(self, x):
              return x + self.block(x)
      """)
    return "Residual(\n\(try block.arguments(in: &program)))"
  }
}

extension MultiHeadAttention: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) throws -> ONNXValue {
    try requireOwnHeads()
    let projected = graph.linear(x, weight: inputWeight, bias: inputBias)
    let attended = graph.selfAttention(
      projected, width: inputWeight.shape[1], heads: heads, causal: causal)
    return output.onnx(attended, in: &graph)
  }

  private func requireOwnHeads() throws {
    if keyValueHeads != heads {
      throw ExportError.unknownLayer("MultiHeadAttention with shared heads")
    }
  }

  func pytorch(in program: inout PythonProgram) throws -> String {
    try requireOwnHeads()
    program.add(
      """
      class SelfAttention(nn.MultiheadAttention):
          \"""Attention of a sequence to itself.\"""

          def __init__(self, width, heads, bias=True, causal=False, dropout=0.0):
              super().__init__(width, heads, dropout, bias=bias, batch_first=True)
              self.causal = causal

          def forward(self, x):
              mask = None
              if self.causal:
                  mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1])
              return super().forward(x, x, x, attn_mask=mask, need_weights=False)[0]
      """)
    return "SelfAttention(\(inputWeight.shape[1]), \(heads)"
      + (inputBias == nil ? ", bias=False" : "") + (causal ? ", causal=True" : "")
      + (dropout > 0 ? ", dropout=\(dropout)" : "") + ")"
  }
}

extension ONNXGraph {
  /// Attention of the heads of `[B, T, 3 width]`: queries, keys and values.
  mutating func selfAttention(
    _ x: ONNXValue, width: Int, heads: Int, causal: Bool
  ) -> ONNXValue {
    let parts = addSplit(x, parts: 3, axis: 2).map { part in
      self.heads(part, count: heads, width: width / heads)
    }
    return attention(
      parts[0], parts[1], parts[2], width: width / heads, heads: heads, maskOf: causal ? x : nil)
  }

  /// `[B, T, count width]` as `[B, count, T, width]`.
  mutating func heads(_ x: ONNXValue, count: Int, width: Int) -> ONNXValue {
    let split = add("Reshape", x, integers([0, 0, count, width]), rank: 4)
    return add("Transpose", split, attributes: ["perm": .integers([0, 2, 1, 3])])
  }

  /// Attention of queries, keys and values `[B, H, T, width]`, merged to `[B, T, H width]`; causal for the
  /// positions of a sequence, if there is one.
  mutating func attention(
    _ q: ONNXValue, _ k: ONNXValue, _ v: ONNXValue, width: Int, heads: Int,
    maskOf sequence: ONNXValue?
  ) -> ONNXValue {
    let keys = add("Transpose", k, attributes: ["perm": .integers([0, 1, 3, 2])])
    let scale = 1 / Double(width).squareRoot()
    var scores = add("Mul", add("MatMul", q, keys), numbers([Float(scale)]))
    if let sequence {
      scores = add("Where", mask(sequence), scores, numbers([-.infinity]), rank: 4)
    }
    let weights = add("Softmax", scores, attributes: ["axis": .integer(-1)])
    let merged = add(
      "Transpose", add("MatMul", weights, v), attributes: ["perm": .integers([0, 2, 1, 3])])
    return add("Reshape", merged, integers([0, 0, heads * width]), rank: 3)
  }

  /// The length of sequences `[B, T, ...]`.
  mutating func length(of x: ONNXValue) -> ONNXValue {
    add("Gather", add("Shape", x, rank: 1), integer(1), rank: 0)
  }

  /// Which positions see which, `[T, T]`: themselves and those before them.
  private mutating func mask(_ x: ONNXValue) -> ONNXValue {
    if let causalMask { return causalMask }
    let positions = add(
      "Range", integer(0), length(of: x), integer(1), rank: 1)
    let rows = add("Unsqueeze", positions, integers([1]), rank: 2)
    let mask = add("LessOrEqual", positions, rows, rank: 2)
    causalMask = mask
    return mask
  }
}
