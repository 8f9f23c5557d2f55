// With ranks: `mpirun -np 3 .build/release/LockstepPackageTests.xctest --testing-library
// swift-testing --filter MPICollectivesTests`.
import Collectives
import Foundation
import MPICollectives
import Testing

@Suite("MPICommunicator without a launcher")
struct MPICommunicatorStartTests {
  @Test("A process that no launcher started is alone and does without MPI")
  func noLauncher() throws {
    let communicator = try MPICommunicator.start(environment: ["SLURM_NTASKS": "4"])
    #expect(communicator is SingleProcess)
  }

  @Test("A run of one rank does without MPI")
  func oneRank() throws {
    let communicator = try MPICommunicator.start(
      environment: ["OMPI_COMM_WORLD_SIZE": "1", "OMPI_COMM_WORLD_RANK": "0"])
    #expect(communicator is SingleProcess)
  }

  @Test("The library tells its name and version in one line")
  func libraryVersion() {
    #expect(MPICommunicator.libraryVersion.contains("MPI v"))
    #expect(!MPICommunicator.libraryVersion.contains("\n"))
  }
}

private let isLaunched = ProcessInfo.processInfo.environment["OMPI_COMM_WORLD_SIZE"] != nil

/// All ranks run these tests in the same order, one at a time.
///
/// Their calls may come from different
/// threads, as Swift Testing likes, but never from two at once.
@Suite(
  "MPICommunicator under a launcher", .serialized,
  .enabled(if: isLaunched, "no launcher started these tests; run them under mpirun"))
struct MPICommunicatorTests {
  /// Small counts, so that the larger buffers of the checks are split.
  nonisolated(unsafe) private static let shared = Result {
    try MPICommunicator(largestCount: 5000)
  }

  /// The communicator, once all ranks have come to the same test.
  private func communicator(_ test: String) throws -> MPICommunicator {
    let communicator = try Self.shared.get()
    try communicator.checkInvariants(["test": test])
    return communicator
  }

  @Test("MPI keeps every promise", arguments: CollectiveSelfTest.all)
  func promises(check: CollectiveSelfTest.Check) throws {
    #expect(check.failures(try communicator(check.description)) == [])
  }

  /// The communicators of emulated nodes, by ranks per node; created by all ranks at the same place.
  nonisolated(unsafe) private static var emulated: [Int: MPICommunicator] = [:]

  @Test(
    "MPI keeps every promise on emulated nodes", arguments: CollectiveSelfTest.all, [1, 2])
  func promisesOnNodes(check: CollectiveSelfTest.Check, ranksPerNode: Int) throws {
    let real = try communicator("\(check.description) \(ranksPerNode)")
    let communicator =
      try Self.emulated[ranksPerNode] ?? real.emulatingNodes(ranksPerNode: ranksPerNode)
    Self.emulated[ranksPerNode] = communicator
    #expect(communicator.node.size <= ranksPerNode)
    #expect(check.failures(communicator) == [])
  }

  @Test("The world is the one that the launcher promised")
  func promisedWorld() throws {
    let launcher = try #require(LauncherEnvironment())
    let communicator = try communicator("world")
    #expect(communicator.worldSize == launcher.worldSize)
    #expect(communicator.rank == launcher.rank)
    let localRank = ProcessInfo.processInfo.environment["OMPI_COMM_WORLD_LOCAL_RANK"]
    #expect(communicator.node.rank == localRank.flatMap { Int($0) })
    try launcher.check(
      worldSize: communicator.worldSize, library: MPICommunicator.libraryVersion)
  }

  @Test("A reduction that is split covers every element")
  func splitReduction() throws {
    let communicator = try communicator("split")
    let rank = communicator.rank
    let count = 12_345
    var whole = (0..<count).map { Float($0 * (rank + 3)) / 7 }
    whole.withUnsafeMutableBufferPointer { communicator.allReduce($0, .max) }
    let largest = communicator.worldSize - 1
    #expect(whole == (0..<count).map { Float($0 * (largest + 3)) / 7 })
  }

  @Test("Threads per rank are no more than the cores")
  func threads() throws {
    let communicator = try communicator("threads")
    let threads = communicator.threadsPerRank()
    #expect(threads >= 1)
    #expect(threads <= Affinity.current.cores.count)
  }
}
