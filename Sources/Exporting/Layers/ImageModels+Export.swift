// MobileNet and U-Net.
import NeuralNetworks
import TensorCore

extension MobileNetV2: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) throws -> ONNXValue {
    let features = try features.onnx(x, in: &graph)
    return try classifier.onnx(graph.mean(features, axes: [2, 3]), in: &graph)
  }

  func pytorch(in program: inout PythonProgram) throws -> String {
    program.add(
      """
      def convolution(inputs, outputs, size, stride=1, groups=1):
          \"""A convolution, batch normalization and ReLU6.\"""
          return nn.Sequential(
              nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False),
              nn.BatchNorm2d(outputs),
              nn.ReLU6(),
          )
      """)
    let features = try features.pytorch(in: &program)
    let last = try classifier.pytorch(in: &program)
    func indented(_ text: String) -> String {
      String(PythonProgram.indented(text, by: 8).drop { $0 == " " })
    }
    program.add(
      """
      class MobileNetV2(nn.Module):
          \"""Sandler and others' network, with torchvision's names.\"""

          def __init__(self):
              super().__init__()
              self.features = \(indented(features))
              self.classifier = \(indented(last))

          def forward(self, x):
              return self.classifier(self.features(x).mean((2, 3)))
      """)
    return "MobileNetV2()"
  }
}

extension NormalizedConvolution: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) throws -> ONNXValue {
    let y = try normalization.onnx(convolution.onnx(x, in: &graph), in: &graph)
    return graph.add("Clip", y, graph.numbers([0]), graph.numbers([6]))
  }

  func pytorch(in program: inout PythonProgram) -> String {
    let (shape, groups) = (convolution.weight.shape, convolution.groups)
    let stride = convolution.stride.height
    return "convolution(\(shape[1] * groups), \(shape[0]), \(shape[2])"
      + (stride == 1 ? "" : ", stride=\(stride)") + (groups == 1 ? "" : ", groups=\(groups)") + ")"
  }
}

extension InvertedResidual: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) throws -> ONNXValue {
    var y = x
    for convolution in convolutions { y = try convolution.onnx(y, in: &graph) }
    y = try normalization.onnx(projection.onnx(y, in: &graph), in: &graph)
    return isResidual ? graph.add("Add", x, y) : y
  }

  func pytorch(in program: inout PythonProgram) -> String {
    program.add(
      """
      class InvertedResidual(nn.Module):
          \"""Widens, convolves each channel by itself, and narrows.\"""

          def __init__(self, inputs, outputs, stride, expansion):
              super().__init__()
              hidden = inputs * expansion
              layers = [convolution(inputs, hidden, 1)] if expansion > 1 else []
              self.conv = nn.Sequential(
                  *layers,
                  convolution(hidden, hidden, 3, stride, groups=hidden),
                  nn.Conv2d(hidden, outputs, 1, bias=False),
                  nn.BatchNorm2d(outputs),
              )
              self.is_residual = stride == 1 and inputs == outputs

          def forward(self, x):
              return x + self.conv(x) if self.is_residual else self.conv(x)
      """)
    let (hidden, outputs) = (projection.weight.shape[1], projection.weight.shape[0])
    let inputs = convolutions.count == 1 ? hidden : convolutions[0].convolution.weight.shape[1]
    let stride = convolutions.last!.convolution.stride.height
    return "InvertedResidual(\(inputs), \(outputs), \(stride), \(hidden / inputs))"
  }
}

extension UNet: ExportableLayer {
  func onnx(_ x: ONNXValue, in graph: inout ONNXGraph) throws -> ONNXValue {
    var sizes = [try first.layers.onnx(x, in: &graph)]
    for step in down {
      sizes.append(try step.layers.onnx(MaxPool2d(2).onnx(sizes.last!, in: &graph), in: &graph))
    }
    var y = sizes.removeLast()
    for step in up {
      let both = graph.add(
        "Concat", sizes.removeLast(), step.enlargement.onnx(y, in: &graph),
        attributes: ["axis": .integer(1)])
      y = try step.layers.layers.onnx(both, in: &graph)
    }
    return try output.onnx(y, in: &graph)
  }

  func pytorch(in program: inout PythonProgram) throws -> String {
    program.add(
      """
      class DoubleConv(nn.Module):
          \"""Twice a convolution, batch normalization and ReLU.\"""

          def __init__(self, inputs, outputs):
              super().__init__()
              layers = []
              for width in (inputs, outputs):
                  layers += [
                      nn.Conv2d(width, outputs, 3, padding=1, bias=False),
                      nn.BatchNorm2d(outputs),
                      nn.ReLU(),
                  ]
              self.double_conv = nn.Sequential(*layers)

          def forward(self, x):
              return self.double_conv(x)


      class Down(nn.Module):
          def __init__(self, inputs):
              super().__init__()
              self.maxpool_conv = nn.Sequential(nn.MaxPool2d(2), DoubleConv(inputs, 2 * inputs))

          def forward(self, x):
              return self.maxpool_conv(x)


      class Up(nn.Module):
          def __init__(self, outputs):
              super().__init__()
              self.up = nn.ConvTranspose2d(2 * outputs, outputs, 2, stride=2)
              self.conv = DoubleConv(2 * outputs, outputs)

          def forward(self, x, seen):
              return self.conv(torch.cat([seen, self.up(x)], dim=1))


      class UNet(nn.Module):
          \"""Ronneberger and others' network, with the names of Pytorch-UNet.\"""

          def __init__(self, channels, outputs, features, depth):
              super().__init__()
              self.depth = depth
              self.inc = DoubleConv(channels, features)
              for i in range(depth):
                  self.add_module(f"down{i + 1}", Down(features << i))
              for i in range(depth):
                  self.add_module(f"up{i + 1}", Up(features << (depth - 1 - i)))
              self.outc = nn.ModuleDict({"conv": nn.Conv2d(features, outputs, 1)})

          def forward(self, x):
              sizes = [self.inc(x)]
              for i in range(self.depth):
                  sizes.append(getattr(self, f"down{i + 1}")(sizes[-1]))
              y = sizes.pop()
              for i in range(self.depth):
                  y = getattr(self, f"up{i + 1}")(y, sizes.pop())
              return self.outc["conv"](y)
      """)
    let channels = first.layers.parameters[0].shape[1]
    let (outputs, features) = (output.weight.shape[0], output.weight.shape[1])
    return "UNet(\(channels), \(outputs), features=\(features), depth=\(down.count))"
  }
}
