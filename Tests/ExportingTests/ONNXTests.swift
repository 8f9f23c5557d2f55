import Base
import DataLoading
import Foundation
import NeuralNetworks
import Settings
import TensorCore
import Testing
import Training

import Exporting

@Suite("ONNX") struct ONNXTests {
  @Test("a graph has the bytes that onnx.proto says")
  func bytes() throws {
    let layer = Linear(weight: Tensor([[1, 2]] as [[Float]]))
    var graph = ONNXGraph(layer)
    let x = graph.addInput("x", .float, [.any("n"), .fixed(2)])
    graph.addOutput(try graph.add(layer, to: x), as: "y", [.any("n"), .fixed(1)])
    func field(_ number: UInt8, _ content: [UInt8]) -> [UInt8] {
      [number << 3 | 2, UInt8(content.count)] + content
    }
    func text(_ number: UInt8, _ text: String) -> [UInt8] { field(number, Array(text.utf8)) }
    func axes(_ last: UInt8) -> [UInt8] { field(1, text(2, "n")) + field(1, [8, last]) }
    func value(_ name: String, _ last: UInt8) -> [UInt8] {
      text(1, name) + field(2, field(1, [8, 1] + field(2, axes(last))))
    }
    let gemm =
      text(1, "x") + text(1, "weight") + text(2, "Gemm_1") + text(3, "Gemm_1") + text(4, "Gemm")
      + field(5, text(1, "transB") + [3 << 3, 1, 0xA0, 1, 2])
    let identity = text(1, "Gemm_1") + text(2, "y") + text(3, "y") + text(4, "Identity")
    let weight =
      field(1, [1, 2]) + [2 << 3, 1] + text(8, "weight")
      + field(9, [0, 0, 0x80, 0x3F, 0, 0, 0, 0x40])
    #expect(
      graph.message(name: "g").bytes == field(1, gemm) + field(1, identity) + text(2, "g")
        + field(5, weight) + field(11, value("x", 2)) + field(12, value("y", 1)))
  }

  @Test(
    "every model by name can be written, with all its weights", arguments: ModelKind.all.map(\.name)
  )
  func models(name: String) throws {
    let named = try NamedModel(ModelKind.all.first { $0.name == name }!)
    let model = try ONNXModel(named.model, named.signature)
    let elements = named.model.stateDictionary().reduce(0) { $0 + $1.value.count }
    #expect(model.byteCount > 4 * elements)
    #expect(model.byteCount < 4 * elements + 100_000)
  }

  @Test("a layer of a program is refused by its type")
  func unknown() throws {
    var signature = try NamedModel(ModelKind.all[0]).signature
    signature.objective = .meanSquaredError
    #expect(throws: ExportError.unknownLayer("OwnLayer")) {
      _ = try ONNXModel(Sequential(Linear(6, 4), OwnLayer()), signature)
    }
    #expect(throws: ExportError.unknownLayer("OwnLayer")) {
      _ = try PyTorchModel(Sequential(OwnLayer()), signature, source: "A model")
    }
  }

  @Test("the file says what inputs and outputs are")
  func metadata() throws {
    var signature = try NamedModel(ModelKind.all[0]).signature
    signature.preparation.classes = Classes(names: ["a", "b", "c", "d"])
    let text = String(
      decoding: try ONNXModel(
        Linear(6, 4), signature, metadata: [(key: "step", value: "470")]
      ).bytes, as: UTF8.self)
    for part in ["lockstep", Version.current, "classes", #"["a","b","c","d"]"#, "470", "softmax"] {
      #expect(text.localizedCaseInsensitiveContains(part), "\(part)")
    }
  }
}
