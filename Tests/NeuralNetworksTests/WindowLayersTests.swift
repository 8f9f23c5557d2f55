import Foundation
import NeuralNetworks
import TensorCore
import TestSupport
import Testing

/// An axis of size one behind the channels.
private struct Unsqueeze: Layer {
  func callAsFunction(_ x: Tensor) -> Tensor { x.unsqueezed(axis: 2) }
}

@Suite("Layers of sequences and volumes") struct WindowLayersTests {
  private static let networks = ["sequence", "volume", "image", "channels", "modes"]

  private func network(_ name: String) -> any Layer {
    switch name {
    case "sequence":
      Sequential(
        Conv1d(3, 4, kernel: 3, padding: 1), ReLU(), MaxPool1d(2),
        ConvTranspose1d(4, 2, kernel: 2, stride: 2), InstanceNorm1d(2, affine: true),
        AvgPool1d(2, padding: 1, countIncludePad: false),
        Conv1d(2, 3, kernel: 4, padding: .same), AdaptiveMaxPool1d(3), AdaptiveAvgPool1d(2))
    case "volume":
      Sequential(
        Conv3d(2, 3, kernel: 2, padding: .same), BatchNorm3d(3), MaxPool3d(2, padding: 1),
        ConvTranspose3d(3, 2, kernel: [2, 1, 2], stride: 2, bias: false), InstanceNorm3d(2),
        AvgPool3d([1, 2, 2], stride: 1), AdaptiveMaxPool3d([3, 2, 2]),
        AdaptiveAvgPool3d([1, 2, 1]))
    case "image":
      Sequential(
        Conv2d(2, 4, kernel: [2, 3], padding: .same, dilation: [3, 1]),
        LocalResponseNorm(3, alpha: 0.5), InstanceNorm2d(4, epsilon: 1e-3, affine: true),
        AdaptiveMaxPool2d([3, 4]), Unfold(kernel: 2, stride: [2, 1], padding: [1, 0]),
        Fold([3, 4], kernel: 2, stride: [2, 1], padding: [1, 0]))
    case "modes":
      Sequential(
        Conv1d(2, 3, kernel: 3, stride: 2, padding: 2, paddingMode: .reflect), Tanh(),
        Conv1d(3, 3, kernel: 4, padding: .same, paddingMode: .circular), Unsqueeze(),
        Conv2d(3, 2, kernel: [1, 3], padding: [0, 1], paddingMode: .replicate), Unsqueeze(),
        Conv3d(2, 2, kernel: [1, 1, 2], padding: .same, paddingMode: .reflect))
    default: LocalResponseNorm(4, alpha: 0.3, beta: 0.5, k: 2)
    }
  }

  @Test("networks of these layers equal PyTorch's, with names and gradients", arguments: networks)
  func golden(_ name: String) throws {
    let goldens = try Goldens("window_layers", in: .module)
    let model = try loaded(network(name), goldens, name)
    let x = try goldens["\(name)/x"].tensor()
    x.requiresGrad = true
    let output = model(x)
    output.backward(gradient: try goldens["\(name)/output.grad"].tensor())
    func expect(_ tensor: Tensor?, _ part: String) throws {
      let mismatch = try goldens["\(name)/\(part)"].mismatch(
        tensor, tolerance: 1e-5, relativeTo: .largest)
      #expect(mismatch == nil, "\(name), \(part)")
    }
    try expect(output, "output")
    try expect(x.grad, "x.grad")
    for (parameter, value) in model.namedParameters() {
      // A shift before a normalization changes nothing: its gradient is rounding alone.
      let largest = try goldens["\(name)/gradient/\(parameter)"].values.map(abs).max()!
      if largest > 1e-5 { try expect(value.grad, "gradient/\(parameter)") }
    }
    let states = goldens.names.filter { $0.hasPrefix("\(name)/state/") }
    #expect(states.count == model.namedParameters().count)
  }

  @Test("every golden is compared")
  func complete() throws {
    let cases = try Goldens("window_layers", in: .module).cases
    #expect(cases == Set(Self.networks + ["tracked"]))
  }

  @Test("instance normalization tracks statistics as PyTorch")
  func tracked() throws {
    let goldens = try Goldens("window_layers", in: .module)
    let layer = InstanceNorm1d(3, momentum: 0.25, trackRunningStatistics: true)
    let x = try goldens["tracked/x"].tensor()
    func expect(_ tensor: Tensor?, _ part: String) throws {
      let mismatch = try goldens["tracked/\(part)"].mismatch(
        tensor, tolerance: 2e-6, relativeTo: .largest)
      #expect(mismatch == nil, "\(part)")
    }
    try expect(.stacked((0..<3).map { layer(x[$0]) }), "output")
    let buffers = layer.namedBuffers()
    #expect(buffers.map(\.name) == ["running_mean", "running_var"])
    try expect(buffers[0].buffer, "running_mean")
    try expect(buffers[1].buffer, "running_var")
    try expect(withEvaluation { layer(x[0]) }, "evaluated")
    #expect(layer.parameters.isEmpty)
    #expect(InstanceNorm2d(3).stateDictionary().isEmpty)
  }

  @Test("shapes and initial values are PyTorch's")
  func shapes() {
    let sequence = Tensor.ones([5, 3, 50])
    #expect(Conv1d(3, 7, kernel: 3)(sequence).shape == [5, 7, 48])
    #expect(Conv1d(3, 7, kernel: 4, padding: .same)(sequence).shape == [5, 7, 50])
    #expect(Conv1d(3, 7, kernel: 5, stride: 2, padding: .valid)(sequence).shape == [5, 7, 23])
    #expect(Conv1d(3, 7, kernel: 3)(sequence[0]).shape == [7, 48])
    #expect(ConvTranspose1d(3, 7, kernel: 2, stride: 2)(sequence).shape == [5, 7, 100])
    #expect(MaxPool1d(2)(sequence[0]).shape == [3, 25])
    #expect(InstanceNorm1d(3)(sequence[0]).shape == [3, 50])
    let volume = Tensor.ones([2, 3, 8, 9, 10])
    #expect(Conv3d(3, 4, kernel: [1, 2, 3])(volume).shape == [2, 4, 8, 8, 8])
    #expect(Conv3d(3, 4, kernel: 2, padding: .same)(volume[0]).shape == [4, 8, 9, 10])
    #expect(ConvTranspose3d(3, 4, kernel: 2, stride: 2)(volume).shape == [2, 4, 16, 18, 20])
    #expect(MaxPool3d(2)(volume[0]).shape == [3, 4, 4, 5])
    #expect(AdaptiveAvgPool3d(1)(volume).shape == [2, 3, 1, 1, 1])
    withRandomSource(seed: 3) {
      for (parameters, fanIn) in [
        (Conv1d(16, 400, kernel: 5, groups: 2).parameters, 8 * 5),
        (Conv3d(4, 200, kernel: [1, 2, 3]).parameters, 4 * 6),
        (ConvTranspose3d(16, 40, kernel: 2, groups: 2).parameters, 20 * 8),
      ] {
        let bound = 1 / Double(fanIn).squareRoot()
        for parameter in parameters {
          let largest = parameter.abs().max().item()
          #expect(largest <= Double(Float(bound)) && largest > 0.8 * bound)
        }
      }
    }
  }

  @Test("SyncBatchNorm alone is batch normalization")
  func synchronized() {
    let x = Tensor.arange(24).reshaped(to: [2, 3, 4]).sin()
    let (one, other) = (SyncBatchNorm(3), BatchNorm1d(3))
    #expect(one(x).doubles() == other(x).doubles())
    #expect(
      one.stateDictionary().map(\.name) == ["weight", "bias", "running_mean", "running_var"])
    #expect(one.core.runningMean.doubles() == other.core.runningMean.doubles())
    #expect(Sequential(Linear(2, 3), SyncBatchNorm(3)).hasSyncBatchNorm)
    #expect(!Sequential(Linear(2, 3), BatchNorm1d(3)).hasSyncBatchNorm)
  }

  @Test("mistakes stop with the layer and the shapes")
  func mistakes() async {
    func expectMessage(_ result: ExitTest.Result?, _ parts: String...) {
      let message = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
      for part in parts { #expect(message.contains(part), "\(message.prefix(300))") }
    }
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        _ = Conv1d(3, 4, kernel: 3, stride: 2, padding: .same)
      }, "Conv1d: the padding 'same' needs a stride of 1, not 2")
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        _ = Conv3d(3, 4, kernel: 3, groups: 2)
      }, "Conv3d: 3 inputs and 4 outputs cannot be divided into 2 groups")
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        _ = InstanceNorm1d(3)(.ones([2, 3, 1]))
      }, "instanceNorm", "[2, 3, 1]")
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        _ = BatchNorm3d(3)(.ones([2, 3, 4, 4]))
      }, "BatchNorm3d", "[2, 3, 4, 4]")
  }
}
