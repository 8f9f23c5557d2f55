import DataLoading
import Testing

@Suite("SequentialBatches")
struct SequentialBatchesTests {
  @Test("Over all ranks each sample comes once and in order", arguments: 1...7, [0, 1, 5, 23])
  func once(worldSize: Int, count: Int) throws {
    let dataset = InMemoryDataset(
      inputs: (0..<count * 2).map(Float.init), inputShape: [2],
      values: (0..<count).map(Float.init), valueShape: [1])
    var seen: [Int] = []
    for rank in 0..<worldSize {
      var batches = SequentialBatches(
        dataset, batchSize: 3, partition: BatchPartition(index: rank, of: worldSize))
      while let batch = try batches.next() {
        #expect((1...3).contains(batch.count))
        #expect(batch.targetShape == [batch.count, 1])
        #expect(Contents(batch).values == batch.sampleIndices.map { [Float($0)] })
        seen += batch.sampleIndices
      }
    }
    #expect(seen == Array(0..<count))
  }

  @Test("A limit takes samples spread evenly, each once over all ranks", arguments: 1...4)
  func limited(worldSize: Int) throws {
    let dataset = InMemoryDataset(
      inputs: (0..<23).map(Float.init), inputShape: [1],
      labels: [Int32](repeating: 0, count: 23), classes: 1)
    func samples(limit: Int) throws -> [Int] {
      var seen: [Int] = []
      for rank in 0..<worldSize {
        var batches = SequentialBatches(
          dataset, batchSize: 3, partition: BatchPartition(index: rank, of: worldSize), limit: limit
        )
        while let batch = try batches.next() { seen += batch.sampleIndices }
      }
      return seen
    }
    #expect(try samples(limit: 5) == [0, 4, 9, 13, 18])
    #expect(try samples(limit: 100) == Array(0..<23))
  }
}
