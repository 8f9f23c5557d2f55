import Collectives

/// Counts what an algorithm sends and receives.
final class CountingCommunicator: InterNodeCommunicator {
  private let base: any InterNodeCommunicator
  var sentBytes = 0
  var receivedBytes = 0

  init(_ base: any InterNodeCommunicator) { self.base = base }

  var rank: Int { base.rank }
  var size: Int { base.size }
  var canProgressOnAnyThread: Bool { base.canProgressOnAnyThread }

  func nextTag() -> Int { base.nextTag() }
  func startSend(_ bytes: UnsafeRawBufferPointer, to peer: Int, tag: Int) -> any PendingMessage {
    sentBytes += bytes.count
    return base.startSend(bytes, to: peer, tag: tag)
  }
  func startReceive(
    _ bytes: UnsafeMutableRawBufferPointer, from peer: Int, tag: Int
  ) -> any PendingMessage {
    receivedBytes += bytes.count
    return base.startReceive(bytes, from: peer, tag: tag)
  }
}
