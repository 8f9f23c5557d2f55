import Collectives
import Foundation
import Testing

@Suite("ThreadCommunicator", .timeLimit(.minutes(2)))
struct ThreadCommunicatorTests {
  struct Failure: Error, Equatable {
    let rank: Int
  }

  @Test("Results come by rank")
  func results() throws {
    let ranks = try withRanks(5) { communicator in
      Thread.sleep(forTimeInterval: 0.002 * Double(5 - communicator.rank))
      return communicator.rank
    }
    #expect(ranks == [0, 1, 2, 3, 4])
  }

  @Test("A rank that throws stops the ones that wait for it", arguments: 0..<3)
  func throwing(rank: Int) {
    let failure = #expect(throws: Failure.self) {
      try withRanks(3) { communicator in
        communicator.barrier()
        if communicator.rank == rank { throw Failure(rank: rank) }
        communicator.barrier()
      }
    }
    #expect(failure == Failure(rank: rank))
  }

  @Test("The error of the lowest rank is the one that is thrown")
  func lowestError() {
    let failure = #expect(throws: Failure.self) {
      try withRanks(4) { communicator in
        if communicator.rank > 0 { throw Failure(rank: communicator.rank) }
        communicator.barrier()
      }
    }
    #expect(failure == Failure(rank: 1))
  }

  @Test("A rank that returns early is found by those that wait for it")
  func returningEarly() {
    let failure = #expect(throws: CollectiveFailure.self) {
      try withRanks(3) { communicator in
        if communicator.rank != 1 { communicator.barrier() }
      }
    }
    #expect(failure?.message == "waits in barrier, but another rank has ended")
  }

  @Test("Ranks that call different collectives are told which")
  func differentCalls() {
    let failure = #expect(throws: CollectiveFailure.self) {
      try withRanks(2) { communicator in
        if communicator.rank == 0 {
          communicator.barrier()
        } else {
          _ = communicator.allReduce([1, 2, 3], .sum)
        }
      }
    }
    #expect(
      failure?.message == "calls barrier, but rank 1 calls allReduce (sum of Double, count 3)")
  }

  @Test("Reductions of different lengths are an error and not a crash")
  func differentCounts() {
    let failure = #expect(throws: CollectiveFailure.self) {
      try withRanks(3) { communicator in
        _ = communicator.allReduce([Double](repeating: 1, count: 1 + communicator.rank / 2), .max)
      }
    }
    #expect(
      failure?.message.contains("but rank 2 calls allReduce (max of Double, count 2)") == true)
  }

  @Test("A rank that waits for a message of one that has ended is told")
  func missingMessage() {
    let failure = #expect(throws: CollectiveFailure.self) {
      try withRanks(2, ranksPerNode: 1) { communicator in
        if communicator.rank == 1 { return }
        var value: Float = 0
        withUnsafeMutableBytes(of: &value) { bytes in
          let message = communicator.acrossNodes.startReceive(bytes, from: 1, tag: 0)
          while !message.test() {}
        }
      }
    }
    #expect(failure?.rank == 0)
    #expect(failure?.message == "waits for a message of rank 1, which has ended")
  }

  @Test("Messages of different lengths are an error and not a crash")
  func differentLengths() {
    let failure = #expect(throws: CollectiveFailure.self) {
      try withRanks(2, ranksPerNode: 1) { communicator in
        var bytes = [UInt8](repeating: 1, count: 4 + communicator.rank)
        bytes.withUnsafeMutableBytes { bytes in
          let ranks = communicator.acrossNodes
          let message: any PendingMessage =
            ranks.rank == 0
            ? ranks.startSend(UnsafeRawBufferPointer(bytes), to: 1, tag: 3)
            : ranks.startReceive(bytes, from: 0, tag: 3)
          while !message.test() {}
        }
        communicator.barrier()
      }
    }
    #expect(failure?.message == "receives 5 bytes from rank 0, which sends 4")
  }

  @Test("The barrier of a node does not wait for other nodes")
  func nodeBarrier() throws {
    let order = try withRanks(4, ranksPerNode: 2) { communicator in
      if communicator.topology.nodeIndex == 0 { communicator.node.barrier() }
      communicator.barrier()
      return communicator.node.rank
    }
    #expect(order == [0, 1, 0, 1])
  }

  @Test("A rank in its node's barrier is told when another one of its node calls something else")
  func differentGroups() {
    let failure = #expect(throws: CollectiveFailure.self) {
      try withRanks(4, ranksPerNode: 2) { communicator in
        if communicator.rank == 3 { communicator.node.barrier() } else { communicator.barrier() }
      }
    }
    // Which of the two waiting ranks comes first is chance, the pair is not.
    #expect(failure?.message.contains("node.barrier") == true, "\(failure?.message ?? "none")")
  }

  @Test("Many small collectives in a row keep the ranks together")
  func manyCollectives() throws {
    let totals = try withRanks(4) { communicator in
      var total = 0.0
      for step in 0..<1000 {
        total += communicator.allReduce(Double(communicator.rank + step), .sum)
      }
      return total
    }
    #expect(totals == Array(repeating: Double(4 * 499_500 + 6 * 1000), count: 4))
  }

  @Test("A rank has room for deep recursion")
  func deepStack() throws {
    let depths = try withRanks(2) { depth(from: 0, to: 40_000 + $0.rank) }
    #expect(depths == [40_000, 40_001])
  }

  /// Recurses with a frame of more than a hundred bytes, past the stack of a plain thread.
  @inline(never)
  private func depth(from start: Int, to end: Int) -> Int {
    if start == end { return end }
    return withUnsafeTemporaryAllocation(of: Int.self, capacity: 16) { frame in
      frame[start % 16] = start
      return max(frame[start % 16], depth(from: start + 1, to: end))
    }
  }
}
