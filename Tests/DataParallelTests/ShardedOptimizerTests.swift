import Collectives
import DataParallel
import NeuralNetworks
import Optimizers
import TensorCore
import Testing

extension Case {
  /// Ten blocks of parameters, so that several nodes have a part.
  fileprivate static let wide = Case(testDescription: "wide mlp") {
    Sequential(Linear(5, 300), Tanh(), Linear(300, 500), Tanh(), Linear(500, 3))
  } loss: { model, samples in
    Case.mlp.loss(model, samples)
  }
}

@Suite struct ShardedOptimizerTests {
  private static let ranks = [
    Ranks(count: 2, perNode: 1), Ranks(count: 3, perNode: 1), Ranks(count: 4, perNode: 1),
    Ranks(count: 4, perNode: 2), Ranks(count: 6, perNode: 2), Ranks(count: 5, perNode: 2),
  ]
  private static let methods: [@Sendable (ParameterArena) -> any Optimizer] = [
    { AdamW($0) }, { SGD($0, SGD.Options(momentum: 0.9)) }, { LAMB($0) },
    { Adagrad($0, .init(initialAccumulator: 0.1)) },
  ]

  @Test(
    "weights have the bits that they have where every node updates all", arguments: ranks,
    methods.indices)
  fileprivate func bits(_ ranks: Ranks, method: Int) throws {
    for clip in [nil, 0.05] {
      let found = try [false, true].map { shards in
        try train(.wide, on: ranks) {
          $0.gradientClipNorm = clip
          $0.shardOptimizer = shards
        } optimizer: {
          Self.methods[method]($0)
        }
      }
      #expect(found[1] == found[0], "clip \(clip ?? 0)")
    }
  }

  @Test("so they have in every mode of overlap, by every algorithm, and in bfloat16")
  func modes() throws {
    let isSuitable = InterNodeAllReduce.all.map { $0.addsPairwise && $0.plan != nil }
    for index in isSuitable.indices where isSuitable[index] {
      for wire in WireFormat.allCases {
        let ranks = Ranks(count: 4, perNode: 1)
        let algorithm = InterNodeAllReduce.all[index]
        let expected = try train(.wide, on: ranks, algorithm: algorithm) { $0.wire = wire }
        for overlap in [Overlap.sync, .poll, .thread] {
          let found = try train(.wide, on: ranks, algorithm: algorithm) {
            $0.wire = wire
            $0.shardOptimizer = true
            $0.overlap = overlap
          }
          #expect(found == expected, "\(algorithm.name) \(wire) \(overlap)")
        }
      }
    }
  }

  @Test("with fixed slices they are those of one process, and averages too")
  func fixedSlices() throws {
    let change: @Sendable (inout DataParallel.Options) -> Void = {
      $0.fixedSlices = 4
      $0.gradientClipNorm = 0.05
      $0.shardOptimizer = true
    }
    let expected = try train(.wide, on: .one, change) { AdamW($0) }[0]
    let found = try train(.wide, on: Ranks(count: 4, perNode: 2), change) { AdamW($0) }
    #expect(found.allSatisfy { $0 == expected })
  }

  /// What the first rank has after some steps: state before and after it is gathered, and after the
  /// next step; and averages.
  private struct Outcome: Sendable, Equatable {
    var parts: [[Double]] = []
    var whole: [[Double]] = []
    var after: [[Double]] = []
    var averages: [Double] = []
    var gradients: [Double] = []
    var weights: [Double] = []
  }

  private func outcomes(_ ranks: Ranks, shards: Bool) throws -> [Outcome] {
    try withRanks(ranks.count, ranksPerNode: ranks.perNode) { communicator in
      let model = withRandomSource(seed: 3, Case.wide.makeModel)
      var options = DataParallel.Options()
      options.shardOptimizer = shards
      options.emaDecay = 0.9
      let parallel = try DataParallel(model, communicator, options: options) { AdamW($0) }
      func state() -> [[Double]] {
        communicator.barrier()
        defer { communicator.barrier() }
        return parallel.optimizer.stateBuffers.map { $0.values.array() }
      }
      func step(_ number: Int) throws {
        _ = try parallel.step(samples: number * 8..<(number + 1) * 8, learningRate: 0.01) {
          Case.wide.loss(model, $0)
        }
      }
      var outcome = Outcome()
      for number in 0..<3 { try step(number) }
      parallel.gatherGradients()
      outcome.gradients = model.parameters.flatMap { $0.grad!.doubles() }
      outcome.parts = state()
      parallel.prepareToSave()
      parallel.prepareToSave()
      try parallel.audit(includesOptimizer: true)
      outcome.whole = state()
      // As if rank zero had read a checkpoint.
      parallel.shareRootState()
      try step(3)
      outcome.after = state()
      parallel.withAverages { outcome.averages = model.parameters.flatMap { $0.doubles() } }
      outcome.weights = model.parameters.flatMap { $0.doubles() }
      return outcome
    }
  }

  @Test(
    "each node keeps a part of the state, and the first one gets all of it to save it",
    arguments: [Ranks(count: 3, perNode: 1), Ranks(count: 4, perNode: 2)])
  fileprivate func state(_ ranks: Ranks) throws {
    let expected = try outcomes(ranks, shards: false)
    let found = try outcomes(ranks, shards: true)
    let nodes = ranks.count / ranks.perNode
    #expect(found[0].whole == expected[0].whole)
    for (rank, outcome) in found.enumerated() {
      #expect(outcome.gradients == expected[rank].gradients)
      #expect(outcome.averages == expected[rank].averages)
      #expect(outcome.weights == expected[rank].weights)
      // The second moment: what a node does not keep is zero, and takes no memory, but for the last page,
      // which may be shorter.
      let pages = outcome.after[1].count / 1024 * 1024
      for (parts, whole) in [
        (outcome.parts[1], expected[0].parts[1]), (outcome.after[1], expected[0].after[1]),
      ] {
        let kept = parts.count { $0 != 0 }
        let all = whole.count { $0 != 0 }
        #expect(kept < all / nodes + 2 * 16384 && kept > 0, "rank \(rank): \(kept) of \(all)")
        #expect(zip(parts, whole).prefix(pages).allSatisfy { $0 == 0 || $0 == $1 })
      }
    }
    // All parts together are everything.
    let firsts = stride(from: 0, to: ranks.count, by: ranks.perNode).map { found[$0].after[1] }
    let isComplete = expected[0].after[1].enumerated().allSatisfy { i, value in
      firsts.contains { $0[i] == value }
    }
    #expect(isComplete)
  }

  @Test("a step that is not made leaves state and parameters alone")
  func discarded() throws {
    for overlap in [Overlap.poll, .thread] {
      let weights = try [false, true].map { shards in
        try withRanks(2, ranksPerNode: 1) { communicator in
          let model = withRandomSource(seed: 3, Case.wide.makeModel)
          var options = DataParallel.Options()
          options.shardOptimizer = shards
          options.checksGradients = true
          options.overlap = overlap
          let parallel = try DataParallel(model, communicator, options: options) { AdamW($0) }
          for number in 0..<4 {
            let take = {
              _ = try parallel.step(samples: number * 8..<(number + 1) * 8, learningRate: 0.01) {
                let loss = Case.wide.loss(model, $0)
                return number == 2 ? loss * Float.infinity : loss
              }
            }
            if number == 2 {
              #expect(throws: NonFiniteStep.self) { try take() }
            } else {
              try take()
            }
          }
          return model.parameters.flatMap { $0.doubles() }
        }
      }
      #expect(weights[0] == weights[1])
      #expect(weights[0][0] == weights[0][1])
    }
  }

  @Test("the parts of all nodes are even, in every bucket but the last")
  func layout() {
    let alignment = BucketLayout.alignment
    for (nodes, chunks) in [(2, 1), (3, 2), (8, 2)] {
      let layout = BucketLayout(
        count: 300 * alignment + 5, bytes: 1 << 19, chunksPerBucket: chunks, partsPerChunk: nodes)
      #expect(layout.buckets.first?.lowerBound == 0)
      #expect(layout.buckets.last?.upperBound == 300 * alignment + 5)
      for (bucket, next) in zip(layout.buckets, layout.buckets.dropFirst()) {
        #expect(bucket.upperBound == next.lowerBound)
        #expect(bucket.count.isMultiple(of: nodes * chunks * alignment))
      }
    }
  }
}
