import CMPI

/// One of MPI's communicators: ranks whose messages are kept apart from all others.
struct MPIGroup {
  let communicator: MPI_Comm
  let rank: Int
  let size: Int

  /// All ranks of another communicator.
  init(duplicating other: MPI_Comm) {
    var communicator = cmpi_comm()
    checkMPI(MPI_Comm_dup(other, &communicator.handle), "MPI_Comm_dup")
    self.init(communicator.handle)
  }

  /// The ranks that share memory with this one.
  init(sharingMemoryIn other: MPI_Comm, rank: Int) {
    var communicator = cmpi_comm()
    checkMPI(
      MPI_Comm_split_type(
        other, Int32(MPI_COMM_TYPE_SHARED), Int32(rank), cmpi_info_null(), &communicator.handle),
      "MPI_Comm_split_type")
    self.init(communicator.handle)
  }

  /// The ranks of the same color, ordered by their keys.
  init(splitting other: MPI_Comm, color: Int, key: Int) {
    var communicator = cmpi_comm()
    checkMPI(
      MPI_Comm_split(other, Int32(color), Int32(key), &communicator.handle), "MPI_Comm_split")
    self.init(communicator.handle)
  }

  private init(_ communicator: MPI_Comm) {
    self.communicator = communicator
    MPI_Comm_set_errhandler(communicator, cmpi_errors_return())
    var (rank, size): (Int32, Int32) = (0, 0)
    checkMPI(MPI_Comm_rank(communicator, &rank), "MPI_Comm_rank")
    checkMPI(MPI_Comm_size(communicator, &size), "MPI_Comm_size")
    (self.rank, self.size) = (Int(rank), Int(size))
  }

  /// Replaces the numbers by those of rank zero.
  func broadcast(_ numbers: inout [Int]) {
    let byteCount = Int32(numbers.count * MemoryLayout<Int>.stride)
    checkMPI(MPI_Bcast(&numbers, byteCount, cmpi_byte(), 0, communicator), "MPI_Bcast")
  }

  /// Returns the numbers of each rank; all ranks have equally many.
  func allGather(_ numbers: [Int]) -> [[Int]] {
    var all = [Int](repeating: 0, count: numbers.count * size)
    let byteCount = Int32(numbers.count * MemoryLayout<Int>.stride)
    checkMPI(
      MPI_Allgather(
        numbers, byteCount, cmpi_byte(), &all, byteCount, cmpi_byte(), communicator),
      "MPI_Allgather")
    return (0..<size).map { Array(all[($0 * numbers.count)..<(($0 + 1) * numbers.count)]) }
  }
}
