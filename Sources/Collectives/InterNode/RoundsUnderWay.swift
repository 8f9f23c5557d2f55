import CKernels

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
    let capacity = rounds.map { round in
      round.adds ? round.receives.reduce(0) { $0 + $1.elements.count } : 0
    }
    incoming = .allocate(capacity: capacity.max() ?? 0)
    startNextRound()
  }

  deinit { incoming.deallocate() }

  func advance() -> Bool {
    while current < rounds.count {
      messages.removeAll { $0.test() }
      guard messages.isEmpty else { return false }
      if rounds[current].adds { addReceived(in: rounds[current]) }
      startNextRound()
    }
    return true
  }

  /// Adds what has arrived to this rank's elements, in the order of the ranks.
  private func addReceived(in round: AllReduceRound) {
    guard let elements = round.receives.first?.elements, !elements.isEmpty else { return }
    let own = buffer.extracting(elements).baseAddress!
    var terms = [(rank: ranks.rank, start: UnsafePointer(own))]
    for (index, transfer) in round.receives.enumerated() {
      terms.append((transfer.peer, UnsafePointer(incoming.baseAddress! + index * elements.count)))
    }
    terms.sort { $0.rank < $1.rank }
    ck_sum_tree(
      ck_f32, own, terms.map { UnsafeRawPointer($0.start) }, terms.count, elements.count)
  }

  private func startNextRound() {
    current += 1
    guard current < rounds.count else { return }
    let round = rounds[current]
    precondition(
      !round.adds || round.receives.allSatisfy { $0.elements == round.receives[0].elements },
      "InterNodeAllReduce: transfers to be added have different elements")
    for (index, transfer) in round.receives.enumerated() where !transfer.elements.isEmpty {
      let count = transfer.elements.count
      let target =
        round.adds
        ? incoming.extracting(index * count..<(index + 1) * count)
        : buffer.extracting(transfer.elements)
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
