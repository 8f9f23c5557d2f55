import DataLoading
import Foundation
import Synchronization
import Testing

private func numbered(_ count: Int) -> InMemoryDataset {
  InMemoryDataset(
    inputs: (0..<count).map(Float.init), inputShape: [1],
    labels: [Int32](repeating: 0, count: count), classes: 1)
}

/// Fails at one sample, and is a class so that its release can be seen.
private final class FragileDataset: Dataset {
  let count = 10
  let inputShape = [1]
  let targetKind = TargetKind.values(shape: [1])
  let fingerprint: UInt64 = 0
  let bad: Int

  init(bad: Int) { self.bad = bad }

  func read(_ indices: ArraySlice<Int>, epoch: Int?, into buffers: SampleBuffers) throws {
    if indices.contains(bad) { throw DataError(.malformed, "sample \(bad)") }
    for (row, index) in indices.enumerated() {
      buffers.inputs[row] = Float(index)
      buffers.values[row] = -Float(index)
    }
  }
}

@Suite("DataLoader", .timeLimit(.minutes(1)))
struct DataLoaderTests {
  @Test(
    "Batches come in the sampler's order, epoch after epoch, on any number of ranks",
    arguments: [1, 2, 3, 5, 7])
  func order(worldSize: Int) throws {
    let sampler = GlobalBatchSampler(count: 22, globalBatch: 6, seed: 5)
    let loaders = (0..<worldSize).map {
      DataLoader(
        numbered(22), sampler: sampler, partition: BatchPartition(index: $0, of: worldSize))
    }
    for epoch in 0..<3 {
      var seen: [Int] = []
      for index in 0..<sampler.batchesPerEpoch {
        for loader in loaders {
          let batch = try loader.next()
          #expect(batch.step == epoch * 4 + index)
          #expect(batch.epoch == epoch && batch.index == index)
          #expect(batch.globalPositions == sampler.positions(ofBatch: index))
          #expect(batch.inputShape == [batch.count, 1] && batch.targetShape == [batch.count])
          #expect(batch.withInputs { $0.map { Int($0) } } == Array(batch.sampleIndices))
          seen += batch.sampleIndices
        }
      }
      #expect(seen == sampler.order(epoch: epoch))
    }
  }

  @Test("Starting at any step continues what a run from the beginning gives", arguments: 0..<9)
  func resumes(step: Int) throws {
    let sampler = GlobalBatchSampler(count: 10, globalBatch: 4, seed: 2)
    let whole = DataLoader(
      numbered(10), sampler: sampler, partition: BatchPartition(index: 1, of: 2))
    for _ in 0..<step { _ = try whole.next() }
    let resumed = DataLoader(
      numbered(10), sampler: sampler, partition: BatchPartition(index: 1, of: 2), startingAt: step,
      prefetch: 1)
    for _ in 0..<5 {
      let (expected, batch) = (try whole.next(), try resumed.next())
      #expect(batch.step == expected.step)
      #expect(Contents(batch) == Contents(expected))
    }
  }

  @Test("Several slices are the samples of each of them", arguments: [1, 6, 7, 13])
  func severalSlices(batch: Int) {
    let positions = 20..<20 + batch
    for (lower, upper) in [(0, 8), (0, 3), (3, 5), (5, 8), (7, 8)] {
      let partition = BatchPartition(slices: lower..<upper, of: 8)
      let expected = (lower..<upper).flatMap {
        Array(BatchPartition(index: $0, of: 8).slice(of: positions))
      }
      #expect(Array(partition.slice(of: positions)) == expected)
    }
    let sampler = GlobalBatchSampler(count: 26, globalBatch: batch, seed: 5)
    let loaders = [0..<2, 2..<5, 5..<8].map {
      DataLoader(
        numbered(26), sampler: sampler, partition: BatchPartition(slices: $0, of: 8))
    }
    var seen: [Int] = []
    for _ in 0..<sampler.batchesPerEpoch {
      for loader in loaders { seen += (try? loader.next().sampleIndices) ?? [] }
    }
    #expect(seen == sampler.order(epoch: 0))
  }

  @Test("A rank may have no samples")
  func emptySlices() throws {
    let sampler = GlobalBatchSampler(count: 2, globalBatch: 8, shuffle: false)
    let counts = try (0..<5).map { rank in
      let batch = try DataLoader(
        numbered(2), sampler: sampler, partition: BatchPartition(index: rank, of: 5)
      ).next()
      #expect(batch.withInputs(\.count) == batch.count && batch.withLabels(\.count) == batch.count)
      return batch.count
    }
    #expect(counts.reduce(0, +) == 2 && counts.contains(0))
  }

  @Test("Memory is reused, but never while its batch is retained")
  func reusesMemory() throws {
    let sampler = GlobalBatchSampler(count: 64, globalBatch: 8, seed: 1)
    let loader = DataLoader(numbered(64), sampler: sampler, prefetch: 3)
    let kept = try loader.next()
    let contents = Contents(kept)
    var addresses: Set<UnsafePointer<Float>?> = []
    for _ in 0..<100 {
      let batch = try loader.next()
      addresses.insert(batch.withInputs(\.baseAddress))
      #expect(UInt(bitPattern: batch.withInputs(\.baseAddress)) % 64 == 0)
    }
    #expect(addresses.count <= 5)  // three waiting, one in use, one between the two
    #expect(!addresses.contains(kept.withInputs(\.baseAddress)))
    #expect(Contents(kept) == contents)
  }

  @Test("A batch outlives its loader")
  func outlives() throws {
    let sampler = GlobalBatchSampler(count: 4, globalBatch: 4, shuffle: false)
    let batch = try DataLoader(numbered(4), sampler: sampler).next()
    #expect(Contents(batch).inputs == [[0], [1], [2], [3]])
  }

  @Test("The dataset's error comes at its batch, and again at each later one")
  func errors() throws {
    let sampler = GlobalBatchSampler(count: 10, globalBatch: 2, shuffle: false)
    let loader = DataLoader(FragileDataset(bad: 5), sampler: sampler)
    for _ in 0..<2 { #expect(try Contents(loader.next()).values.count == 2) }
    for _ in 0..<2 {
      #expect(throws: DataError(.malformed, "sample 5")) { _ = try loader.next() }
    }
  }

  @Test("A cancelled loader gives no more batches, however often it is cancelled")
  func cancels() throws {
    let sampler = GlobalBatchSampler(count: 10, globalBatch: 2)
    let loader = DataLoader(FragileDataset(bad: -1), sampler: sampler)
    _ = try loader.next()
    loader.cancel()
    loader.cancel()
    #expect(throws: CancellationError.self) { _ = try loader.next() }
  }

  @Test("Releasing a loader ends its thread", arguments: [0, 1, 20])
  func releases(batches: Int) throws {
    weak var dataset: FragileDataset?
    do {
      let strong = FragileDataset(bad: -1)
      dataset = strong
      let sampler = GlobalBatchSampler(count: 10, globalBatch: 3)
      let loader = DataLoader(strong, sampler: sampler)
      for _ in 0..<batches { _ = try loader.next() }
    }
    // The thread retains the dataset for as long as it runs.
    #expect(dataset == nil)
  }
}
