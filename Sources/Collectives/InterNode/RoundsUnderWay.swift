/// Rounds that this rank goes through one after the other.
final class RoundsUnderWay: PendingReduction {
  private let rounds: [AllReduceRound]
  private let buffer: UnsafeMutableBufferPointer<Float>
  private let ranks: any InterNodeCommunicator
  private let tag: Int
  /// Where elements arrive that are to be added.
  private let incoming: UnsafeMutableBufferPointer<Float>
  private var current = -1
  private var messages: [any PendingMessage] = []

  init(
    _ rounds: [AllReduceRound], on buffer: UnsafeMutableBufferPointer<Float>,
    among ranks: any InterNodeCommunicator, tag: Int
  ) {
    self.rounds = rounds
    self.buffer = buffer
    self.ranks = ranks
    self.tag = tag
    incoming = .allocate(capacity: rounds.map(\.addedCount).max() ?? 0)
    startNextRound()
  }

  deinit { incoming.deallocate() }

  func advance() -> Bool {
    while current < rounds.count {
      messages.removeAll { $0.test() }
      guard messages.isEmpty else { return false }
      rounds[current].add(incoming, to: buffer, of: ranks.rank)
      startNextRound()
    }
    return true
  }

  private func startNextRound() {
    current += 1
    guard current < rounds.count else { return }
    let round = rounds[current]
    for (index, transfer) in round.receives.enumerated() where !transfer.elements.isEmpty {
      let target =
        round.adds
        ? incoming.extracting(round.place(ofReceived: index)) : buffer.extracting(transfer.elements)
      messages.append(
        ranks.startReceive(
          UnsafeMutableRawBufferPointer(target), from: transfer.peer, tag: tag))
    }
    for transfer in round.sends where !transfer.elements.isEmpty {
      messages.append(
        ranks.startSend(
          UnsafeRawBufferPointer(buffer.extracting(transfer.elements)), to: transfer.peer, tag: tag)
      )
    }
  }
}
