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
      (3, 3, 4, "3 ranks"), (2, 2, 6, "not a power of two"), (4, 4, 2, "start 1, 2"),
      (4, 3, 4, "the same power of two of ranks"),
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
