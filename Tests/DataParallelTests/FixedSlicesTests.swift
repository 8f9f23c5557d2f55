import Base
import Collectives
import DataParallel
import NeuralNetworks
import Optimizers
import TensorCore
import Testing

/// A fixed number of slices of every global batch, on any number of ranks.
@Suite struct FixedSlicesTests {
  @Test("the bits are the same on any number of ranks", arguments: Case.all)
  fileprivate func ranks(_ example: Case) throws {
    for batch in [16, 11, 3] {
      let expected = try train(example, on: .one, batch: batch) { $0.fixedSlices = 4 }[0]
      for overlap in [Overlap.sync, .poll, .thread] {
        for (count, perNode) in [(2, 2), (4, 4), (2, 1), (4, 2), (4, 1)] {
          let ranks = Ranks(count: count, perNode: perNode)
          let found = try train(example, on: ranks, batch: batch) {
            $0.fixedSlices = 4
            $0.overlap = overlap
          }
          #expect(
            found.allSatisfy { $0 == expected },
            "batch \(batch), \(ranks.testDescription), \(overlap)")
        }
      }
    }
  }

  /// Numbers of ranks and nodes that do not share fixed slices evenly, and one that does.
  private static let uneven = [
    (3, 3), (5, 5), (6, 6), (7, 7), (3, 1), (3, 2), (5, 1), (5, 2), (5, 4), (6, 3), (6, 2), (7, 3),
    (8, 3), (4, 3), (4, 1),
  ].map { Ranks(count: $0.0, perNode: $0.1) }

  @Test(
    "the bits are those of one rank also where the ranks do not share the slices evenly",
    arguments: Case.all)
  fileprivate func unevenRanks(_ example: Case) throws {
    for (slices, batch) in [(8, 19), (16, 5)] {
      let expected = try train(example, on: .one, batch: batch) { $0.fixedSlices = slices }[0]
      for (index, ranks) in FixedSlicesTests.uneven.enumerated() {
        let overlap = [Overlap.sync, .poll, .thread][index % 3]
        let found = try train(example, on: ranks, batch: batch) {
          $0.fixedSlices = slices
          $0.overlap = overlap
        }
        #expect(
          found.allSatisfy { $0 == expected },
          "\(slices) slices, \(ranks.testDescription), \(overlap)")
      }
    }
  }

  @Test("as many ranks as slices, and every number below, have the same bits")
  func everyNumber() throws {
    for slices in [2, 4, 8, 16] {
      func run(_ ranks: Ranks) throws -> [[Float]] {
        try train(.mlp, on: ranks, steps: 2, batch: 21) {
          $0.fixedSlices = slices
          $0.gradientClipNorm = 0.1
        } optimizer: {
          LAMB($0)
        }
      }
      let expected = try run(.one)[0]
      for count in 2...slices {
        for perNode in Set([1, 2, 3, count]) where perNode <= count {
          let ranks = Ranks(count: count, perNode: perNode)
          #expect(
            try run(ranks).allSatisfy { $0 == expected },
            "\(slices) slices, \(ranks.testDescription)")
        }
      }
    }
  }

  @Test("float64 has the same bits on any number of ranks and nodes")
  func float64() throws {
    func run(_ ranks: Ranks) throws -> [[Double]] {
      try withRanks(ranks.count, ranksPerNode: ranks.perNode) { communicator in
        let model = Linear(
          weight: (Tensor.arange(12, .float64) / 7).sin().reshaped(to: [3, 4]),
          bias: .zeros([3], .float64))
        var options = DataParallel.Options()
        options.fixedSlices = 8
        let parallel = try DataParallel(model, communicator, options: options) { SGD($0) }
        for step in 0..<3 {
          _ = try parallel.step(samples: step * 16..<(step + 1) * 16, learningRate: 0.1) {
            samples in
            let numbers =
              Tensor.arange(samples.count * 4, .float64) + Double(samples.lowerBound * 4)
            let labels = samples.map { Int32($0 % 3) }
            return crossEntropy(
              model(numbers.sin().reshaped(to: [samples.count, 4])), Tensor(labels))
          }
        }
        return model.weight.doubles()
      }
    }
    let expected = try run(.one)[0]
    for ranks in FixedSlicesTests.uneven + [
      Ranks(count: 4, perNode: 1), Ranks(count: 8, perNode: 2),
    ] {
      #expect(try run(ranks).allSatisfy { $0 == expected }, "\(ranks.testDescription)")
    }
  }

  @Test("between nodes, each sends the sums of its blocks once, and the sums of its part")
  func volume() throws {
    // Nodes of one rank, and the blocks that each has of 8 slices.
    for blocks in [[1, 1], [1, 2, 2], [1, 1, 1, 1], [1, 2, 1, 1, 1], [1, 1, 1, 1, 1, 1]] {
      let nodes = blocks.count
      let sent = try withRanks(nodes, ranksPerNode: 1) { base in
        let communicator = CountingCommunicator(base)
        let model = Linear(60, 1024, bias: false)
        var options = DataParallel.Options()
        options.fixedSlices = 8
        options.bucketMegabytes = nil
        let parallel = try DataParallel(model, communicator, options: options) { SGD($0) }
        let before = communicator.sentBytes
        _ = try parallel.step(samples: 0..<16, learningRate: 0.1) {
          model(.ones([$0.count, 60])).mean()
        }
        return communicator.sentBytes - before
      }
      let bytes = 60 * 1024 * 4
      let expected = blocks.map { ($0 + 1) * (nodes - 1) * bytes / nodes }
      #expect(sent == expected, "\(nodes) nodes")
    }
  }

  @Test("the bits are the same with clipping, micro-batches, AdamW and any number of threads")
  func everything() async {
    // In a process of its own, because the number of threads is global.
    await #expect(processExitsWith: .success) {
      func run(_ ranks: Ranks) throws -> [[Float]] {
        try train(.mlp, on: ranks, batch: 37) {
          $0.fixedSlices = 4
          $0.microBatches = 3
          $0.gradientClipNorm = 0.1
        } optimizer: {
          AdamW($0)
        }
      }
      Threads.count = 1
      let expected = try run(.one)[0]
      #expect(try run(Ranks(count: 4, perNode: 2)).allSatisfy { $0 == expected })
      Threads.count = 2
      #expect(try run(.one)[0] == expected)
      #expect(try run(Ranks(count: 2, perNode: 2)).allSatisfy { $0 == expected })
    }
  }

  @Test("results depend on the number of slices, and are those of one process to rounding")
  func numberOfSlices() throws {
    let plain = try train(.mlp, on: .one)[0]
    let four = try train(.mlp, on: .one) { $0.fixedSlices = 4 }[0]
    let eight = try train(.mlp, on: .one) { $0.fixedSlices = 8 }[0]
    #expect(four != eight && four != plain)
    #expect(difference(four, plain) < roundingBound)
    #expect(difference(eight, plain) < roundingBound)
  }

  @Test(
    "options that do not fit the ranks are explained",
    arguments: [
      (5, 5, 4, "5 ranks"), (2, 2, 6, "not a power of two"), (4, 4, 2, "start at most 2"),
    ])
  func options(_ count: Int, _ perNode: Int, _ slices: Int, _ message: String) {
    let error = #expect(throws: CollectiveFailure.self) {
      _ = try train(.mlp, on: Ranks(count: count, perNode: perNode)) { $0.fixedSlices = slices }
    }
    #expect(error?.description.contains(message) == true, "\(error?.description ?? "none")")
    #expect(error?.exitStatus == .configuration)
  }

  @Test("an all-reduce between nodes that does not add pairwise is refused")
  func algorithm() throws {
    let error = #expect(throws: CollectiveFailure.self) {
      _ = try train(.mlp, on: Ranks(count: 4, perNode: 1), algorithm: .ring) { $0.fixedSlices = 4 }
    }
    #expect(
      error?.description.contains("'ring' does not") == true, "\(error?.description ?? "none")")
    #expect(error?.exitStatus == .configuration)
    // On one node there is no such all-reduce.
    _ = try train(.mlp, on: Ranks(count: 4, perNode: 4), algorithm: .ring) { $0.fixedSlices = 4 }
  }
}
