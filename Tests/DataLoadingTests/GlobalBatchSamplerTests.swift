import DataLoading
import Testing

@Suite("GlobalBatchSampler")
struct GlobalBatchSamplerTests {
  @Test("The orders of a seed never change")
  func golden() {
    func order(_ seed: UInt64, _ epoch: Int) -> [Int] {
      GlobalBatchSampler(count: 10, globalBatch: 4, seed: seed).order(epoch: epoch)
    }
    #expect(order(1, 0) == [9, 7, 4, 3, 8, 6, 5, 2, 1, 0])
    #expect(order(1, 1) == [0, 4, 3, 5, 9, 6, 7, 8, 2, 1])
    #expect(order(0, 0) == [2, 5, 0, 4, 3, 7, 9, 8, 1, 6])
  }

  @Test("Each epoch is another permutation", arguments: [0, 1, 2, 3, 1_000])
  func permutations(count: Int) {
    let sampler = GlobalBatchSampler(count: count, globalBatch: 8, seed: 7)
    let orders = (0..<3).map { sampler.order(epoch: $0) }
    for order in orders { #expect(order.sorted() == Array(0..<count)) }
    if count == 1_000 {
      #expect(Set(orders).count == 3)
      let other = GlobalBatchSampler(count: count, globalBatch: 8, seed: 8)
      #expect(other.order(epoch: 0) != orders[0])
    }
  }

  @Test("Every place gets every sample equally often")
  func uniform() {
    var seen = [[Int]](repeating: [Int](repeating: 0, count: 6), count: 6)
    let sampler = GlobalBatchSampler(count: 6, globalBatch: 6, seed: 3)
    for epoch in 0..<6_000 {
      for (place, sample) in sampler.order(epoch: epoch).enumerated() { seen[place][sample] += 1 }
    }
    // Chi-squared of 25 degrees of freedom exceeds 60 once in 10,000 seeds.
    let statistic = seen.joined().reduce(0) { $0 + Double(($1 - 1_000) * ($1 - 1_000)) / 1_000 }
    #expect(statistic < 60)
  }

  @Test("Without shuffling the order is the dataset's")
  func unshuffled() {
    let sampler = GlobalBatchSampler(count: 5, globalBatch: 2, seed: 3, shuffle: false)
    #expect(sampler.order(epoch: 4) == [0, 1, 2, 3, 4])
  }

  @Test("Batches cover an epoch, the last one short unless dropped")
  func batches() {
    let sampler = GlobalBatchSampler(count: 10, globalBatch: 4)
    #expect(sampler.batchesPerEpoch == 3)
    #expect((0..<3).map(sampler.positions(ofBatch:)) == [0..<4, 4..<8, 8..<10])
    #expect(GlobalBatchSampler(count: 8, globalBatch: 4).batchesPerEpoch == 2)
    #expect(GlobalBatchSampler(count: 3, globalBatch: 4).positions(ofBatch: 0) == 0..<3)
    #expect(GlobalBatchSampler(count: 0, globalBatch: 4).batchesPerEpoch == 0)
  }

  @Test("Draws fill batches, come from the whole population, and never change")
  func draws() {
    let sampler = GlobalBatchSampler(draws: 10, from: 1_000, globalBatch: 4, seed: 1)
    #expect(sampler.count == 12 && sampler.batchesPerEpoch == 3)
    #expect(sampler.positions(ofBatch: 2) == 8..<12)
    #expect(sampler.order(epoch: 0) == [693, 971, 426, 806, 359, 845, 827, 287, 147, 46, 382, 331])
    #expect(sampler.order(epoch: 1) != sampler.order(epoch: 0))
    let many = GlobalBatchSampler(draws: 60_000, from: 6, globalBatch: 1, seed: 9)
    var seen = [Int](repeating: 0, count: 6)
    for sample in many.order(epoch: 3) { seen[sample] += 1 }
    // Chi-squared of 5 degrees of freedom exceeds 26 once in 10,000 seeds.
    let statistic = seen.reduce(0) { $0 + Double(($1 - 10_000) * ($1 - 10_000)) / 10_000 }
    #expect(statistic < 26)
  }

  @Test("Ranks share a batch without gap or overlap", arguments: 1...7)
  func slices(worldSize: Int) {
    for positions in [0..<0, 5..<6, 3..<16, 0..<64, 100..<107] {
      let slices = (0..<worldSize).map {
        GlobalBatchSampler.slice(of: positions, rank: $0, worldSize: worldSize)
      }
      #expect(slices.flatMap { Array($0) } == Array(positions))
      #expect(slices.map(\.count).max()! - slices.map(\.count).min()! <= 1)
    }
  }

  @Test("Two ranks of four take what one of two takes")
  func nestedSlices() {
    for count in 0...40 {
      let half = GlobalBatchSampler.slice(of: 0..<count, rank: 0, worldSize: 2)
      let quarter = GlobalBatchSampler.slice(of: 0..<count, rank: 1, worldSize: 4)
      #expect(half.upperBound == quarter.upperBound)
    }
  }
}
