import Checkpointing
import Collectives
import Foundation
import NeuralNetworks
import TensorCore
import TestSupport
import Testing

@Suite("Files of PyTorch") struct PyTorchFilesTests {
  private func model(hidden: Int = 32) -> Sequential {
    Sequential(Linear(64, hidden), ReLU(), Linear(hidden, 10))
  }

  private func file(_ name: String = "mlp") throws -> SafetensorsFile {
    let url = Bundle.module.url(
      forResource: name, withExtension: "safetensors", subdirectory: "Goldens")
    return try SafetensorsFile(path: try #require(url).path)
  }

  private func written(_ model: some Module) throws -> Data {
    var data = Data()
    try SafetensorsWriter(weightTensors(of: model)).write { data.append(contentsOf: $0) }
    return data
  }

  @Test("a model with weights saved by Python gives Python's outputs")
  func load() throws {
    let goldens = try Goldens("mlp", in: .module)
    let model = model()
    let inputs = try goldens["inputs"].tensor()
    func mismatch() throws -> String? {
      try goldens["outputs"].mismatch(model(inputs), tolerance: 1e-6, relativeTo: .largest)
    }
    #expect(try mismatch() != nil, "the initial weights are others")
    let file = try file()
    #expect(file.metadata == ["format": "pt"])
    try loadWeights(of: model, from: file)
    #expect(try mismatch() == nil)
  }

  @Test("weights written here are those that Python wrote, and are read back bit for bit")
  func roundTrip() throws {
    let python = try file()
    let model = model()
    try loadWeights(of: model, from: python)
    let data = try written(model)
    let file = try SafetensorsFile(data: data, path: "memory")
    #expect(Set(file.entries.map(\.name)) == ["0.weight", "0.bias", "2.weight", "2.bias"])
    #expect(Set(file.entries.map(\.name)) == Set(python.entries.map(\.name)))
    for entry in file.entries {
      let original = try #require(python[entry.name])
      #expect(entry.dataType == original.dataType)
      #expect(entry.shape == original.shape)
      #expect(try file.floats(of: entry) == python.floats(of: original))
    }
    let other = self.model()
    try loadWeights(of: other, from: file)
    #expect(other.parameters.map { $0.doubles() } == model.parameters.map { $0.doubles() })
    #expect(try written(other) == data)
  }

  @Test("weights are written as they are at that moment")
  func latestValues() throws {
    let model = model()
    let tensors = weightTensors(of: model)
    model.parameters[3].assign(.full([10], 7))
    var data = Data()
    try SafetensorsWriter(tensors).write { data.append(contentsOf: $0) }
    let file = try SafetensorsFile(data: data, path: "memory")
    #expect(try file.floats(of: try #require(file["2.bias"])) == Array(repeating: 7, count: 10))
  }

  @Test("a file of another model is refused, by name, and the model keeps its weights")
  func mismatch() throws {
    let file = try file()
    let wider = model(hidden: 33)
    let before = wider.parameters.map { $0.doubles() }
    let error = try #require(throws: WeightsError.self) {
      try loadWeights(of: wider, from: file)
    }
    #expect(error.difference.mismatched.count == 3)
    for part in [file.path, "0.weight is float32 [32, 64], the model's float32 [33, 64]"] {
      #expect(error.description.contains(part))
    }
    #expect(wider.parameters.map { $0.doubles() } == before)
    let deeper = Sequential(Linear(64, 32), ReLU(), Linear(32, 10), Linear(10, 2))
    let missing = try #require(throws: WeightsError.self) {
      try loadWeights(of: deeper, from: file)
    }
    #expect(missing.difference.missing == ["3.weight", "3.bias"])
    let shallower = Sequential(Linear(64, 32))
    let unexpected = try #require(throws: WeightsError.self) {
      try loadWeights(of: shallower, from: file)
    }
    #expect(unexpected.difference.unexpected == ["2.bias", "2.weight"])
  }

  @Test("files of a Llama and of a vision transformer give the outputs of their libraries")
  func pretrained() throws {
    let goldens = try Goldens("pretrained", in: .module)
    let llama = Llama(
      Llama.Options(
        vocabulary: 11, context: 16, layers: 2, heads: 4, keyValueHeads: 2, width: 16, hidden: 24,
        tiedHead: true))
    try loadWeights(of: llama, from: file("llama"))
    let logits = llama(try goldens["tokens"].tensor(.int32))
    #expect(try goldens["logits"].mismatch(logits, tolerance: 1e-5, relativeTo: .largest) == nil)
    let vit = VisionTransformer(
      VisionTransformer.Options(
        size: 8, patch: 4, classes: 5, layers: 1, heads: 2, width: 8, hidden: 16))
    try loadWeights(of: vit, from: file("vit"))
    let classes = vit(try goldens["images"].tensor())
    #expect(try goldens["classes"].mismatch(classes, tolerance: 1e-5, relativeTo: .largest) == nil)
  }

  @Test("a GPT-2 file of Hugging Face gives PyTorch's logits, however it was saved")
  func gpt2() throws {
    let goldens = try Goldens("gpt2", in: .module)
    func check(_ file: SafetensorsFile) throws {
      let model = GPT(GPT.Options(vocabulary: 11, context: 8, layers: 2, heads: 2, width: 8))
      try loadWeights(of: model, from: file)
      let logits = model(try goldens["tokens"].tensor(.int32))
      #expect(
        try goldens["logits"].mismatch(logits, tolerance: 1e-5, relativeTo: .largest) == nil)
    }
    // The bare transformer with masks of numbers, as the file of GPT-2 itself.
    let bare = try file("gpt2")
    #expect(bare["h.1.attn.bias"]?.shape == [1, 1, 8, 8])
    try check(bare)

    // The language model with all that versions of Hugging Face's library have added: a prefix, the
    // output layer, which is the token embedding, masks of truth values and what they mask with.
    func copy(_ entry: SafetensorsFile.Entry, _ name: String) throws -> SafetensorsTensor {
      SafetensorsTensor(name: name, shape: entry.shape, floats: try bare.floats(of: entry))
    }
    var tensors = try bare.entries.filter { !$0.name.hasSuffix(".attn.bias") }
      .map { try copy($0, "transformer.\($0.name)") }
    tensors.append(try copy(try #require(bare["wte.weight"]), "lm_head.weight"))
    for layer in 0..<2 {
      let attention = "transformer.h.\(layer).attn"
      tensors += [
        SafetensorsTensor(name: "\(attention).bias", dataType: .bool, shape: [1, 1, 8, 8]) {
          write in
          let mask = (0..<64).map { UInt8($0 % 8 <= $0 / 8 ? 1 : 0) }
          try mask.withUnsafeBytes { try write($0) }
        },
        SafetensorsTensor(name: "\(attention).masked_bias", shape: [], floats: [-10_000]),
      ]
    }
    var data = Data()
    try SafetensorsWriter(tensors).write { data.append(contentsOf: $0) }
    try check(try SafetensorsFile(data: data, path: "memory"))
  }
}
