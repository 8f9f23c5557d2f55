import Checkpointing
import Foundation
import Testing

@Suite("Weights of several files") struct WeightDifferenceTests {
  private func file(
    _ tensors: [(name: String, values: [Float])], path: String = "a"
  ) throws -> SafetensorsFile {
    var data = Data()
    try SafetensorsWriter(
      tensors.map { SafetensorsTensor(name: $0.name, shape: [$0.values.count], floats: $0.values) }
    ).write { data.append(contentsOf: $0) }
    return try SafetensorsFile(data: data, path: path)
  }

  @Test(
    "a difference has the largest one of each tensor, and the norm of all relative to the first")
  func difference() throws {
    let first = try file([("w", [3, 4, 0]), ("b", [1]), ("old", [1])])
    let second = try file([("w", [3, 4, 1]), ("b", [1]), ("new", [1]), ("newer", [1])])
    let difference = try WeightDifference(first, second)
    #expect(difference.structure.removed == ["old"])
    #expect(difference.structure.added == ["new", "newer"])
    #expect(difference.tensors.map(\.name) == ["b", "w"])
    #expect(difference.changed.map(\.name) == ["w"])
    #expect(difference.changed[0].largest == 1 && difference.changed[0].relative == 0.2)
  }

  @Test("a tensor of another shape is not compared, and equal NaN is equal")
  func shapes() throws {
    let first = try file([("w", [1, 2]), ("n", [.nan, 0]), ("m", [.nan, 1])])
    let second = try file([("w", [1, 2, 3]), ("n", [.nan, -0.0]), ("m", [2, 1])])
    let difference = try WeightDifference(first, second)
    #expect(difference.structure.reshaped.map(\.name) == ["w"])
    #expect(difference.structure.reshaped[0].second == [3])
    #expect(difference.changed.map(\.name) == ["m"])
    #expect(difference.changed[0].largest.isNaN)
  }

  @Test("the mean is computed in 64 bits")
  func mean() throws {
    let files = try [[1, 1e8], [2, 1], [6, -1e8]].map { try file([("w", $0)]) }
    let tensors = try averagedWeights(of: files)
    var bytes: [UInt8] = []
    try tensors[0].forEachPiece { bytes += $0 }
    let values = bytes.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
    #expect(values == [3, Float(1.0 / 3)])
  }

  @Test("weights of different models have no mean, and the error says why")
  func unlike() throws {
    let first = try file([("w", [1, 2]), ("b", [0])])
    let second = try file([("w", [1]), ("c", [0])], path: "other")
    let error = #expect(throws: UnlikeWeights.self) {
      _ = try averagedWeights(of: [first, second])
    }
    #expect(
      error?.description
        == "'a' and 'other' are not of one model (only in the first: b; only in the second: c; "
        + "of another shape: w)")
  }
}
