import NeuralNetworks
import TensorCore
import TestSupport
import Testing

private let cases: [GoldenCase] = [
  GoldenCase("hardtanh") { Hardtanh()($0) },
  GoldenCase("hardtanh_limits") { Hardtanh(min: -0.5, max: 2.5)($0) },
  GoldenCase("relu6") { ReLU6()($0) },
  GoldenCase("hardsigmoid") { Hardsigmoid()($0) },
  GoldenCase("hardswish", tolerance: 2) { Hardswish()($0) },
  GoldenCase("mish", tolerance: 2, .largest) { Mish()($0) },
  GoldenCase("selu") { SELU()($0) },
  GoldenCase("celu") { CELU()($0) },
  GoldenCase("celu_alpha") { CELU(alpha: 0.5)($0) },
  GoldenCase("log_sigmoid") { LogSigmoid()($0) },
  GoldenCase("softsign") { Softsign()($0) },
  GoldenCase("hardshrink") { Hardshrink()($0) },
  GoldenCase("softshrink") { Softshrink()($0) },
  GoldenCase("tanhshrink", .largest) { Tanhshrink()($0) },
  GoldenCase("threshold") { Threshold(0.5, value: 20)($0) },
  GoldenCase("glu") { GLU()($0) },
  GoldenCase("glu_axis") { GLU(axis: 1)($0) },
  GoldenCase("prelu", ["x", "weight"], .largest) { $0["x"].prelu($0["weight"]) },
  GoldenCase("prelu_channels", ["x", "weight"], .largest) { $0["x"].prelu($0["weight"]) },
  GoldenCase("pixel_shuffle") { PixelShuffle(2)($0) },
  GoldenCase("pixel_unshuffle") { PixelUnshuffle(2)($0) },
]

@Suite struct MoreActivationsTests {
  @Test(
    "values and gradients are PyTorch's, at the corners too", arguments: cases, floatingPointTypes)
  func goldens(_ row: GoldenCase, _ dataType: DataType) throws {
    try row.check("more_activations", dataType)
  }

  /// Checks a function of a table of weights against PyTorch.
  private func checkTable(_ name: String, _ function: (Tensor, Tensor) -> (Tensor, Tensor)) throws {
    let goldens = try Goldens("more_activations.float32", in: .module)
    let (output, table) = function(
      try goldens["\(name)/weight"].tensor(), try goldens["\(name)/indices"].tensor(.int32))
    #expect(try goldens["\(name)/output"].mismatch(output, tolerance: 1e-6) == nil)
    output.backward(gradient: try goldens["\(name)/output.grad"].tensor())
    #expect(try goldens["\(name)/weight.grad"].mismatch(table.grad, tolerance: 1e-6) == nil)
  }

  @Test("the vector of padding gets no gradient, and starts as zeros")
  func padding() throws {
    try checkTable("embedding_padding") { weight, indices in
      let layer = Embedding(weight: weight, paddingIndex: 2)
      return (layer(indices), layer.weight)
    }
    let layer = Embedding(4, 3, paddingIndex: -1)
    #expect(layer.paddingIndex == 3)
    #expect(layer.weight[3].doubles() == [0, 0, 0] && !layer.weight[2].doubles().contains(0))
    #expect(layer.namedParameters().map(\.name) == ["weight"])
  }

  @Test("bags of vectors are PyTorch's")
  func bags() throws {
    for (name, mode) in [("sum", EmbeddingBag.Mode.sum), ("mean", .mean), ("max", .max)] {
      try checkTable("embedding_bag_\(name)") { weight, indices in
        let layer = EmbeddingBag(5, 4, mode: mode)
        layer.weight.assign(weight)
        return (layer(indices), layer.weight)
      }
    }
  }

  @Test("bilinear layers are PyTorch's")
  func bilinear() throws {
    let goldens = try Goldens("more_activations.float32", in: .module)
    func golden(_ part: String) throws -> Golden { try goldens["bilinear/\(part)"] }
    let layer = Bilinear(4, 5, 6)
    layer.weight.assign(try golden("weight").tensor())
    layer.bias!.assign(try golden("bias").tensor())
    let (x, x2) = (try golden("x").tensor(), try golden("x2").tensor())
    (x.requiresGrad, x2.requiresGrad) = (true, true)
    let output = layer(x, x2)
    output.backward(gradient: try golden("output.grad").tensor())
    for (part, tensor) in [
      ("output", output), ("x.grad", x.grad), ("x2.grad", x2.grad),
      ("weight.grad", layer.weight.grad), ("bias.grad", layer.bias!.grad),
    ] {
      #expect(
        try golden(part).mismatch(tensor, tolerance: 2e-6, relativeTo: .largest) == nil, "\(part)")
    }
  }

  @Test("every golden is compared")
  func complete() throws {
    try GoldenCase.expectComplete(
      cases.map(\.name) + [
        "bilinear", "embedding_padding", "embedding_bag_sum", "embedding_bag_mean",
        "embedding_bag_max",
      ], "more_activations")
  }

  @Test("NaN stays, and infinite numbers give no NaN")
  func notFinite() {
    let x = Tensor([-.infinity, .infinity, .nan] as [Float])
    func expect(_ layer: any Layer, _ values: [Double]) {
      let y = layer(x).doubles()
      #expect(Array(y[0..<2]) == values)
      #expect(y[2].isNaN)
    }
    expect(ReLU6(), [0, 6])
    expect(PReLU(), [-.infinity, .infinity])
    expect(LogSigmoid(), [-.infinity, 0])
    expect(SELU(), [Double(Float(-1.7580993408473766)), .infinity])
    expect(Threshold(0, value: 1), [1, .infinity])
    // The weight's gradient is the sum over elements that are not positive.
    let layer = PReLU()
    layer(Tensor([-2, .infinity] as [Float])).sum().backward()
    #expect(layer.weight.grad!.doubles() == [-2])
    // bfloat16 is computed in float32.
    let half = Tensor([0.3, -0.7] as [Float]).converted(to: .bfloat16)
    #expect(half.mish().dataType == .bfloat16)
    #expect(
      half.mish().doubles()
        == half.converted(to: .float32).mish().converted(to: .bfloat16).doubles()
    )
  }

  @Test("an identity is its input, and PReLU has a weight for each channel")
  func layers() {
    let x = Tensor.arange(6).reshaped(to: [2, 3])
    #expect(Identity()(x) === x)
    #expect(PReLU(3).weight.doubles() == [0.25, 0.25, 0.25])
    #expect(LogSoftmax(axis: 0)(x).doubles() == x.logSoftmax(axis: 0).doubles())
    #expect(
      PixelUnshuffle(2)(PixelShuffle(2)(.arange(24).reshaped(to: [1, 4, 2, 3]))).doubles()
        == (0..<24).map(Double.init))
  }

  @Test("impossible shapes stop")
  func mistakes() async {
    await #expect(processExitsWith: .failure) { _ = GLU()(.ones([2, 3])) }
    await #expect(processExitsWith: .failure) { _ = PReLU(3)(.ones([2, 4])) }
    await #expect(processExitsWith: .failure) { _ = PixelShuffle(2)(.ones([1, 6, 2, 2])) }
    await #expect(processExitsWith: .failure) {
      _ = Bilinear(2, 3, 1)(.ones([4, 2]), .ones([5, 3]))
    }
    await #expect(processExitsWith: .failure) { _ = Embedding(3, 2, paddingIndex: 3) }
    await #expect(processExitsWith: .failure) { _ = ReLU6()(Tensor([1, 2] as [Int32])) }
  }

  // MARK: - Dropout

  private let randomness = SampleRandomness(seed: 5, epoch: 1, firstSample: 0)

  @Test("channels are dropped as wholes, in training only")
  func channels() {
    let x = Tensor.ones([40, 50, 3, 2])
    #expect(withEvaluation { Dropout2d(0.3)(x) } === x)
    let means = withTraining(randomness) { Dropout2d(0.3)(x) }.mean(axes: [2, 3]).doubles()
    let kept = Double(Float(1 / 0.7))
    #expect(means.allSatisfy { $0 == 0 || abs($0 - kept) < 1e-6 })
    let dropped = Double(means.count { $0 == 0 })
    let deviation: Double = (2000 * 0.3 * 0.7).squareRoot()
    #expect(abs(dropped - 600) < 5 * deviation)
    // A sample's mask does not depend on the batch.
    let part = withTraining(SampleRandomness(seed: 5, epoch: 1, firstSample: 7)) {
      Dropout2d(0.3)(x[7..<9])
    }
    let whole = withTraining(randomness) { Dropout2d(0.3)(x) }
    #expect(part.doubles() == whole[7..<9].doubles())
  }

  @Test("alpha dropout keeps mean and variance of normal numbers")
  func alpha() {
    let x = withRandomSource(seed: 2) { Initializer.normal([300, 200], std: 1) }
    #expect(withEvaluation { AlphaDropout(0.2)(x) } === x)
    let y = withTraining(randomness) { AlphaDropout(0.2)(x) }.doubles()
    let mean = y.reduce(0, +) / Double(y.count)
    let variance = y.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(y.count)
    #expect(abs(mean) < 0.02 && abs(variance - 1) < 0.04)
    // Dropped elements are all the same number.
    let counts = Dictionary(y.map { ($0, 1) }, uniquingKeysWith: +)
    let deviation: Double = (60000 * 0.2 * 0.8).squareRoot()
    let dropped = Double(counts.values.max()!)
    #expect(abs(dropped - 12000) < 5 * deviation)
  }
}
