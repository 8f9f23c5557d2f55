import CMPI
import Collectives

/// The ranks of this local rank on all nodes.
final class MPIAcrossNodes: InterNodeCommunicator {
  let canProgressOnAnyThread: Bool
  private let group: MPIGroup
  private let largestCount: Int
  private var tags = 0

  /// Messages of more than `largestCount` bytes are split.
  init(_ group: MPIGroup, largestCount: Int) {
    self.group = group
    self.largestCount = largestCount
    var provided: Int32 = 0
    checkMPI(MPI_Query_thread(&provided), "MPI_Query_thread")
    canProgressOnAnyThread = Int(provided) >= Int(MPI_THREAD_MULTIPLE)
  }

  var rank: Int { group.rank }
  var size: Int { group.size }

  func nextTag() -> Int {
    // Tags up to 32767 always exist.
    defer { tags = (tags + 1) % 32768 }
    return tags
  }

  func startSend(_ bytes: UnsafeRawBufferPointer, to peer: Int, tag: Int) -> any PendingMessage {
    MPIMessage(bytes.count, atMost: largestCount) { range, request in
      checkMPI(
        MPI_Isend(
          bytes.baseAddress.map { $0 + range.lowerBound }, Int32(range.count), cmpi_byte(),
          Int32(peer), Int32(tag), group.communicator, &request.handle),
        "MPI_Isend of \(range.count) bytes to node \(peer)")
    }
  }

  func startReceive(
    _ bytes: UnsafeMutableRawBufferPointer, from peer: Int, tag: Int
  ) -> any PendingMessage {
    MPIMessage(bytes.count, atMost: largestCount) { range, request in
      checkMPI(
        MPI_Irecv(
          bytes.baseAddress.map { $0 + range.lowerBound }, Int32(range.count), cmpi_byte(),
          Int32(peer), Int32(tag), group.communicator, &request.handle),
        "MPI_Irecv of \(range.count) bytes from node \(peer)")
    }
  }
}

/// A message in one or more requests, each with no more bytes than MPI can count.
private final class MPIMessage: PendingMessage {
  private var requests: [cmpi_request]

  init(
    _ byteCount: Int, atMost largestCount: Int,
    start: (_ range: Range<Int>, _ request: inout cmpi_request) -> Void
  ) {
    requests = ranges(of: byteCount, atMost: largestCount).map { range in
      var request = cmpi_request_null()
      start(range, &request)
      return request
    }
  }

  func test() -> Bool {
    var isDone: Int32 = 0
    checkMPI(
      cmpi_testall(Int32(requests.count), &requests, &isDone), "MPI_Testall")
    return isDone != 0
  }
}
