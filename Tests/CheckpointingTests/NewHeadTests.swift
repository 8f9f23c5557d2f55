import Checkpointing
import Foundation
import NeuralNetworks
import TensorCore
import Testing

@Suite("A new head") struct NewHeadTests {
  private func file(_ model: Sequential) throws -> SafetensorsFile {
    var data = Data()
    try SafetensorsWriter(weightTensors(of: model)).write { data.append(contentsOf: $0) }
    return try SafetensorsFile(data: data, path: "memory")
  }

  @Test("the last layer stays as it is where the file has another shape, the rest is loaded")
  func otherShape() throws {
    let old = Sequential(Linear(4, 8), ReLU(), Linear(8, 10))
    let model = Sequential(Linear(4, 8), ReLU(), Linear(8, 3))
    let head = model.parameters.suffix(2).map { $0.doubles() }
    let file = try file(old)
    let error = #expect(throws: WeightsError.self) { try loadWeights(of: model, from: file) }
    #expect(error?.description.contains("model.newHead=true") == true)
    let loaded = try loadWeights(of: model, from: file, newHead: true)
    #expect(loaded.count == 2)
    #expect(loaded.leftOut == ["2.weight [10, 8]", "2.bias [10]"])
    #expect(loaded.new == ["2.weight [3, 8]", "2.bias [3]"])
    #expect(
      model.parameters.prefix(2).map { $0.doubles() }
        == old.parameters.prefix(2).map { $0.doubles() })
    #expect(model.parameters.suffix(2).map { $0.doubles() } == head)
  }

  @Test("a last layer of the same shape is loaded too, and other layers must fit")
  func sameShape() throws {
    let old = Sequential(Linear(4, 8), ReLU(), Linear(8, 3))
    let model = Sequential(Linear(4, 8), ReLU(), Linear(8, 3))
    let loaded = try loadWeights(of: model, from: file(old), newHead: true)
    #expect(loaded.count == 4 && loaded.leftOut.isEmpty && loaded.new.isEmpty)
    #expect(model.parameters.map { $0.doubles() } == old.parameters.map { $0.doubles() })
    let wider = Sequential(Linear(4, 9), ReLU(), Linear(9, 3))
    let error = #expect(throws: WeightsError.self) {
      try loadWeights(of: wider, from: file(old), newHead: true)
    }
    #expect(error?.description.contains("0.weight is") == true)
    #expect(error?.description.contains("newHead") == false)
  }
}
