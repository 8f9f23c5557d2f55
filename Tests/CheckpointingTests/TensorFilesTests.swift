import Checkpointing
import NeuralNetworks
import TensorCore
import TestSupport
import Testing

@Suite("Files of tensors")
struct TensorFilesTests {
  @Test("a model is saved and loaded with one call each")
  func models() throws {
    let directory = try TemporaryDirectory()
    let path = "\(directory.path)/model.safetensors"
    func model() -> Sequential { Sequential(Linear(3, 4), BatchNorm1d(4), Linear(4, 2)) }
    let (saved, loaded) = (model(), model())
    for parameter in saved.parameters { parameter.assign(parameter * 2 + 0.5) }
    try saved.save(to: path)
    try saved.save(to: path)
    try loaded.load(from: path)
    for (a, b) in zip(saved.stateDictionary(), loaded.stateDictionary()) {
      #expect(a.name == b.name && a.value.doubles() == b.value.doubles())
    }
    #expect(throws: WeightsError.self) { try Linear(3, 4).load(from: path) }
    #expect(throws: FileSystemError.self) { try loaded.load(from: path + ".missing") }
    #expect(throws: FileSystemError.self) { try saved.save(to: "\(path)/inside/a/file") }
  }

  @Test("tensors of every type come back as they were")
  func types() throws {
    let directory = try TemporaryDirectory()
    let path = "\(directory.path)/tensors.safetensors"
    let values = Tensor([[0, 1, -2], [3, 100, 0]] as [[Double]])
    var tensors: [String: Tensor] = [:]
    for type in DataType.allCases { tensors["\(type)"] = values.converted(to: type) }
    tensors["transposed"] = values.transposed()
    tensors["scalar"] = Tensor(7)
    try save(tensors, to: path, metadata: ["author": "test"])
    let loaded = try loadTensors(from: path)
    #expect(loaded.count == tensors.count)
    for (name, tensor) in tensors {
      #expect(loaded[name]?.dataType == tensor.dataType && loaded[name]?.shape == tensor.shape)
      #expect(loaded[name]?.doubles() == tensor.doubles(), "\(name)")
    }
    #expect(try SafetensorsFile(path: path).metadata == ["author": "test"])
  }
}
