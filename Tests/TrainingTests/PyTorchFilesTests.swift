import Foundation
import NeuralNetworks
import TensorCore
import TestSupport
import Testing
import Training

@Suite("Files of PyTorch") struct PyTorchFilesTests {
  private func model(hidden: Int = 32) -> Sequential {
    Sequential(Linear(64, hidden), ReLU(), Linear(hidden, 10))
  }

  private func file() throws -> SafetensorsFile {
    let url = Bundle.module.url(
      forResource: "mlp", withExtension: "safetensors", subdirectory: "Goldens")
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
}
