import NeuralNetworks
import TensorCore
import TestSupport
import Testing

private let affine = ["x", "weight", "bias"]

/// Functions of `x`, and of parameters beside it, that stand in the file `networks`.
let networkFunctions: [GoldenCase] =
  [
    GoldenCase("erf", tolerance: 2) { $0.erf() },
    GoldenCase("gelu", .largest) { $0.gelu() },
    GoldenCase("gelu_tanh", .largest) { $0.gelu(approximate: .tanh) },
    GoldenCase("silu", tolerance: 2) { $0.silu() },
    GoldenCase("softplus", tolerance: 2) { $0.softplus() },
    GoldenCase("leaky_relu") { $0.leakyRelu() },
    GoldenCase("leaky_relu_slope") { $0.leakyRelu(slope: 0.25) },
    GoldenCase("elu") { $0.elu() },
    GoldenCase("elu_alpha") { $0.elu(alpha: 0.5) },
    GoldenCase("layer_norm", affine, tolerance: 2, .largest) {
      $0["x"].layerNorm([5], weight: $0["weight"], bias: $0["bias"])
    },
    GoldenCase("layer_norm_plain", tolerance: 2, .largest) { $0.layerNorm([5]) },
    // The mean, about 100, is rounded to 3.8e-6 in both implementations. Divided by the standard
    // deviation 1.16 and the largest output 1.74, that is an error of 1.9e-6 in each.
    GoldenCase("layer_norm_far", tolerance: 4, .largest) { $0.layerNorm([64]) },
    GoldenCase("layer_norm_two_axes", affine, tolerance: 2, .largest) {
      $0["x"].layerNorm([3, 5], weight: $0["weight"], bias: $0["bias"])
    },
    GoldenCase("layer_norm_wide", affine, tolerance: 2, .largest) {
      $0["x"].layerNorm([37], weight: $0["weight"], bias: $0["bias"])
    },
    GoldenCase("group_norm", affine, tolerance: 2, .largest) {
      $0["x"].groupNorm(3, weight: $0["weight"], bias: $0["bias"])
    },
    GoldenCase("group_norm_matrix", affine, tolerance: 2, .largest) {
      $0["x"].groupNorm(2, weight: $0["weight"], bias: $0["bias"])
    },
    GoldenCase("embedding", ["indices", "weight"], .largest) {
      $0["weight"].embedding($0["indices"])
    },
  ]
  + ["matrix", "sequence", "images"].flatMap { layout in
    [
      GoldenCase("batch_norm_\(layout)", affine, tolerance: 3, .largest) {
        $0["x"].batchNorm(weight: $0["weight"], bias: $0["bias"]).result
      },
      GoldenCase(
        "batch_norm_given_\(layout)", affine + ["mean", "variance"], tolerance: 2, .largest
      ) {
        $0["x"].batchNorm(
          mean: $0["mean"], variance: $0["variance"], weight: $0["weight"], bias: $0["bias"])
      },
    ]
  }

/// A layer with the state of a golden case.
func loaded<Layer: Module>(_ layer: Layer, _ goldens: Goldens, _ name: String) throws -> Layer {
  let prefix = "\(name)/state/"
  var state = Dictionary(uniqueKeysWithValues: layer.stateDictionary().map { ($0.name, $0.value) })
  for key in goldens.names where key.hasPrefix(prefix) {
    state[String(key.dropFirst(prefix.count))] = try goldens[key].tensor()
  }
  try layer.load(stateDictionary: state)
  return layer
}

@Suite struct NormalizationTests {
  @Test(
    "normalization, activations and embeddings are PyTorch's", arguments: networkFunctions,
    floatingPointTypes)
  func golden(_ row: GoldenCase, _ dataType: DataType) throws {
    try row.check("networks", dataType)
  }

  @Test("every golden is compared")
  func complete() throws {
    try GoldenCase.expectComplete((networkFunctions + attentions).map(\.name), "networks")
  }

  private static let runningCases = ["matrix", "sequence", "images", "images_plain"]

  private func layer(_ name: String) -> any Layer {
    switch name {
    case "images": BatchNorm2d(4, epsilon: 1e-3, momentum: 0.25)
    case "images_plain": BatchNorm2d(4, affine: false)
    default: BatchNorm1d(4)
    }
  }

  @Test("running statistics and what comes of them are PyTorch's", arguments: runningCases)
  func runningStatistics(_ name: String) throws {
    let goldens = try Goldens("running_statistics", in: .module)
    let layer = try loaded(layer(name), goldens, name)
    func expect(_ tensor: Tensor?, _ part: String, _ batch: Int) throws {
      let mismatch = try goldens["\(name)/\(part)"].selected(batch).mismatch(
        tensor, tolerance: 2e-6, relativeTo: .largest)
      #expect(mismatch == nil, "\(name), \(part) of batch \(batch)")
    }
    func buffer(_ wanted: String) -> Tensor? {
      layer.namedBuffers().first { $0.name == wanted }?.buffer
    }
    let x = try goldens["\(name)/x"].tensor()
    for batch in 0..<3 {
      try expect(layer(x[batch]), "output", batch)
      try expect(buffer("running_mean"), "running_mean", batch)
      try expect(buffer("running_var"), "running_var", batch)
    }
    for batch in 0..<3 { try expect(withEvaluation { layer(x[batch]) }, "evaluated", batch) }
    try expect(buffer("running_mean"), "running_mean", 2)
  }

  @Test("every golden of running statistics is compared")
  func completeStatistics() throws {
    let cases = try Goldens("running_statistics", in: .module).cases
    #expect(cases == Set(NormalizationTests.runningCases))
  }

  @Test("layers start as the identity after normalization and have PyTorch's names")
  func names() {
    func names(_ module: any Module) -> [String] { module.stateDictionary().map(\.name) }
    #expect(names(LayerNorm(4)) == ["weight", "bias"])
    #expect(names(LayerNorm([2, 4], bias: false)) == ["weight"])
    #expect(names(LayerNorm(4, affine: false)) == [])
    #expect(names(GroupNorm(2, 4)) == ["weight", "bias"])
    #expect(names(Embedding(5, 4)) == ["weight"])
    #expect(names(BatchNorm1d(4)) == ["weight", "bias", "running_mean", "running_var"])
    #expect(names(BatchNorm2d(4, affine: false)) == ["running_mean", "running_var"])
    #expect(
      names(Sequential(Linear(2, 4), BatchNorm1d(4))) == [
        "0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var",
      ])
    #expect(Sequential(Linear(2, 4), BatchNorm1d(4)).parameterCount == 8 + 4 + 8)
    #expect(BatchNorm1d(4).namedParameters().map(\.name) == ["weight", "bias"])
    let x = Tensor([[1, 2, 3, 6], [0, 0, 1, -1]] as [[Float]])
    #expect(LayerNorm(4)(x).doubles() == x.layerNorm([4]).doubles())
    #expect(GroupNorm(2, 4)(x).doubles() == x.groupNorm(2).doubles())
    let evaluated = withEvaluation { BatchNorm1d(4, epsilon: 0)(x).doubles() }
    #expect(evaluated == x.doubles())
  }

  @Test(
    "equal numbers are normalized to 0, however large and many",
    arguments: [DataType.float32, .bfloat16])
  func constants(_ dataType: DataType) {
    for value in [0.1, 1e6 + 0.3, -16_777_213, 1e30] {
      for size in [1, 3, 37, 1000, 4099] {
        let x = Tensor.full([2, 4, size], value, dataType)
        #expect(x.layerNorm([size]).doubles().allSatisfy { $0 == 0 }, "\(value), \(size)")
        #expect(x.groupNorm(2).doubles().allSatisfy { $0 == 0 }, "\(value), \(size)")
        #expect(x.batchNorm().result.doubles().allSatisfy { $0 == 0 }, "\(value), \(size)")
        // Images that lie channels last.
        let images = x.unsqueezed(axis: -1).conv2d(
          weight: .ones([4, 1, 1, 1], dataType), groups: 4)
        #expect(images.batchNorm().result.doubles().allSatisfy { $0 == 0 }, "\(value), \(size)")
      }
    }
    // Deviations of a few units in the last place are still deviations.
    let x = Tensor([16_777_211, 16_777_213, 16_777_213, 16_777_215] as [Float])
    let expected = Tensor([-1.0, 0, 0, 1]) * 2.0.squareRoot()
    for (a, b) in zip(x.layerNorm([4]).doubles(), expected.doubles()) { #expect(abs(a - b) < 1e-5) }
  }

  @Test("PyTorch's count of batches is accepted beside a running mean, and nowhere else")
  func batchCount() throws {
    let model = Sequential(Linear(2, 4), BatchNorm1d(4))
    var state = Dictionary(
      uniqueKeysWithValues: model.stateDictionary().map { ($0.name, $0.value.copy()) })
    state["1.running_mean"] = Tensor([1, 2, 3, 4] as [Float])
    state["1.num_batches_tracked"] = Tensor(7 as Int32)
    try model.load(stateDictionary: state)
    #expect(model.namedBuffers()[0].buffer.doubles() == [1, 2, 3, 4])
    state["0.num_batches_tracked"] = Tensor(7 as Int32)
    let error = #expect(throws: StateDictionaryError.self) {
      try model.load(stateDictionary: state)
    }
    #expect(error?.unexpected == ["0.num_batches_tracked"])
    state["0.num_batches_tracked"] = nil
    state["1.running_var"] = nil
    #expect(throws: StateDictionaryError.self) { try model.load(stateDictionary: state) }
  }

  @Test("an embedding's gradient is added to what is there, however it comes about")
  func embeddingGradients() {
    let layer = Embedding(3, 2)
    let indices = Tensor([1, 1, 2] as [Int32])
    for passes in 1...2 {
      layer(indices).sum().backward()
      #expect(layer.weight.grad?.doubles() == [0, 0, 2, 2, 1, 1].map { $0 * Double(passes) })
    }
    // Tied to a matrix product, as in language models.
    layer.weight.zeroGrad()
    let x = layer(indices)
    x.linear(weight: layer.weight).sum().backward()
    let other = Embedding(weight: layer.weight.detached().copy())
    let table = other.weight * 1
    let y = table.embedding(indices)
    y.linear(weight: table).sum().backward()
    for (a, b) in zip(layer.weight.grad!.doubles(), other.weight.grad!.doubles()) {
      // Sums of a few terms of order 1, which may cancel.
      #expect((a - b).magnitude < 1e-6)
    }
  }

  @Test("bad shapes, indices and single samples stop")
  func mistakes() async {
    await #expect(processExitsWith: .failure) { _ = Tensor.ones([2, 3]).layerNorm([2]) }
    await #expect(processExitsWith: .failure) { _ = Tensor.ones([2, 3]).groupNorm(2) }
    await #expect(processExitsWith: .failure) { _ = Tensor.ones([1, 3]).batchNorm() }
    await #expect(processExitsWith: .failure) { _ = BatchNorm2d(3)(.ones([2, 3])) }
    await #expect(processExitsWith: .failure) { _ = BatchNorm1d(4)(.ones([2, 3])) }
    await #expect(processExitsWith: .failure) { _ = Embedding(3, 2)(Tensor([3] as [Int32])) }
    await #expect(processExitsWith: .failure) { _ = Embedding(3, 2)(Tensor([-1] as [Int32])) }
  }
}
