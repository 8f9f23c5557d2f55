import Base
import Collectives
import Configuration
import DataLoading
import Testing
import Training

@Suite struct MemoryEstimateTests {
  @Test("training keeps values, gradients, state, initial weights and batches")
  func bytes() {
    func bytes(_ elements: Int?, _ state: Int, _ batch: Int?, _ ranks: Int) -> Int? {
      MemoryEstimate(
        training: elements, stateBuffers: state, batchByteCount: batch, ranks: ranks
      ).byteCount
    }
    #expect(bytes(10, 0, 0, 1) == 120)
    #expect(bytes(10, 2, 7, 1) == 207)
    #expect(bytes(10, 2, 7, 4) == 4 * 10 * 11 + 28)
    let shared = MemoryEstimate(
      training: 12, stateBuffers: 2, stateNodes: 3, weightCopies: 1, batchByteCount: 7, ranks: 1)
    #expect(shared.byteCount == 4 * 12 * (1 + 1 + 2) + 4 * 12 * 2 / 3 + 7)
    #expect(bytes(nil, 0, 0, 1) == nil && bytes(1, 0, nil, 1) == nil)
    #expect(bytes(1 << 60, 2, 0, 4) == nil && bytes(1, 0, .max, 2) == nil)
    #expect(bytes(1 << 40, 0, .max - 1, 1) == nil)
    #expect(MemoryEstimate(applying: 10, ranks: 3).byteCount == 120)
    #expect(MemoryEstimate(applying: .max, ranks: 1).byteCount == nil)
  }

  @Test("what is too large is refused with both numbers of bytes")
  func check() throws {
    let available = AvailableMemory(byteCount: 1 << 30, limit: "the system")
    let small = MemoryEstimate(applying: 1 << 28, ranks: 1)
    try small.check(available)
    try MemoryEstimate(applying: 1 << 40, ranks: 1).check(nil)
    let error = #expect(throws: ModelTooLarge.self) {
      try MemoryEstimate(applying: 1 << 28, ranks: 2).check(available)
    }
    #expect(error?.exitStatus == .configuration)
    #expect(
      error?.description.contains(
        "268,435,456 parameters on 2 ranks needs at least 2,147,483,648 bytes (2.0 GiB) of memory, "
          + "and the system has 1,073,741,824 bytes (1.0 GiB) available") == true)
    let huge = #expect(throws: ModelTooLarge.self) {
      try MemoryEstimate(applying: nil, ranks: 1).check(available)
    }
    #expect(huge?.description.contains("more than 9,223,372,036,854,775,807 bytes") == true)
  }

  @Test(
    "a model or batch that is too large is refused before it is made, on all ranks",
    arguments: [
      ["model.hidden=[1048576,1048576]"],
      ["model.hidden=[1048576,1048576,1048576]", "optimizer.kind=adamw"],
      ["model.hidden=[" + [String](repeating: "1048576", count: 200).joined(separator: ",") + "]"],
    ])
  func refused(overrides: [String]) throws {
    let configuration = try TrainingConfiguration(overrides: overrides)
    let single = #expect(throws: CollectiveFailure.self) {
      try Trainer(configuration, SingleProcess())
    }
    #expect(single?.exitStatus == .configuration)
    #expect(single?.message.contains("on 1 rank needs at least") == true)
    let failures = try withRanks(3) { communicator in
      do {
        _ = try Trainer(configuration, communicator)
        return nil as CollectiveFailure?
      } catch {
        return error as? CollectiveFailure
      }
    }
    #expect(Set(failures.map { $0?.rank }) == [0])
    #expect(failures[2]?.message.contains("on 3 ranks needs at least") == true)
    // Evaluation needs less, but not little.
    #expect(throws: CollectiveFailure.self) {
      try TrainingTask(configuration, SingleProcess(), loadsInitialWeights: false)
    }
  }

  @Test("the batches of a run count")
  func batches() throws {
    let tokens = TokenDataset(
      (0..<500).map(UInt16.init), vocabularySize: 500, blockSize: 8, windows: .anywhere)
    var options = Trainer.Options()
    options.globalBatch = 64
    // 62 blocks are rounded up to a batch of 64.
    #expect(options.batchByteCount(for: tokens, worldSize: 1) == 64 * 16 * 12)
    #expect(options.batchByteCount(for: tokens, worldSize: 3) == 22 * 16 * 12)
    options.globalBatch = 1_000_000_000
    let bytes = try #require(options.batchByteCount(for: tokens, worldSize: 1))
    #expect(bytes == 1_000_000_000 * 16 * 12)
    let samples = InMemoryDataset(
      inputs: [1, 2, 3, 4], inputShape: [2], labels: [0, 1], classes: 2)
    #expect(options.batchByteCount(for: samples, worldSize: 1) == 2 * 3 * 12 + 2 * 8)
  }
}
