// With ranks: `mpirun -np 3 .build/release/LockstepPackageTests.xctest --testing-library
// swift-testing --filter MPICollectivesTests`.
import Collectives
import DataParallel
import Foundation
import MPICollectives
import TensorCore
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
    let version = MPICommunicator.libraryVersion
    #expect(version.contains("MPI"))
    #expect(version.contains { $0.isNumber } && !version.contains { "\n\t".contains($0) })
  }

  @Test(
    "The name and version are found in what libraries tell",
    arguments: [
      ("Open MPI v4.1.4, package: Debian OpenMPI, ident: 4.1.4", "Open MPI v4.1.4"),
      ("MPICH Version:\t4.0.2\nMPICH Release date:\tThu Apr  7", "MPICH 4.0.2"),
      ("MPICH Version:      4.2.0\n", "MPICH 4.2.0"),
      (
        "Intel(R) MPI Library 2021.11 for Linux* OS\0", "Intel(R) MPI Library 2021.11 for Linux* OS"
      ),
    ])
  func shortVersions(full: String, short: String) {
    #expect(MPICommunicator.shortened(libraryVersion: full) == short)
  }
}

private let isLaunched = LauncherEnvironment() != nil

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
    // Open MPI's name, and that of MPICH.
    let environment = ProcessInfo.processInfo.environment
    let localRank = environment["OMPI_COMM_WORLD_LOCAL_RANK"] ?? environment["MPI_LOCALRANKID"]
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

  @Test("Each rank is the first to write its part of the memory of a node")
  func placement() throws {
    let communicator = try communicator("placement")
    let memory = NodeMemory(communicator, bucketBytes: 1 << 20, elementByteCount: 4)
    // Not as much as a huge page, of which the first writer would touch more.
    let byteCount = 20 * 65536
    let storage = memory.allocateCommon(byteCount: byteCount)
    // Alone, a rank has memory of its own.
    guard communicator.node.size > 1 else { return }
    let page = sysconf(Int32(_SC_PAGESIZE))
    let owned = memory.ownedBytes(of: byteCount)
    // Which pages this process has touched, a bit of each entry, where the system tells.
    guard let map = FileHandle(forReadingAtPath: "/proc/self/pagemap") else { return }
    try map.seek(toOffset: UInt64(Int(bitPattern: storage.pointer) / page * 8))
    let entries = try #require(try map.read(upToCount: byteCount / page * 8))
    let touched = (0..<byteCount / page).filter { entries[$0 * 8 + 7] & 0x80 != 0 }
    let own = owned.flatMap { $0.lowerBound / page..<$0.upperBound / page }
    #expect(!own.isEmpty && touched == own)
    communicator.barrier()
    try expectOnOwnNode(storage.pointer)
  }

  /// Expects all pages of a mapping that this process has touched on the NUMA node of its cores, if these
  /// are all of one node.
  private func expectOnOwnNode(_ address: UnsafeMutableRawPointer) throws {
    let cores = Set(Affinity.current.cores)
    let nodes = (0..<64).filter { node in
      let list = try? String(
        contentsOfFile: "/sys/devices/system/node/node\(node)/cpulist", encoding: .utf8)
      let ofNode = list.flatMap {
        Affinity(list: $0.trimmingCharacters(in: .whitespacesAndNewlines))
      }
      return ofNode.map { !cores.isDisjoint(with: $0.cores) } ?? false
    }
    let name = String(Int(bitPattern: address), radix: 16)
    guard nodes.count == 1,
      let maps = try? String(contentsOfFile: "/proc/self/numa_maps", encoding: .utf8),
      let line = maps.split(separator: "\n").first(where: { $0.hasPrefix(name + " ") })
    else { return }
    let counts = line.split(separator: " ").filter { $0.wholeMatch(of: /N\d+=\d+/) != nil }
    #expect(counts.count == 1 && counts[0].hasPrefix("N\(nodes[0])="), "\(line)")
  }
}
