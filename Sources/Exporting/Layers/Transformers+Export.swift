// Llama, the vision transformer, and what they have in common.
import NeuralNetworks
import TensorCore

extension RMSNorm: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) throws -> ONNXValue {
    let axes = Array(-normalizedShape.count..<0)
    let squares = graph.add(
      "ReduceMean", graph.add("Mul", x, x),
      attributes: ["axes": .integers(axes), "keepdims": .integer(1)])
    let epsilon = graph.numbers([Float(epsilon ?? Double(Float.ulpOfOne))])
    let y = graph.add("Div", x, graph.add("Sqrt", graph.add("Add", squares, epsilon)))
    return weight.map { graph.add("Mul", y, graph.weight($0)) } ?? y
  }

  func pytorch(in program: inout PythonProgram) -> String {
    let sizes = normalizedShape.array.map(String.init).joined(separator: ", ")
    return "nn.RMSNorm([\(sizes)]" + (epsilon.map { ", eps=\($0)" } ?? "")
      + (weight == nil ? ", elementwise_affine=False" : "") + ")"
  }
}

extension Llama: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) throws -> ONNXValue {
    let length = graph.add("Unsqueeze", graph.length(of: x), graph.integers([0]), rank: 1)
    let tables = blocks.first?.rotary.tables(upTo: options.context)
    var y = tokens.onnx(x, in: &graph)
    if let tables {
      func rows(_ table: Tensor) -> ONNXValue {
        let used = table[0..<options.context]
        let values = graph.numbers(used.array(), shape: used.shape.array)
        return graph.add("Slice", values, graph.integers([0]), length, graph.integers([0]))
      }
      let angles = (rows(tables.cos), rows(tables.sin))
      for block in blocks { y = try block.onnx(y, angles, in: &graph) }
    }
    return graph.linear(
      try normalization.onnx(y, in: &graph), weight: head?.weight ?? tokens.weight, bias: nil)
  }

  func pytorch(in program: inout PythonProgram) throws -> String {
    if options.ropeScaling != nil {
      throw ExportError.unknownLayer("Llama with stretched frequencies")
    }
    program.add(
      """
      class Attention(nn.Module):
          \"""Causal self-attention with rotary positions and shared heads of keys and values.\"""

          def __init__(self, width, heads, key_value_heads, base):
              super().__init__()
              self.size, self.base = width // heads, base
              self.q_proj = nn.Linear(width, width, bias=False)
              self.k_proj = nn.Linear(width, key_value_heads * self.size, bias=False)
              self.v_proj = nn.Linear(width, key_value_heads * self.size, bias=False)
              self.o_proj = nn.Linear(width, width, bias=False)

          def rotated(self, x):
              steps = torch.arange(0, self.size, 2, device=x.device) / self.size
              positions = torch.arange(x.shape[2], device=x.device)
              angles = torch.outer(positions, self.base**-steps)
              a, b = x.chunk(2, dim=-1)
              cos, sin = angles.cos(), angles.sin()
              return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)

          def forward(self, x):
              q, k, v = (
                  layer(x).unflatten(-1, (-1, self.size)).transpose(1, 2)
                  for layer in (self.q_proj, self.k_proj, self.v_proj)
              )
              y = F.scaled_dot_product_attention(
                  self.rotated(q), self.rotated(k), v, is_causal=True, enable_gqa=True
              )
              return self.o_proj(y.transpose(1, 2).flatten(2))


      class MLP(nn.Module):
          def __init__(self, width, hidden):
              super().__init__()
              self.gate_proj = nn.Linear(width, hidden, bias=False)
              self.up_proj = nn.Linear(width, hidden, bias=False)
              self.down_proj = nn.Linear(hidden, width, bias=False)

          def forward(self, x):
              return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


      class Block(nn.Module):
          \"""Attention and an MLP, each with a residual connection.\"""

          def __init__(self, width, heads, key_value_heads, hidden, base, eps, dropout):
              super().__init__()
              self.self_attn = Attention(width, heads, key_value_heads, base)
              self.mlp = MLP(width, hidden)
              self.input_layernorm = nn.RMSNorm(width, eps=eps)
              self.post_attention_layernorm = nn.RMSNorm(width, eps=eps)
              self.dropout = nn.Dropout(dropout)

          def forward(self, x):
              x = x + self.dropout(self.self_attn(self.input_layernorm(x)))
              return x + self.dropout(self.mlp(self.post_attention_layernorm(x)))


      class Llama(nn.Module):
          \"""Llama, with Hugging Face's names: logits [B, T, vocabulary] for tokens [B, T].\"""

          def __init__(
              self, vocabulary, blocks, heads, key_value_heads, width, hidden, base=10000.0,
              eps=1e-6, tied=False, dropout=0.0
          ):
              super().__init__()
              self.model = nn.ModuleDict({
                  "embed_tokens": nn.Embedding(vocabulary, width),
                  "layers": nn.ModuleList(
                      Block(width, heads, key_value_heads, hidden, base, eps, dropout)
                      for _ in range(blocks)
                  ),
                  "norm": nn.RMSNorm(width, eps=eps),
              })
              self.dropout = nn.Dropout(dropout)
              if not tied:
                  self.lm_head = nn.Linear(width, vocabulary, bias=False)

          def forward(self, tokens):
              x = self.dropout(self.model["embed_tokens"](tokens))
              for block in self.model["layers"]:
                  x = block(x)
              head = getattr(self, "lm_head", self.model["embed_tokens"])
              return F.linear(self.model["norm"](x), head.weight)
      """)
    let base = options.ropeBase == 10000 ? "" : ", base=\(options.ropeBase)"
    let dropout = options.dropout > 0 ? ", dropout=\(options.dropout)" : ""
    return
      "Llama(\(options.vocabulary), blocks=\(options.layers), heads=\(options.heads), "
      + "key_value_heads=\(options.keyValueHeads), width=\(options.width), hidden=\(options.hidden)"
      + "\(base)\(options.epsilon == 1e-6 ? "" : ", eps=\(options.epsilon)")"
      + "\(options.tiedHead ? ", tied=True" : "")\(dropout))"
  }
}

extension LlamaBlock {
  fileprivate func onnx(
    _ x: ONNXValue, _ angles: (cos: ONNXValue, sin: ONNXValue), in graph: inout ONNXGraph
  ) throws -> ONNXValue {
    let normalized = try normalizations.0.onnx(x, in: &graph)
    let width = options.width / options.heads
    func heads(_ layer: Linear, _ count: Int) -> ONNXValue {
      graph.heads(layer.onnx(normalized, in: &graph), count: count, width: width)
    }
    let q = graph.rotated(heads(queries, options.heads), angles, width: width)
    var k = graph.rotated(heads(keys, options.keyValueHeads), angles, width: width)
    var v = heads(values, options.keyValueHeads)
    if options.keyValueHeads < options.heads {
      k = graph.repeatedHeads(k, to: options.heads, of: options.keyValueHeads)
      v = graph.repeatedHeads(v, to: options.heads, of: options.keyValueHeads)
    }
    let attended = graph.attention(q, k, v, width: width, heads: options.heads, maskOf: x)
    let sum = graph.add("Add", x, merge.onnx(attended, in: &graph))
    let y = try normalizations.1.onnx(sum, in: &graph)
    let opened = SiLU().onnx(gate.onnx(y, in: &graph), in: &graph)
    let network = down.onnx(graph.add("Mul", opened, up.onnx(y, in: &graph)), in: &graph)
    return graph.add("Add", sum, network)
  }
}

extension ONNXGraph {
  /// `[B, H, T, width]` with its halves turned by angles `[T, width / 2]`.
  fileprivate mutating func rotated(
    _ x: ONNXValue, _ angles: (cos: ONNXValue, sin: ONNXValue), width: Int
  ) -> ONNXValue {
    func half(_ range: Range<Int>, _ graph: inout ONNXGraph) -> ONNXValue {
      graph.add(
        "Slice", x, graph.integers([range.lowerBound]), graph.integers([range.upperBound]),
        graph.integers([3]))
    }
    let (a, b) = (half(0..<width / 2, &self), half(width / 2..<width, &self))
    let first = add("Sub", add("Mul", a, angles.cos), add("Mul", b, angles.sin))
    let second = add("Add", add("Mul", b, angles.cos), add("Mul", a, angles.sin))
    return add("Concat", first, second, attributes: ["axis": .integer(3)])
  }

  /// `[B, K, T, D]` with each head repeated, `[B, H, T, D]`.
  fileprivate mutating func repeatedHeads(_ x: ONNXValue, to heads: Int, of keyHeads: Int)
    -> ONNXValue
  {
    let group = add("Unsqueeze", x, integers([2]), rank: 5)
    let wide = add("Expand", group, integers([1, 1, heads / keyHeads, 1, 1]))
    let shape = add(
      "Concat", add("Slice", add("Shape", x, rank: 1), integers([0]), integers([1])),
      integers([heads]), add("Slice", add("Shape", x, rank: 1), integers([2]), integers([4])),
      attributes: ["axis": .integer(0)])
    return add("Reshape", wide, shape, rank: 4)
  }
}

extension VisionTransformer: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) throws -> ONNXValue {
    let embedded = graph.add(
      "Transpose",
      graph.add(
        "Reshape", try patches.onnx(x, in: &graph), graph.integers([0, 0, -1]), rank: 3),
      attributes: ["perm": .integers([0, 2, 1])])
    let batch = graph.add(
      "Slice", graph.add("Shape", x, rank: 1), graph.integers([0]), graph.integers([1]))
    let shape = graph.add(
      "Concat", batch, graph.integers([1, options.width]), attributes: ["axis": .integer(0)])
    let token = graph.add("Expand", graph.weight(classToken), shape)
    var y = graph.add("Concat", token, embedded, attributes: ["axis": .integer(1)])
    y = graph.add("Add", y, graph.weight(positions))
    for block in blocks { y = try block.onnx(y, in: &graph) }
    let first = graph.add("Gather", y, graph.integer(0), rank: 2, attributes: ["axis": .integer(1)])
    return output.onnx(normalization.onnx(first, in: &graph), in: &graph)
  }

  func pytorch(in program: inout PythonProgram) throws -> String {
    program.add(
      """
      class Block(nn.Module):
          \"""Attention and an MLP, each with a residual connection.\"""

          def __init__(self, width, heads, hidden, dropout):
              super().__init__()
              self.ln_1 = nn.LayerNorm(width, eps=1e-6)
              self.self_attention = nn.MultiheadAttention(width, heads, batch_first=True)
              self.dropout = nn.Dropout(dropout)
              self.ln_2 = nn.LayerNorm(width, eps=1e-6)
              self.mlp = nn.Sequential(
                  nn.Linear(width, hidden),
                  nn.GELU(),
                  nn.Dropout(dropout),
                  nn.Linear(hidden, width),
                  nn.Dropout(dropout),
              )

          def forward(self, x):
              y = self.ln_1(x)
              x = x + self.dropout(self.self_attention(y, y, y, need_weights=False)[0])
              return x + self.mlp(self.ln_2(x))


      class Encoder(nn.Module):
          def __init__(self, length, blocks, width, heads, hidden, dropout):
              super().__init__()
              self.pos_embedding = nn.Parameter(torch.empty(1, length, width))
              self.dropout = nn.Dropout(dropout)
              self.layers = nn.Sequential()
              for i in range(blocks):
                  block = Block(width, heads, hidden, dropout)
                  self.layers.add_module(f"encoder_layer_{i}", block)
              self.ln = nn.LayerNorm(width, eps=1e-6)

          def forward(self, x):
              return self.ln(self.layers(self.dropout(x + self.pos_embedding)))


      class VisionTransformer(nn.Module):
          \"""Dosovitskiy and others' network, with torchvision's names.\"""

          def __init__(
              self, size, patch, channels, classes, blocks, heads, width, hidden, dropout=0.0
          ):
              super().__init__()
              self.class_token = nn.Parameter(torch.empty(1, 1, width))
              self.conv_proj = nn.Conv2d(channels, width, patch, stride=patch)
              length = (size // patch) ** 2 + 1
              self.encoder = Encoder(length, blocks, width, heads, hidden, dropout)
              self.heads = nn.ModuleDict({"head": nn.Linear(width, classes)})

          def forward(self, x):
              x = self.conv_proj(x).flatten(2).transpose(1, 2)
              x = torch.cat([self.class_token.expand(len(x), -1, -1), x], dim=1)
              return self.heads["head"](self.encoder(x)[:, 0])
      """)
    let dropout = options.dropout > 0 ? ", dropout=\(options.dropout)" : ""
    return
      "VisionTransformer(\(options.size), \(options.patch), \(options.channels), "
      + "\(options.classes), blocks=\(options.layers), heads=\(options.heads),"
      + " width=\(options.width), hidden=\(options.hidden)\(dropout))"
  }
}

extension VisionBlock {
  fileprivate func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) throws -> ONNXValue {
    let attended = try attention.onnx(normalizations.0.onnx(x, in: &graph), in: &graph)
    let sum = graph.add("Add", x, attended)
    return graph.add("Add", sum, try mlp.onnx(normalizations.1.onnx(sum, in: &graph), in: &graph))
  }
}
