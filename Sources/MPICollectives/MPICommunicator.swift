import Base
import CMPI
public import Collectives
public import Foundation
import Logging

/// The ranks that an MPI launcher started.
///
/// There can be one in a process, and after `finalize()` none any more. Calls may come from any
/// thread, but collectives only from one at a time; messages between nodes may be started and tested
/// on another one.
///
/// If a process exits with code 0 without `finalize()`, MPI is finalized on the way out once all
/// ranks do the same. If it does so in the middle of a step, or exits with another code, MPI is not
/// finalized, so that the launcher ends the other ranks instead of letting them wait for this one.
public final class MPICommunicator: Communicator {
  /// The number of this process in MPI's world.
  public let rank: Int
  /// The size of MPI's world.
  public let worldSize: Int
  /// Which ranks share memory, and so run on one node.
  public let topology: Topology
  /// The ranks that share memory with this one.
  public let node: any NodeCommunicator
  /// The ranks of this local rank on all nodes.
  public let acrossNodes: any InterNodeCommunicator

  // Floats have a communicator of their own, so that no message can be taken for a gradient.
  private let floats: MPIGroup
  private let control: MPIGroup
  private let floatOperations: MPIOperations
  private let doubleOperations: MPIOperations
  private let largestCount: Int

  /// Initializes MPI.
  public convenience init() throws(LaunchError) {
    // Counts are Int32 in MPI 3, and parts of Open MPI compute sizes in bytes as Int32 too.
    try self.init(largestCount: 1 << 27)
  }

  /// Initializes MPI; calls with more than `largestCount` elements are split.
  package convenience init(largestCount: Int) throws(LaunchError) {
    try MPICommunicator.initializeMPI()
    try self.init(largestCount: largestCount, ranksPerNode: nil)
  }

  /// The same ranks as if they ran on several nodes, `ranksPerNode` consecutive ones on each.
  ///
  /// Collective: all ranks call it. For tests of what happens between nodes.
  package func emulatingNodes(ranksPerNode: Int) throws(LaunchError) -> MPICommunicator {
    try MPICommunicator(largestCount: largestCount, ranksPerNode: ranksPerNode)
  }

  private init(largestCount: Int, ranksPerNode: Int?) throws(LaunchError) {
    let world: MPI_Comm = cmpi_comm_world()
    floats = MPIGroup(duplicating: world)
    let control = MPIGroup(duplicating: world)
    self.control = control
    (rank, worldSize) = (control.rank, control.size)
    let nodeGroup: MPIGroup
    if let ranksPerNode {
      nodeGroup = MPIGroup(splitting: world, color: rank / ranksPerNode, key: rank)
    } else {
      nodeGroup = MPICommunicator.ranksSharingMemory(with: control)
    }
    var leader = [rank]
    nodeGroup.broadcast(&leader)
    topology = Topology(
      rank: rank, nodeOfRank: control.allGather([leader[0]]).map { $0[0] })
    let counterparts = MPIGroup(splitting: world, color: nodeGroup.rank, key: leader[0])
    acrossNodes = MPIAcrossNodes(counterparts, largestCount: largestCount)
    do {
      node = try MPINode(nodeGroup, progressing: counterparts)
    } catch {
      throw LaunchError(description: error.description)
    }
    floatOperations = .floats()
    doubleOperations = .doubles()
    self.largestCount = largestCount
  }

  /// The ranks that share memory with this one; those that run on the same host without sharing
  /// memory count as nodes of their own.
  private static func ranksSharingMemory(with world: MPIGroup) -> MPIGroup {
    let host = MPIGroup(sharingMemoryIn: world.communicator, rank: world.rank)
    var first = [world.rank]
    host.broadcast(&first)
    let classes = host.memorySharingClasses()
    let isSplit = Set(classes).count > 1
    let hosts = world.allGather([isSplit ? 1 : 0, first[0]])
    if world.rank == 0, let other = hosts.first(where: { $0[0] == 1 }) {
      let ranks = hosts.indices.filter { hosts[$0] == other }.map(String.init)
      Logger(label: "lockstep.mpi").warning(
        """
        ranks \(ranks.joined(separator: ", ")) run on one host but cannot share memory, as in containers or PID \
        namespaces of their own; they exchange all gradients in MPI messages, which is slower. Start the ranks of \
        a host in one container
        """)
    }
    guard isSplit else { return host }
    return MPIGroup(splitting: host.communicator, color: classes[host.rank], key: host.rank)
  }

  private static func initializeMPI() throws(LaunchError) {
    var isInitialized: Int32 = 0
    MPI_Initialized(&isInitialized)
    precondition(isInitialized == 0, "MPICommunicator: MPI is initialized once in a process")

    // The progress thread calls MPI while this thread computes or reduces the step header.
    var provided: Int32 = 0
    let status = MPI_Init_thread(nil, nil, Int32(MPI_THREAD_MULTIPLE), &provided)
    guard status == MPI_SUCCESS, Int(provided) >= Int(MPI_THREAD_SERIALIZED) else {
      throw LaunchError(
        description:
          "MPI (\(libraryVersion)) does not support calls from more than one thread "
          + "(MPI_THREAD_SERIALIZED); use a build of it with thread support")
    }
    MPI_Comm_set_errhandler(cmpi_comm_world(), cmpi_errors_return())
    finalizeMPIAtExit()
  }

  /// Replaces each element by its reduction over the ranks.
  public func allReduce(
    _ buffer: UnsafeMutableBufferPointer<Float>, _ operation: ReductionOperation
  ) {
    reduce(buffer, operation, floatOperations, on: floats)
  }

  /// Replaces each element by its reduction over the ranks.
  public func allReduce(
    _ buffer: UnsafeMutableBufferPointer<Double>, _ operation: ReductionOperation
  ) {
    reduce(buffer, operation, doubleOperations, on: control)
  }

  private func reduce<Scalar>(
    _ buffer: UnsafeMutableBufferPointer<Scalar>, _ operation: ReductionOperation,
    _ operations: MPIOperations, on group: MPIGroup
  ) {
    Activity.waiting(for: .allReduce) {
      for range in ranges(of: buffer.count, atMost: largestCount) {
        let start = buffer.baseAddress.map { $0 + range.lowerBound }
        checkMPI(
          MPI_Allreduce(
            cmpi_in_place(), start, Int32(range.count), operations.datatype, operations[operation],
            group.communicator),
          "MPI_Allreduce (\(operation)) of \(range.count) \(Scalar.self) values")
      }
    }
  }

  /// Copies the bytes of rank `root` to every rank.
  public func broadcast(_ bytes: UnsafeMutableRawBufferPointer, root: Int) {
    precondition(
      root >= 0 && root < worldSize, "broadcast: there is no rank \(root) in a run of \(worldSize)")
    Activity.waiting(for: .broadcast) {
      for range in ranges(of: bytes.count, atMost: largestCount) {
        let start = bytes.baseAddress.map { $0 + range.lowerBound }
        checkMPI(
          MPI_Bcast(start, Int32(range.count), cmpi_byte(), Int32(root), control.communicator),
          "MPI_Bcast of \(range.count) bytes from rank \(root)")
      }
    }
  }

  /// Returns the bytes of every rank, in rank order.
  public func allGather(_ bytes: [UInt8]) -> [[UInt8]] {
    let counts = Activity.waiting(for: .allGather) {
      control.allGather([bytes.count]).map { $0[0] }
    }
    // One broadcast for each rank: what is gathered is small, and any length can be split.
    return counts.indices.map { root in
      var gathered = root == rank ? bytes : [UInt8](repeating: 0, count: counts[root])
      gathered.withUnsafeMutableBytes { broadcast($0, root: root) }
      return gathered
    }
  }

  /// Returns when every rank has called it.
  public func barrier() {
    Activity.waiting(for: .barrier) {
      checkMPI(MPI_Barrier(control.communicator), "MPI_Barrier")
    }
  }

  /// Ends every rank at once; the launcher exits with the code.
  public func abort(exitCode: Int32) -> Never {
    abortMPI(exitCode: exitCode)
  }

  /// Finalizes MPI; waits until every rank has called it.
  public func finalize() {
    var isFinalized: Int32 = 0
    MPI_Finalized(&isFinalized)
    guard isFinalized == 0 else { return }
    Activity.begin(.ending)
    Activity.waiting(for: .finalize) { checkMPI(MPI_Finalize(), "MPI_Finalize") }
  }

  /// The name and version of the MPI library, such as `Open MPI v4.1.4` or `MPICH 4.0.2`.
  public static var libraryVersion: String {
    var text = [CChar](repeating: 0, count: Int(MPI_MAX_LIBRARY_VERSION_STRING))
    var length: Int32 = 0
    MPI_Get_library_version(&text, &length)
    let full = String(
      decoding: text.prefix(Int(length)).map(UInt8.init(bitPattern:)), as: UTF8.self)
    return shortened(libraryVersion: full)
  }

  /// Whether the MPI library is Open MPI, whose launcher has options of its own.
  package static var isOpenMPI: Bool { libraryVersion.hasPrefix("Open MPI") }

  /// The name and version in what a library tells about itself: MPICH tells much more, with `Version:` in
  /// front of the number.
  package static func shortened(libraryVersion full: String) -> String {
    full.prefix { $0 != "," && $0 != "\0" && $0 != "\n" }
      .split { $0 == " " || $0 == "\t" }.filter { $0 != "Version:" }.joined(separator: " ")
  }
}

extension MPICommunicator {
  /// Returns the ranks of this run: those of MPI under a launcher, otherwise this process alone.
  ///
  /// Throws when the launcher has promised another number of ranks than MPI finds, as happens when
  /// the two do not belong together and each process runs for itself.
  public static func start(
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) throws(LaunchError) -> any Communicator {
    guard let launcher = LauncherEnvironment(environment), launcher.worldSize != 1 else {
      return SingleProcess()
    }
    // Open MPI then ends the process during its initialization, where nobody can explain it.
    if launcher.launcher == .srun, launcher.rank == 0, environment["PMIX_RANK"] == nil, isOpenMPI {
      Logger(label: "lockstep.mpi").notice(
        "srun offers no PMIx; should MPI fail now, use srun --mpi=pmix or mpirun")
    }
    let communicator = try MPICommunicator()
    try launcher.check(worldSize: communicator.worldSize, library: libraryVersion)
    return communicator
  }
}
