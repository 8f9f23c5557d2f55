import Collectives
import DataParallel
import NeuralNetworks
import Optimizers
import TensorCore
import Testing

@Suite struct SyncBatchNormTests {
  /// A model with a layer that synchronizes itself, and one that does not.
  private func trained(on ranks: Ranks, batch: Int, bySamples: Bool) throws -> [[Float]] {
    try withRanks(ranks.count, ranksPerNode: ranks.perNode) { communicator in
      let model = withRandomSource(seed: 3) {
        Sequential(
          Linear(4, 5), bySamples ? SyncBatchNorm(5) as any Layer : BatchNorm1d(5), ReLU(),
          Linear(5, 3))
      }
      let parallel = try DataParallel(model, communicator) { SGD($0) }
      for step in 0..<3 {
        _ = try parallel.step(
          samples: step * batch..<(step + 1) * batch, epoch: 0, learningRate: 0.05
        ) { samples in
          let values: [Float] = samples.flatMap { (sample: Int) -> [Float] in
            (0..<4).map { (column: Int) -> Float in Float((sample * 7 + column * 3) % 11) / 5 }
          }
          let x = Tensor.of(values, shape: [samples.count, 4])
          return samples.isEmpty ? model(x).sum() : model(x).squared().mean()
        }
      }
      return model.stateDictionary().flatMap { $0.value.doubles().map { Float($0) } }
    }
  }

  @Test("the layer synchronizes itself, without the option and on ranks without samples")
  func layer() throws {
    for batch in [2, 12] {
      let expected = try trained(on: .one, batch: batch, bySamples: true)[0]
      #expect(expected == (try trained(on: .one, batch: batch, bySamples: false)[0]))
      for ranks in [Ranks(count: 3, perNode: 3), Ranks(count: 4, perNode: 2)] {
        let found = try trained(on: ranks, batch: batch, bySamples: true)
        #expect(found.allSatisfy { $0 == found[0] })
        let largest = zip(found[0], expected).map { abs($0 - $1) }.max()!
        #expect(largest < 1e-5, "batch \(batch), \(ranks)")
      }
    }
    let apart = try trained(on: Ranks(count: 3, perNode: 3), batch: 12, bySamples: false)[0]
    let one = try trained(on: .one, batch: 12, bySamples: false)[0]
    #expect(zip(apart, one).map { abs($0 - $1) }.max()! > 1e-4)
  }

  @Test("statistics over each slice and over the whole batch exclude each other")
  func slices() {
    let error = #expect(throws: (any Error).self) {
      try withRanks(2, ranksPerNode: 2) { communicator in
        var options = DataParallel.Options()
        options.fixedSlices = 2
        _ = try DataParallel(SyncBatchNorm(2), communicator, options: options) { SGD($0) }
      }
    }
    #expect(String(describing: error!).contains("SyncBatchNorm"))
  }
}
