import Base
import Collectives
import Testing

@Suite("Communicator")
struct CommunicatorTests {
  @Test("A single process keeps every promise", arguments: CollectiveSelfTest.all)
  func singleProcess(check: CollectiveSelfTest.Check) {
    #expect(check.failures(SingleProcess()) == [])
  }

  @Test(
    "Threads keep every promise", arguments: CollectiveSelfTest.all, [1, 2, 3, 4, 7])
  func threads(check: CollectiveSelfTest.Check, count: Int) throws {
    let failures = try withRanks(count) { check.failures($0) }
    #expect(failures == Array(repeating: [], count: count))
  }

  @Test(
    "Threads on several nodes keep every promise", arguments: CollectiveSelfTest.all,
    [(2, 1), (4, 2), (3, 1), (6, 2), (5, 2)])
  func threadsOnSeveralNodes(check: CollectiveSelfTest.Check, counts: (Int, Int)) throws {
    let failures = try withRanks(counts.0, ranksPerNode: counts.1) { check.failures($0) }
    #expect(failures == Array(repeating: [], count: counts.0))
  }

  @Test("The checks find a communicator that forgets the last element")
  func checksFindLostElements() throws {
    let failures = try withRanks(2, ranksPerNode: 1) { communicator in
      CollectiveSelfTest.all.map { $0.failures(Forgetful(communicator)).isEmpty }
    }
    let keptPromises = zip(CollectiveSelfTest.all, failures[1]).filter(\.1).map(\.0.description)
    let broken = CollectiveSelfTest.all.count - keptPromises.count
    #expect(broken >= 4, "only these were found wanting: \(keptPromises)")
    #expect(!keptPromises.contains { $0.contains("sums") || $0.contains("same bits") })
  }

  @Test("Sums are taken in the order of the ranks")
  func orderOfSums() throws {
    let terms: [Float] = [1, 1e8, -1e8, 3]
    let sums = try withRanks(4) { communicator in
      var values = [terms[communicator.rank]]
      values.withUnsafeMutableBufferPointer { communicator.allReduce($0, .sum) }
      return values[0]
    }
    #expect(sums == Array(repeating: terms.reduce(0, +), count: 4))
  }

  @Test("Maximum and minimum do not depend on the order of their operands")
  func symmetry() {
    let special: [Double] = [.nan, -.nan, .infinity, -.infinity, 0, -0.0, 1, -1]
    for operation in [ReductionOperation.max, .min] {
      for a in special {
        for b in special {
          var (ab, ba) = (a, b)
          operation.accumulate([b], into: &ab, count: 1)
          operation.accumulate([a], into: &ba, count: 1)
          #expect(ab.bitPattern == ba.bitPattern || (ab.isNaN && ba.isNaN))
          #expect(ab.isNaN == (a.isNaN || b.isNaN))
        }
      }
    }
  }

  @Test("A collective try that succeeds returns the value of each rank")
  func collectiveTry() throws {
    let values = try withRanks(3) { communicator in
      try communicator.collectiveTry { communicator.rank * 10 }
    }
    #expect(values == [0, 10, 20])
  }

  @Test("A nested collective try names the rank that failed first")
  func nestedCollectiveTry() {
    let failure = #expect(throws: CollectiveFailure.self) {
      try withRanks(3) { communicator in
        let inner = Result {
          try communicator.collectiveTry {
            if communicator.rank == 2 { throw Missing() }
          }
        }
        try communicator.collectiveTry { try inner.get() }
      }
    }
    #expect(failure?.rank == 2)
    #expect(failure?.exitStatus == .inputMissing)
    #expect(failure?.description.hasSuffix(": no file") == true)
    #expect(failure?.description.hasPrefix("rank 2 on ") == true)
  }

  @Test("The failure of a single process is only its message")
  func failureOfSingleProcess() {
    let failure = #expect(throws: CollectiveFailure.self) {
      try SingleProcess().collectiveTry { throw Missing() }
    }
    #expect(failure?.description == "no file")
  }

  @Test("Arrays and strings are those of the root, whatever the others give")
  func broadcasts() throws {
    let received = try withRanks(3) { communicator in
      (
        communicator.broadcast(communicator.rank == 1 ? [1.5, 2.5] : [Double](), root: 1),
        communicator.broadcast(String(repeating: "a", count: communicator.rank), root: 2),
        communicator.broadcast(UInt64(communicator.rank), root: 2)
      )
    }
    for (numbers, text, value) in received {
      #expect(numbers == [1.5, 2.5])
      #expect(text == "aa")
      #expect(value == 2)
    }
  }
}

private struct Missing: ExitStatusProviding, CustomStringConvertible {
  let exitStatus = ExitStatus.inputMissing
  var description: String { "no file" }
}

/// Forgets the last element of a reduction, and the last byte of a broadcast, of a segment and of a
/// message.
private final class Forgetful: Communicator {
  private let base: any Communicator

  init(_ base: any Communicator) { self.base = base }

  var rank: Int { base.rank }
  var worldSize: Int { base.worldSize }
  var topology: Topology { base.topology }
  var node: any NodeCommunicator { ForgetfulNode(base.node) }
  var acrossNodes: any InterNodeCommunicator { ForgetfulAcrossNodes(base.acrossNodes) }

  func allReduce(_ buffer: UnsafeMutableBufferPointer<Float>, _ operation: ReductionOperation) {
    base.allReduce(.init(rebasing: buffer.dropLast()), operation)
  }
  func allReduce(_ buffer: UnsafeMutableBufferPointer<Double>, _ operation: ReductionOperation) {
    base.allReduce(.init(rebasing: buffer.dropLast(buffer.count > 1 ? 1 : 0)), operation)
  }
  func broadcast(_ bytes: UnsafeMutableRawBufferPointer, root: Int) {
    base.broadcast(bytes, root: root)
    if rank != root && bytes.count > 8 { bytes[bytes.count - 1] ^= 1 }
  }
  func allGather(_ bytes: [UInt8]) -> [[UInt8]] { base.allGather(bytes) }
  func barrier() { base.barrier() }
  func abort(exitCode: Int32) -> Never { base.abort(exitCode: exitCode) }
  func finalize() { base.finalize() }
}

private final class ForgetfulNode: NodeCommunicator {
  private let base: any NodeCommunicator

  init(_ base: any NodeCommunicator) { self.base = base }

  var rank: Int { base.rank }
  var size: Int { base.size }

  func allocateShared(byteCount: Int) throws(SharedMemoryError) -> SharedMemory {
    let memory = try base.allocateShared(byteCount: byteCount)
    return SharedMemory(
      segments: memory.segments.map { .init(rebasing: $0.dropLast($0.isEmpty ? 0 : 1)) }
    ) { withExtendedLifetime(memory) {} }
  }
  func barrier() { base.barrier() }
}

private final class ForgetfulAcrossNodes: InterNodeCommunicator {
  private let base: any InterNodeCommunicator

  init(_ base: any InterNodeCommunicator) { self.base = base }

  var rank: Int { base.rank }
  var size: Int { base.size }
  var canProgressOnAnyThread: Bool { base.canProgressOnAnyThread }

  func nextTag() -> Int { base.nextTag() }
  func startSend(_ bytes: UnsafeRawBufferPointer, to peer: Int, tag: Int) -> any PendingMessage {
    base.startSend(.init(rebasing: bytes.dropLast()), to: peer, tag: tag)
  }
  func startReceive(
    _ bytes: UnsafeMutableRawBufferPointer, from peer: Int, tag: Int
  ) -> any PendingMessage {
    base.startReceive(.init(rebasing: bytes.dropLast()), from: peer, tag: tag)
  }
}
