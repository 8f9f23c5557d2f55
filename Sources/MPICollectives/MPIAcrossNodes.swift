import CMPI
import Collectives

/// The ranks of this local rank on all nodes.
final class MPIAcrossNodes: InterNodeCommunicator {
  /// The most bytes of a request.
  ///
  /// Over TCP, Open MPI sends up to 64 KiB, its own header included, without asking the receiver first.
  /// What is larger waits for an answer, which the receiver gives when it next looks at the network, and
  /// then takes twice as long or longer in both directions at once.
  private static let eagerBytes = 60 << 10

  let canProgressOnAnyThread: Bool
  private let group: MPIGroup
  private let largestCount: Int
  private let largestMessage: Int
  private var tags = 0
  private let requests = MPIRequests()

  /// Calls with more than `largestCount` elements are split, and large messages anyway.
  init(_ group: MPIGroup, largestCount: Int) {
    self.group = group
    self.largestCount = largestCount
    largestMessage = min(largestCount, MPIAcrossNodes.eagerBytes)
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
    MPIMessage(bytes.count, atMost: largestMessage, among: requests) { range, request in
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
    MPIMessage(bytes.count, atMost: largestMessage, among: requests) { range, request in
      checkMPI(
        MPI_Irecv(
          bytes.baseAddress.map { $0 + range.lowerBound }, Int32(range.count), cmpi_byte(),
          Int32(peer), Int32(tag), group.communicator, &request.handle),
        "MPI_Irecv of \(range.count) bytes from node \(peer)")
    }
  }

  func allReduce(_ buffer: UnsafeMutableBufferPointer<Float>, tag: Int) {
    for range in ranges(of: buffer.count, atMost: largestCount) {
      checkMPI(
        MPI_Allreduce(
          cmpi_in_place(), buffer.baseAddress! + range.lowerBound, Int32(range.count), cmpi_float(),
          cmpi_sum(), group.communicator),
        "MPI_Allreduce of \(range.count) floats between nodes")
    }
  }
}

/// The requests that are not complete, of all messages.
private final class MPIRequests {
  private var requests: [cmpi_request] = []
  /// The message of each request.
  private var messages: [MPIMessage] = []
  private var completed: [Int32] = []
  /// How often they were tested.
  private(set) var tests = 0

  func add(_ request: cmpi_request, of message: MPIMessage) {
    requests.append(request)
    messages.append(message)
  }

  /// Makes progress as long as requests become complete, and tells their messages.
  func test() {
    tests += 1
    while completeSome() {}
  }

  /// Makes progress once, and returns whether any request is complete.
  private func completeSome() -> Bool {
    if requests.isEmpty { return false }
    if completed.count < requests.count {
      completed = Array(repeating: 0, count: 2 * requests.count)
    }
    var count: Int32 = 0
    checkMPI(
      cmpi_testsome(Int32(requests.count), &requests, &count, &completed),
      "MPI_Testsome")
    guard count > 0 else { return false }
    // From the back: the last ones take the places of those that are complete.
    completed[..<Int(count)].sort(by: >)
    for index in completed[..<Int(count)] {
      messages[Int(index)].openRequests -= 1
      requests.swapAt(Int(index), requests.count - 1)
      messages.swapAt(Int(index), messages.count - 1)
      requests.removeLast()
      messages.removeLast()
    }
    return true
  }
}

/// A message in one or more requests.
private final class MPIMessage: PendingMessage {
  private let all: MPIRequests
  fileprivate var openRequests: Int
  /// How often requests had been tested when this message was last asked.
  private var seenTests: Int

  init(
    _ byteCount: Int, atMost largestMessage: Int, among all: MPIRequests,
    start: (_ range: Range<Int>, _ request: inout cmpi_request) -> Void
  ) {
    self.all = all
    openRequests = (byteCount + largestMessage - 1) / largestMessage
    seenTests = all.tests
    for first in stride(from: 0, to: byteCount, by: largestMessage) {
      var request = cmpi_request_null()
      start(first..<min(first + largestMessage, byteCount), &request)
      all.add(request, of: self)
    }
  }

  /// Tests the requests of all messages, unless another message has done so since this one was last
  /// asked: a look at many messages makes progress once.
  func test() -> Bool {
    if openRequests > 0, seenTests == all.tests { all.test() }
    seenTests = all.tests
    return openRequests == 0
  }
}
