// The ranks of a run that an MPI launcher started. The only code that knows MPI.
import COpenMPI
import CSharedMemory
public import Collectives
public import Foundation

#if canImport(Glibc)
  import Glibc
#endif

/// The ranks that an MPI launcher started.
///
/// There can be one in a process, and once finalised there is none any more. Calls may come from any
/// thread, but collectives only from one at a time; sums across machines may advance on another.
///
/// A process that exits with code 0 without `finalize()` is finalised on the way out, when all ranks
/// do so; one that exits with another code is not, so that the launcher ends the other ranks instead
/// of letting them wait for this one.
public final class MPICommunicator: Communicator {
  /// The number of this process in MPI's world.
  public let rank: Int
  /// The size of MPI's world.
  public let worldSize: Int
  /// The number of this rank among those that share memory with it.
  public let localRank: Int
  /// The number of ranks that share memory with this one.
  public let localSize: Int
  /// The lowest rank that shares memory with this one.
  public let nodeLeader: Int
  /// Whether this build of MPI takes calls from several threads at a time.
  public let canAdvanceOnAnyThread: Bool

  // Gradients travel apart from everything else, so that the two can never be taken for each other.
  private let gradients: MPI_Comm
  private let control: MPI_Comm
  /// The ranks of this machine.
  private let node: MPI_Comm
  /// The ranks of this local rank on all machines.
  private let counterparts: MPI_Comm
  private var startedSums: Int32 = 0
  /// Where the ranks of this machine wait for each other.
  private var meeting: SharedMemory?
  private let floatOperations: Operations
  private let doubleOperations: Operations
  private let largestCount: Int

  /// Initialises MPI.
  public convenience init() throws(LaunchError) {
    // Counts are Int32 in MPI 3, and parts of Open MPI compute sizes in bytes as Int32 too.
    try self.init(largestCount: 1 << 27)
  }

  /// Initialises MPI; calls with more than `largestCount` elements are split.
  package init(largestCount: Int) throws(LaunchError) {
    var isInitialized: Int32 = 0
    MPI_Initialized(&isInitialized)
    precondition(isInitialized == 0, "MPICommunicator: MPI is initialised once in a process")

    // Sums across machines may be driven by a thread of their own while this one computes, and calls
    // MPI at the end of its step.
    var provided: Int32 = 0
    let status = MPI_Init_thread(nil, nil, Int32(MPI_THREAD_MULTIPLE), &provided)
    guard status == MPI_SUCCESS, Int(provided) >= Int(MPI_THREAD_SERIALIZED) else {
      throw LaunchError(
        description:
          "MPI (\(Self.libraryVersion)) does not support calls from more than one thread "
          + "(MPI_THREAD_SERIALIZED); use a build of Open MPI with thread support")
    }
    let world: MPI_Comm = cmpi_comm_world()
    MPI_Comm_set_errhandler(world, cmpi_errors_return())
    on_exit({ status, _ in finalizeAtExit(status) }, nil)

    canAdvanceOnAnyThread = Int(provided) >= Int(MPI_THREAD_MULTIPLE)
    rank = Int(number { MPI_Comm_rank(world, $0) })
    worldSize = Int(number { MPI_Comm_size(world, $0) })
    gradients = duplicate(world)
    control = duplicate(world)

    var node: MPI_Comm?
    check(
      MPI_Comm_split_type(
        world, Int32(MPI_COMM_TYPE_SHARED), Int32(rank), cmpi_info_null(), &node),
      "MPI_Comm_split_type")
    self.node = node!
    localRank = Int(number { MPI_Comm_rank(node, $0) })
    localSize = Int(number { MPI_Comm_size(node, $0) })
    MPI_Comm_set_errhandler(node, cmpi_errors_return())
    var leader = Int32(rank)
    check(
      MPI_Bcast(&leader, Int32(MemoryLayout<Int32>.size), cmpi_byte(), 0, node), "MPI_Bcast")
    nodeLeader = Int(leader)
    var counterparts: MPI_Comm?
    check(MPI_Comm_split(world, Int32(localRank), leader, &counterparts), "MPI_Comm_split")
    MPI_Comm_set_errhandler(counterparts, cmpi_errors_return())
    self.counterparts = counterparts!

    floatOperations = Operations(
      datatype: cmpi_float(),
      max: makeOperation { input, output, count, _ in
        accumulate(.max, input, output, count, of: Float.self)
      },
      min: makeOperation { input, output, count, _ in
        accumulate(.min, input, output, count, of: Float.self)
      })
    doubleOperations = Operations(
      datatype: cmpi_double(),
      max: makeOperation { input, output, count, _ in
        accumulate(.max, input, output, count, of: Double.self)
      },
      min: makeOperation { input, output, count, _ in
        accumulate(.min, input, output, count, of: Double.self)
      })
    self.largestCount = largestCount
    do {
      meeting = try allocateShared(
        byteCount: localRank == 0 ? MemoryLayout<csm_barrier>.stride : 0)
    } catch {
      throw LaunchError(description: error.description)
    }
  }

  /// Replaces each element by its reduction over the ranks.
  public func allReduce(
    _ buffer: UnsafeMutableBufferPointer<Float>, _ operation: ReductionOperation
  ) {
    reduce(buffer, operation, floatOperations, on: gradients)
  }

  /// Replaces each element by its reduction over the ranks.
  public func allReduce(
    _ buffer: UnsafeMutableBufferPointer<Double>, _ operation: ReductionOperation
  ) {
    reduce(buffer, operation, doubleOperations, on: control)
  }

  /// Starts a sum by messages between counterparts, which travel while it is advanced.
  public func startSumAcrossNodes(
    _ buffer: UnsafeMutableBufferPointer<Float>
  ) -> any PendingReduction {
    defer { startedSums += 1 }
    return SumAcrossNodes(buffer, counterparts, number: startedSums)
  }

  /// Brings in anonymous memory, which the others of this machine map too.
  public func allocateShared(byteCount: Int) throws(SharedMemoryError) -> SharedMemory {
    let size = max(byteCount, 1)
    var descriptor: Int32 = -1
    var own: UnsafeMutableRawPointer? = csm_create(size, &descriptor)
    var failure = own == nil ? Int(errno) : 0
    let offers = gather([failure == 0 ? 1 : 0, Int(getpid()), Int(descriptor), byteCount])
    var segments: [UnsafeMutableRawBufferPointer] = []
    if offers.allSatisfy({ $0[0] == 1 }) {
      for (local, offer) in offers.enumerated() {
        let memory =
          local == localRank
          ? own : csm_open(Int32(offer[1]), Int32(offer[2]), max(offer[3], 1))
        guard let memory else {
          failure = Int(errno)
          break
        }
        segments.append(UnsafeMutableRawBufferPointer(start: memory, count: offer[3]))
      }
    }
    let failures = gather([failure]).map { $0[0] }
    if descriptor >= 0 { csm_close(descriptor) }
    let release = { [segments] in
      for segment in segments { csm_unmap(segment.baseAddress, max(segment.count, 1)) }
    }
    if let failure = failures.first(where: { $0 != 0 }) {
      if segments.isEmpty, let own { csm_unmap(own, size) }
      own = nil
      release()
      throw SharedMemoryError(
        byteCount: byteCount, reason: String(cString: strerror(Int32(failure))))
    }
    return SharedMemory(segments: segments, release: release)
  }

  /// Numbers of each rank of this machine.
  private func gather(_ numbers: [Int]) -> [[Int]] {
    var all = [Int](repeating: 0, count: numbers.count * localSize)
    let size = Int32(numbers.count * MemoryLayout<Int>.size)
    check(
      MPI_Allgather(numbers, size, cmpi_byte(), &all, size, cmpi_byte(), node), "MPI_Allgather")
    return (0..<localSize).map { Array(all[($0 * numbers.count)..<(($0 + 1) * numbers.count)]) }
  }

  /// Returns when every rank of this machine has come here.
  public func nodeBarrier() {
    guard localSize > 1, let meeting else { return }
    let barrier = meeting.segments[0].baseAddress!.assumingMemoryBound(to: csm_barrier.self)
    let ticket = csm_arrive(barrier, UInt32(localSize))
    while !csm_has_passed(barrier, ticket, 1000) {
      // Others may wait for a message that leaves only when MPI is called.
      var isThere: Int32 = 0
      check(
        MPI_Iprobe(
          cmpi_any_source(), cmpi_any_tag(), counterparts, &isThere, cmpi_status_ignore()),
        "MPI_Iprobe")
      sched_yield()
    }
  }

  /// Copies the bytes of rank `root` to every rank.
  public func broadcast(_ bytes: UnsafeMutableRawBufferPointer, root: Int) {
    precondition(
      root >= 0 && root < worldSize, "broadcast: there is no rank \(root) in a run of \(worldSize)")
    for part in parts(of: bytes.count) {
      let start = bytes.baseAddress.map { $0 + part.lowerBound }
      check(
        MPI_Bcast(start, Int32(part.count), cmpi_byte(), Int32(root), control),
        "MPI_Bcast of \(part.count) bytes from rank \(root)")
    }
  }

  /// Returns the bytes of every rank, in rank order.
  public func allGather(_ bytes: [UInt8]) -> [[UInt8]] {
    let size = Int32(MemoryLayout<Int>.size)
    var counts = [Int](repeating: 0, count: worldSize)
    var count = bytes.count
    check(
      MPI_Allgather(&count, size, cmpi_byte(), &counts, size, cmpi_byte(), control),
      "MPI_Allgather")
    // One broadcast for each rank: what is gathered is small, and any length can be split.
    return counts.indices.map { root in
      var part = root == rank ? bytes : [UInt8](repeating: 0, count: counts[root])
      part.withUnsafeMutableBytes { broadcast($0, root: root) }
      return part
    }
  }

  /// Returns when every rank has come here.
  public func barrier() {
    check(MPI_Barrier(control), "MPI_Barrier")
  }

  /// Ends every rank at once; the launcher exits with the code.
  public func abort(exitCode: Int32) -> Never {
    endAllRanks(exitCode: exitCode)
  }

  /// Ends the use of MPI; waits until every rank has come here.
  ///
  /// To be called before the process exits, whatever its code, when all ranks exit together.
  public func finalize() {
    var isFinalized: Int32 = 0
    MPI_Finalized(&isFinalized)
    if isFinalized == 0 { check(MPI_Finalize(), "MPI_Finalize") }
  }

  /// The name and version of the MPI library, such as `Open MPI v4.1.4`.
  public static var libraryVersion: String {
    var text = [CChar](repeating: 0, count: Int(MPI_MAX_LIBRARY_VERSION_STRING))
    var length: Int32 = 0
    MPI_Get_library_version(&text, &length)
    let full = String(
      decoding: text.prefix(Int(length)).map(UInt8.init(bitPattern:)), as: UTF8.self)
    return String(full.prefix { $0 != "," && $0 != "\0" && $0 != "\n" })
  }

  private func reduce<Scalar>(
    _ buffer: UnsafeMutableBufferPointer<Scalar>, _ operation: ReductionOperation,
    _ operations: Operations, on communicator: MPI_Comm
  ) {
    for part in parts(of: buffer.count) {
      let start = buffer.baseAddress.map { $0 + part.lowerBound }
      check(
        MPI_Allreduce(
          cmpi_in_place(), start, Int32(part.count), operations.datatype, operations[operation],
          communicator),
        "MPI_Allreduce (\(operation)) of \(part.count) \(Scalar.self) values")
    }
  }

  /// The ranges of at most `largestCount` elements that make up `count`.
  private func parts(of count: Int) -> [Range<Int>] {
    stride(from: 0, to: count, by: largestCount).map { $0..<min($0 + largestCount, count) }
  }
}

extension MPICommunicator {
  /// Returns the ranks of this run: those of MPI under a launcher, and otherwise this process alone.
  ///
  /// Throws when the launcher has promised another number of ranks than MPI finds, as happens when
  /// the two do not belong together and each process runs for itself.
  public static func start(
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) throws(LaunchError) -> any Communicator {
    guard let launcher = LauncherEnvironment(environment), launcher.worldSize != 1 else {
      return SingleProcess()
    }
    // Open MPI then ends the process from within its initialisation, where nobody can explain it.
    if launcher.launcher == .srun, launcher.rank == 0, environment["PMIX_RANK"] == nil {
      let note = "note: srun offers no PMIx; should MPI fail now, use srun --mpi=pmix or mpirun\n"
      FileHandle.standardError.write(Data(note.utf8))
    }
    let communicator = try MPICommunicator()
    try launcher.check(worldSize: communicator.worldSize, library: libraryVersion)
    return communicator
  }
}

/// MPI's names for a scalar type and its reductions.
private struct Operations {
  let datatype: MPI_Datatype
  let max: MPI_Op
  let min: MPI_Op

  subscript(operation: ReductionOperation) -> MPI_Op {
    switch operation {
    case .sum: cmpi_sum()
    case .max: max
    case .min: min
    }
  }
}

private typealias OperationBody =
  @convention(c) (
    UnsafeMutableRawPointer?, UnsafeMutableRawPointer?, UnsafeMutablePointer<Int32>?,
    UnsafeMutablePointer<MPI_Datatype?>?
  ) -> Void

/// Our own maximum and minimum: MPI's depend on the order when a value is not a number, and the
/// order is not the same on all ranks.
private func makeOperation(_ body: OperationBody) -> MPI_Op {
  var operation: MPI_Op?
  check(MPI_Op_create(body, 1, &operation), "MPI_Op_create")
  return operation!
}

private func accumulate<Scalar: BinaryFloatingPoint>(
  _ operation: ReductionOperation, _ input: UnsafeMutableRawPointer?,
  _ output: UnsafeMutableRawPointer?, _ count: UnsafeMutablePointer<Int32>?, of type: Scalar.Type
) {
  guard let input, let output, let count else { return }
  operation.accumulate(
    UnsafePointer(input.assumingMemoryBound(to: type)), into: output.assumingMemoryBound(to: type),
    count: Int(count.pointee))
}

private func duplicate(_ communicator: MPI_Comm) -> MPI_Comm {
  var copy: MPI_Comm?
  check(MPI_Comm_dup(communicator, &copy), "MPI_Comm_dup")
  MPI_Comm_set_errhandler(copy, cmpi_errors_return())
  return copy!
}

private func number(_ ask: (UnsafeMutablePointer<Int32>) -> Int32) -> Int32 {
  var answer: Int32 = 0
  check(ask(&answer), "a question to MPI")
  return answer
}

/// Ends all ranks when a call to MPI failed: a run that has lost a rank cannot go on.
func check(_ status: Int32, _ call: @autoclosure () -> String) {
  if status == MPI_SUCCESS { return }
  var text = [CChar](repeating: 0, count: Int(MPI_MAX_ERROR_STRING))
  var length: Int32 = 0
  MPI_Error_string(status, &text, &length)
  let reason = String(
    decoding: text.prefix(Int(length)).map(UInt8.init(bitPattern:)), as: UTF8.self)
  report("\(call()) failed: \(reason)")
  endAllRanks(exitCode: 70)
}

private func report(_ message: String) {
  var rank: Int32 = 0
  MPI_Comm_rank(cmpi_comm_world(), &rank)
  FileHandle.standardError.write(Data("lockstep: rank \(rank) on \(hostName()): \(message)\n".utf8))
}

private func endAllRanks(exitCode: Int32) -> Never {
  // MPI_Abort ends the process without flushing.
  fflush(nil)
  MPI_Abort(cmpi_comm_world(), exitCode)
  _exit(exitCode)
}

/// How long a rank that exits without `finalize()` waits for the others to exit too.
private let patienceAtExit = Duration.seconds(30)

private func finalizeAtExit(_ status: Int32) {
  var isFinalized: Int32 = 0
  MPI_Finalized(&isFinalized)
  guard status == 0, isFinalized == 0 else { return }
  // MPI_Finalize would wait for ever when another rank has not come to its end.
  var request: MPI_Request?
  check(MPI_Ibarrier(cmpi_comm_world(), &request), "MPI_Ibarrier")
  let deadline = ContinuousClock.now + patienceAtExit
  var isDone: Int32 = 0
  while isDone == 0 {
    check(MPI_Test(&request, &isDone, cmpi_status_ignore()), "MPI_Test")
    if isDone == 0 && ContinuousClock.now > deadline {
      report("this rank has exited, but others still run after \(patienceAtExit)")
      endAllRanks(exitCode: 70)
    }
    if isDone == 0 { usleep(1000) }
  }
  MPI_Finalize()
}
