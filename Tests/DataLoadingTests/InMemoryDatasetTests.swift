import DataLoading
import Testing

@Suite("InMemoryDataset")
struct InMemoryDatasetTests {
  private let labelled = InMemoryDataset(
    inputs: (0..<12).map(Float.init), inputShape: [2], labels: [0, 1, 2, 0, 1, 2], classes: 3)

  @Test("Samples come in the order asked for")
  func reads() throws {
    let contents = try Contents(labelled.subset([4, 0, 4]))
    #expect(contents.inputs == [[8, 9], [0, 1], [8, 9]])
    #expect(contents.labels == [1, 0, 1])
    #expect(contents.values.isEmpty)
  }

  @Test("Subsets of subsets refer to the subset's samples")
  func nestedSubsets() throws {
    let contents = try Contents(labelled.subset([5, 3, 1]).subset([2, 0]))
    #expect(contents.inputs == [[2, 3], [10, 11]])
    #expect(contents.labels == [1, 2])
  }

  @Test("Values of any shape come with their samples")
  func values() throws {
    let dataset = InMemoryDataset(
      inputs: [1, 2, 3], inputShape: [1], values: [10, 11, 20, 21, 30, 31], valueShape: [2])
    #expect(dataset.targetKind == .values(shape: [2]))
    let contents = try Contents(dataset.subset([2, 0]))
    #expect(contents.values == [[30, 31], [10, 11]])
    #expect(contents.labels.isEmpty)
  }

  @Test("The fingerprint depends on everything that a rank reads")
  func fingerprints() {
    func dataset(_ first: Float, _ shape: [Int], _ label: Int32, _ classes: Int) -> InMemoryDataset
    {
      InMemoryDataset(
        inputs: [first, 2, 3, 4], inputShape: shape, labels: [label, 1], classes: classes)
    }
    let base = dataset(1, [2], 0, 2)
    #expect(base.fingerprint == dataset(1, [2], 0, 2).fingerprint)
    let others = [
      dataset(1.5, [2], 0, 2), dataset(1, [1, 2], 0, 2), dataset(1, [2], 1, 2),
      dataset(1, [2], 0, 3), base.subset([0]), base.subset([1]), base.subset([1, 0]),
    ]
    #expect(Set(([base] + others).map(\.fingerprint)).count == others.count + 1)
  }
}
