// The models that are no lists of layers.
import NeuralNetworks
import TensorCore

extension VGG: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) throws -> ONNXValue {
    let features = try features.onnx(x, in: &graph)
    return try classifier.onnx(Flatten().onnx(features, in: &graph), in: &graph)
  }

  func pytorch(in program: inout PythonProgram) throws -> String {
    program.add(
      """
      class VGG(nn.Module):
          \"""Simonyan and Zisserman's network, with torchvision's names.\"""

          def __init__(self):
              super().__init__()
              self.features = \(try indented(features, in: &program))
              self.classifier = \(try indented(classifier, in: &program))

          def forward(self, x):
              return self.classifier(self.features(x).flatten(1))
      """)
    return "VGG()"
  }

  /// A list of layers in the method of a class.
  private func indented(_ layers: Sequential, in program: inout PythonProgram) throws -> String {
    String(try PythonProgram.indented(layers.pytorch(in: &program), by: 8).drop { $0 == " " })
  }
}

extension ResNet: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) throws -> ONNXValue {
    var x = try firstConvolution.onnx(x, in: &graph)
    x = graph.add("Relu", firstNormalization.onnx(x, in: &graph))
    if stem == .imageNet {
      x = MaxPool2d(3, stride: 2, padding: 1).onnx(x, in: &graph)
    }
    for stage in stages { x = try stage.onnx(x, in: &graph) }
    return output.onnx(graph.mean(x, axes: [2, 3]), in: &graph)
  }

  func pytorch(in program: inout PythonProgram) throws -> String {
    let stages = try stages.enumerated().map { index, stage in
      let blocks = try stage.pytorch(in: &program)
      let text = PythonProgram.indented(blocks, by: 8).drop { $0 == " " }
      return "        self.layer\(index + 1) = \(text)"
    }.joined(separator: "\n")
    let pool =
      stem == .imageNet ? "\n        x = F.max_pool2d(x, 3, stride=2, padding=1)" : ""
    program.add(
      """
      class ResNet(nn.Module):
          \"""He and others' network, with torchvision's names.\"""

          def __init__(self):
              super().__init__()
              self.conv1 = \(firstConvolution.pytorch(in: &program))
              self.bn1 = \(firstNormalization.pytorch(in: &program))
      \(stages)
              self.fc = \(output.pytorch(in: &program))

          def forward(self, x):
              x = F.relu(self.bn1(self.conv1(x)))\(pool)
              x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
              return self.fc(x.mean((2, 3)))
      """)
    return "ResNet()"
  }
}

extension ResidualBlock: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) throws -> ONNXValue {
    var y = x
    for (index, pair) in zip(convolutions, normalizations).enumerated() {
      y = try pair.1.onnx(pair.0.onnx(y, in: &graph), in: &graph)
      if index < convolutions.count - 1 { y = graph.add("Relu", y) }
    }
    let residual = try shortcut?.onnx(x, in: &graph) ?? x
    return graph.add("Relu", graph.add("Add", y, residual))
  }

  func pytorch(in program: inout PythonProgram) -> String {
    let last = convolutions.count
    var (parts, steps) = ("", "")
    for number in 1...last {
      let index = number - 1
      let shape = convolutions[index].weight.shape
      func name(_ width: Int, _ isFirst: Bool) -> String {
        isFirst ? "inputs" : width == outputs && number == last ? "outputs" : "width"
      }
      let (size, isStrided) = (shape[2], shape[2] == 3 && index == (last == 2 ? 0 : 1))
      let target = name(shape[0], false)
      parts += """

                self.conv\(number) = nn.Conv2d(\(name(shape[1], index == 0)), \(target), \(size)\
        \(isStrided ? ", stride=stride" : "")\(size == 3 ? ", padding=1" : ""), bias=False)
                self.bn\(number) = nn.BatchNorm2d(\(target))
        """
      steps +=
        number == last
        ? "\n        y = self.bn\(number)(self.conv\(number)(y))"
        : "\n        y = F.relu(self.bn\(number)(self.conv\(number)(\(index == 0 ? "x" : "y"))))"
    }
    program.add(
      """
      class Block(nn.Module):
          \"""\(last == 2 ? "Two" : "Three") convolutions with a residual connection.\"""

          def __init__(self, inputs, width, outputs, stride=1):
              super().__init__()\(parts)
              self.downsample = None
              if stride > 1 or inputs != outputs:
                  self.downsample = nn.Sequential(
                      nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False),
                      nn.BatchNorm2d(outputs),
                  )

          def forward(self, x):\(steps)
              return F.relu(y + (x if self.downsample is None else self.downsample(x)))
      """)
    let stride = convolutions.map(\.stride.height).max()!
    let (inputs, width) = (convolutions[0].weight.shape[1], convolutions[0].weight.shape[0])
    return "Block(\(inputs), \(width), \(outputs)\(stride == 1 ? "" : ", stride=\(stride)"))"
  }
}

extension GPT: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) throws -> ONNXValue {
    let length = graph.add("Unsqueeze", graph.length(of: x), graph.integers([0]), rank: 1)
    let positions = graph.add(
      "Slice", graph.weight(positions.weight), graph.integers([0]), length, graph.integers([0]))
    var y = graph.add("Add", tokens.onnx(x, in: &graph), positions)
    for block in blocks { y = block.onnx(y, in: &graph) }
    return graph.linear(
      normalization.onnx(y, in: &graph), weight: tokens.weight, bias: nil)
  }

  func pytorch(in program: inout PythonProgram) -> String {
    program.add(
      """
      class Projection(nn.Module):
          \"""A linear layer whose weight is [inputs, outputs], as in GPT-2.\"""

          def __init__(self, inputs, outputs):
              super().__init__()
              self.weight = nn.Parameter(torch.empty(inputs, outputs))
              self.bias = nn.Parameter(torch.empty(outputs))

          def forward(self, x):
              return x @ self.weight + self.bias


      class Attention(nn.Module):
          \"""Causal self-attention.\"""

          def __init__(self, width, heads):
              super().__init__()
              self.heads = heads
              self.c_attn = Projection(width, 3 * width)
              self.c_proj = Projection(width, width)

          def forward(self, x):
              q, k, v = (
                  part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
                  for part in self.c_attn(x).chunk(3, dim=-1)
              )
              y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
              return self.c_proj(y.transpose(1, 2).flatten(2))


      class MLP(nn.Module):
          def __init__(self, width):
              super().__init__()
              self.c_fc = Projection(width, 4 * width)
              self.c_proj = Projection(4 * width, width)

          def forward(self, x):
              return self.c_proj(F.gelu(self.c_fc(x), approximate="tanh"))


      class Block(nn.Module):
          \"""Attention and an MLP, each with a residual connection.\"""

          def __init__(self, width, heads, dropout):
              super().__init__()
              self.ln_1 = nn.LayerNorm(width)
              self.attn = Attention(width, heads)
              self.ln_2 = nn.LayerNorm(width)
              self.mlp = MLP(width)
              self.dropout = nn.Dropout(dropout)

          def forward(self, x):
              x = x + self.dropout(self.attn(self.ln_1(x)))
              return x + self.dropout(self.mlp(self.ln_2(x)))


      class GPT(nn.Module):
          \"""GPT-2, with Hugging Face's names: logits [B, T, vocabulary] for tokens [B, T].\"""

          def __init__(self, vocabulary, context, blocks, heads, width, dropout=0.0):
              super().__init__()
              self.wte = nn.Embedding(vocabulary, width)
              self.wpe = nn.Embedding(context, width)
              self.dropout = nn.Dropout(dropout)
              self.h = nn.ModuleList(Block(width, heads, dropout) for _ in range(blocks))
              self.ln_f = nn.LayerNorm(width)

          def forward(self, tokens):
              positions = torch.arange(tokens.shape[1], device=tokens.device)
              x = self.dropout(self.wte(tokens) + self.wpe(positions))
              for block in self.h:
                  x = block(x)
              return F.linear(self.ln_f(x), self.wte.weight)
      """)
    let dropout = options.dropout > 0 ? ", dropout=\(options.dropout)" : ""
    return
      "GPT(\(options.vocabulary), context=\(options.context), blocks=\(options.layers), "
      + "heads=\(options.heads), width=\(options.width)\(dropout))"
  }
}

extension TransformerBlock {
  fileprivate func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue {
    let projected = queriesKeysValues.onnx(normalizations.0.onnx(x, in: &graph), in: &graph)
    let attended = graph.selfAttention(
      projected, width: options.width, heads: options.heads, causal: true)
    let sum = graph.add("Add", x, merge.onnx(attended, in: &graph))
    let expanded = expansion.onnx(normalizations.1.onnx(sum, in: &graph), in: &graph)
    return graph.add("Add", sum, contraction.onnx(graph.gelu(expanded, .tanh), in: &graph))
  }
}

extension Projection {
  fileprivate func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue {
    graph.add("Add", graph.add("MatMul", x, graph.weight(weight)), graph.weight(bias))
  }
}
