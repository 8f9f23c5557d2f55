import CKernels
import Testing

/// A 3x3 convolution of a known network, with padding 1, and a batch with which Winograd's algorithm pays.
private struct NetworkLayer: Sendable, CustomTestStringConvertible {
  let shape: ck_convolution

  /// The errors in winograd.md, times 1e7: of the forward pass and of the gradients to the input and to the
  /// weight, each of direct convolution, F(2x2) and F(4x4).
  let errors: [[Double]]

  init(_ images: Int, _ size: Int, _ channels: (Int, Int), _ errors: [Double]...) {
    self.errors = errors
    shape = CKernelsTests.shape(images, (size, size), channels, kernel: (3, 3), padding: (1, 1))
  }

  var testDescription: String {
    "\(shape.channels) to \(shape.out_channels) channels, \(shape.height)x\(shape.width)"
  }

  var inputs: Int { shape.images * shape.height * shape.width * shape.channels }
  var outputs: Int { shape.images * shape.height * shape.width * shape.out_channels }
  var weights: Int { 9 * shape.channels * shape.out_channels }

  /// Of ResNet-18 and VGG16.
  static let all = [
    NetworkLayer(2, 32, (64, 64), [3.1, 2.2, 6.4], [4.2, 2.6, 7.7], [2.8, 4.1, 6.1]),
    NetworkLayer(4, 16, (64, 128), [2.9, 2.2, 6.3], [5.9, 3.6, 10.8], [2.9, 4.2, 6.4]),
    NetworkLayer(4, 16, (128, 128), [4.2, 3.1, 8.7], [5.9, 3.6, 10.7], [2.8, 4.1, 6.4]),
    NetworkLayer(8, 8, (256, 256), [5.8, 4.3, 12.3], [8.1, 5.0, 15.0], [2.7, 3.1, 5.1]),
    NetworkLayer(4, 8, (256, 512), [5.7, 4.3, 12.0], [11.5, 7.1, 21.4], [1.9, 2.2, 4.1]),
    NetworkLayer(4, 8, (512, 512), [8.1, 6.1, 17.2], [11.4, 7.1, 21.0], [1.9, 2.2, 4.1]),
  ]
}

/// Numbers like those of a training: activations behind ReLU, weights that keep their size, and gradients.
private struct LayerData {
  let layer: NetworkLayer
  let x, dy, w: [Float]

  init(_ layer: NetworkLayer) {
    self.layer = layer
    var numbers = Numbers(seed: layer.weights)
    x = numbers.floats(layer.inputs, in: -1...1).map { max($0, 0) }
    dy = numbers.floats(layer.outputs, in: -1...1)
    let bound = (6 / Float(9 * layer.shape.channels)).squareRoot()
    w = numbers.floats(layer.weights, in: -bound...bound)
  }

  /// What a pass computes in the arithmetic of `T`.
  func result<T: KernelElement & BinaryFloatingPoint>(
    _: T.Type, _ pass: ck_pass, _ algorithm: ck_algorithm
  ) -> [T] {
    var s = layer.shape
    let (x, dy) = (self.x.map { T($0) }, self.dy.map { T($0) })
    var w = self.w.map { T($0) }
    let isWeight = pass == ck_weight_gradient
    var result = [T](
      repeating: 0,
      count: pass == ck_forward ? layer.outputs : isWeight ? layer.weights : layer.inputs)
    let workspace = UnsafeMutableRawPointer.allocate(
      byteCount: ck_conv_workspace(T.type, &s, pass, algorithm), alignment: 64)
    defer { workspace.deallocate() }
    result.withUnsafeMutableBytes { result in
      w.withUnsafeMutableBytes { w in
        let weights = ck_weights(
          p: (isWeight ? result : w).baseAddress!, out: 9 * s.channels, in: 9, row: 3, column: 1)
        let out = result.baseAddress!
        switch pass {
        case ck_forward: ck_conv_forward(T.type, out, x, weights, &s, algorithm, nil, workspace)
        case ck_input_gradient:
          ck_conv_input_gradient(T.type, out, dy, weights, &s, algorithm, nil, workspace)
        default:
          ck_conv_weight_gradient(T.type, weights, dy, x, &s, algorithm, false, workspace)
        }
      }
    }
    return result
  }

  /// The root mean square of an algorithm's error, relative to that of the result in float64.
  func error(of values: [Float], _ exact: [Double]) -> Double {
    var (errors, size) = (0.0, 0.0)
    for (value, exact) in zip(values, exact) {
      errors += (Double(value) - exact) * (Double(value) - exact)
      size += exact * exact
    }
    return (errors / size).squareRoot()
  }
}

@Suite("Error of Winograd's algorithm")
struct WinogradErrorTests {
  @Test("is what winograd.md says, for layers of ResNet-18 and VGG16", arguments: NetworkLayer.all)
  fileprivate func errors(_ layer: NetworkLayer) {
    let data = LayerData(layer)
    for (pass, documented) in zip(
      [ck_forward, ck_input_gradient, ck_weight_gradient], layer.errors)
    {
      let exact = data.result(Double.self, pass, ck_direct)
      let results = [ck_direct, ck_winograd2, ck_winograd4].map {
        data.result(Float.self, pass, $0)
      }
      let errors = results.map { data.error(of: $0, exact) }
      for (error, documented) in zip(errors, documented) {
        // Vectors of another length add up in another order.
        #expect(error < 1.6e-7 * documented, "pass \(pass.rawValue): \(errors)")
      }
      #expect(errors[1] < 2.5 * errors[0] && errors[2] < 3.5 * errors[0], "pass \(pass.rawValue)")
      let automatic = data.result(Float.self, pass, ck_automatic)
      #expect(results.contains(automatic), "pass \(pass.rawValue)")
    }
  }
}
