import Base
import NeuralNetworks
import TensorCore
import Testing
import Training

import Exporting

@Suite("Layers of sequences and volumes in other languages") struct WindowLayersTests {
  private func program(_ layers: [any Layer]) throws -> [String] {
    var signature = try NamedModel(ModelKind.all[0]).signature
    signature.objective = .meanSquaredError
    let text = try PyTorchModel(Sequential(layers), signature, source: "A model").text
    return text.split(separator: "\n").map { $0.trimmingPrefix { $0 == " " } }
      .filter { $0.hasPrefix("nn.") && $0.hasSuffix("),") }.map { String($0.dropLast()) }
  }

  @Test("in PyTorch, without arguments that have their defaults")
  func pytorch() throws {
    #expect(
      try program([
        Conv1d(3, 4, kernel: 3), Conv1d(4, 4, kernel: 2, padding: .same, groups: 2),
        Conv1d(4, 4, kernel: 3, stride: 2, padding: 1, dilation: 3, bias: false),
        ConvTranspose1d(4, 6, kernel: 3, stride: 2, outputPadding: 1, groups: 2),
        Conv3d(3, 4, kernel: [1, 2, 3], padding: [0, 1, 1]),
        Conv3d(3, 4, kernel: 2, padding: .same),
        ConvTranspose3d(4, 3, kernel: 2, stride: 2), Conv2d(3, 4, kernel: 2, padding: .same),
        Conv2d(3, 4, kernel: 3, padding: .same),
        MaxPool1d(2), MaxPool3d([1, 2, 2], stride: 2, ceilMode: true),
        AvgPool1d(3, stride: 1, countIncludePad: false), AvgPool3d(2, padding: 1),
        AdaptiveAvgPool1d(4), AdaptiveAvgPool3d([1, 2, 3]), AdaptiveMaxPool2d(1),
        BatchNorm3d(3), SyncBatchNorm(3, momentum: 0.5),
        InstanceNorm2d(3, affine: true), LocalResponseNorm(5),
        Conv1d(3, 4, kernel: 3, padding: 1, paddingMode: .reflect),
        Conv2d(3, 4, kernel: 2, padding: .same, paddingMode: .circular),
      ]) == [
        "nn.Conv1d(3, 4, 3)", "nn.Conv1d(4, 4, 2, padding='same', groups=2)",
        "nn.Conv1d(4, 4, 3, stride=2, padding=1, dilation=3, bias=False)",
        "nn.ConvTranspose1d(4, 6, 3, stride=2, output_padding=1, groups=2)",
        "nn.Conv3d(3, 4, (1, 2, 3), padding=(0, 1, 1))", "nn.Conv3d(3, 4, 2, padding='same')",
        "nn.ConvTranspose3d(4, 3, 2, stride=2)", "nn.Conv2d(3, 4, 2, padding='same')",
        "nn.Conv2d(3, 4, 3, padding=1)",
        "nn.MaxPool1d(2)", "nn.MaxPool3d((1, 2, 2), stride=2, ceil_mode=True)",
        "nn.AvgPool1d(3, stride=1, count_include_pad=False)", "nn.AvgPool3d(2, padding=1)",
        "nn.AdaptiveAvgPool1d(4)", "nn.AdaptiveAvgPool3d((1, 2, 3))", "nn.AdaptiveMaxPool2d(1)",
        "nn.BatchNorm3d(3)", "nn.SyncBatchNorm(3, momentum=0.5)",
        "nn.InstanceNorm2d(3, affine=True)",
        "nn.LocalResponseNorm(5, alpha=0.0001, beta=0.75, k=1.0)",
        "nn.Conv1d(3, 4, 3, padding=1, padding_mode='reflect')",
        "nn.Conv2d(3, 4, 2, padding='same', padding_mode='circular')",
      ])
  }

  @Test("in ONNX, with the padding at the end of an even kernel")
  func onnx() throws {
    let layer = Sequential(
      Conv1d(3, 4, kernel: 4, padding: .same), MaxPool1d(2), ConvTranspose1d(4, 2, kernel: 3),
      AvgPool1d(2), AdaptiveAvgPool1d(1))
    var graph = ONNXGraph(layer)
    let x = graph.addInput("x", .float, [.any("n"), .fixed(3), .fixed(8)])
    let y = try graph.add(layer, to: x)
    #expect(y.rank == 3)
    let bytes = graph.message(name: "g").bytes
    let pads = Array("pads".utf8) + [8 << 3, 1, 8 << 3, 2]
    #expect(bytes.indices.dropLast(pads.count).contains { bytes[$0...].starts(with: pads) })
    for operation in ["Conv", "MaxPool", "ConvTranspose", "AveragePool", "GlobalAveragePool"] {
      let name = Array(operation.utf8)
      #expect(bytes.indices.contains { bytes[$0...].starts(with: name) }, "\(operation)")
    }
    #expect(throws: ExportError.unknownLayer("Conv1d with the padding 'reflect'")) {
      _ = try graph.add(Conv1d(3, 4, kernel: 3, padding: 1, paddingMode: .reflect), to: x)
    }
  }
}
