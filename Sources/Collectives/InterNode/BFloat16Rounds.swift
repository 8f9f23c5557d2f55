import CKernels

/// Rounds whose messages are bfloat16; see `WireFormat`.
final class BFloat16Rounds: PendingReduction {
  private let rounds: [AllReduceRound]
  /// How many of the rounds belong to the reduce-scatter.
  private let reducingRounds: Int
  private let owned: Range<Int>
  private let buffer: UnsafeMutableBufferPointer<Float>
  private let residual: UnsafeMutableBufferPointer<Float>?
  private let ranks: any InterNodeCommunicator
  private let tag: Int
  /// What is sent, in the places of the buffer's elements.
  private let outgoing: UnsafeMutableBufferPointer<UInt16>
  /// What arrives: in the places of the buffer's elements, or one term after the other.
  private let incoming: UnsafeMutableBufferPointer<UInt16>
  /// Received terms as float32.
  private let terms: UnsafeMutableBufferPointer<Float>
  private var current = -1
  private var messages: [any PendingMessage] = []

  /// Starts the rounds of a plan: all, or those of the reduce-scatter.
  init(
    _ plan: AllReducePlan, allGathers: Bool, on buffer: UnsafeMutableBufferPointer<Float>,
    _ residual: UnsafeMutableBufferPointer<Float>?, among ranks: any InterNodeCommunicator, tag: Int
  ) {
    rounds = plan.reduceScatter + (allGathers ? plan.allGather : [])
    reducingRounds = plan.reduceScatter.count
    owned = plan.owned
    self.buffer = buffer
    self.residual = residual
    self.ranks = ranks
    self.tag = tag
    let added = rounds.map(\.addedCount).max() ?? 0
    outgoing = .allocate(capacity: buffer.count)
    incoming = .allocate(capacity: max(buffer.count, added))
    terms = .allocate(capacity: added)
    if let residual, let first = buffer.baseAddress, let rest = residual.baseAddress {
      ck_accumulate(ck_f32, first, rest, buffer.count)
      ck_fill(ck_f32, rest, buffer.count, 0)
    }
    startNextRound()
  }

  deinit {
    outgoing.deallocate()
    incoming.deallocate()
    terms.deallocate()
  }

  func advance() -> Bool {
    while current < rounds.count {
      messages.removeAll { $0.test() }
      guard messages.isEmpty else { return false }
      if rounds[current].adds {
        addReceived(in: rounds[current])
      } else {
        for transfer in rounds[current].receives where !transfer.elements.isEmpty {
          decode(
            incoming.extracting(transfer.elements), into: buffer.extracting(transfer.elements))
        }
      }
      startNextRound()
    }
    return true
  }

  private func startNextRound() {
    current += 1
    if current == reducingRounds { round(owned, into: nil) }
    guard current < rounds.count else { return }
    let round = rounds[current]
    for (index, transfer) in round.receives.enumerated() where !transfer.elements.isEmpty {
      let target = incoming.extracting(
        round.adds ? round.place(ofReceived: index) : transfer.elements)
      messages.append(
        ranks.startReceive(UnsafeMutableRawBufferPointer(target), from: transfer.peer, tag: tag))
    }
    var encoded = 0..<0
    for transfer in round.sends where !transfer.elements.isEmpty {
      let target = outgoing.extracting(transfer.elements)
      // A part that goes to all ranks is encoded once: it may be on its way.
      if transfer.elements != encoded { self.round(transfer.elements, into: target.baseAddress) }
      encoded = transfer.elements
      messages.append(
        ranks.startSend(UnsafeRawBufferPointer(target), to: transfer.peer, tag: tag))
    }
  }

  /// Adds what has arrived to this rank's elements, in the order of the ranks.
  private func addReceived(in round: AllReduceRound) {
    guard let elements = round.receives.first?.elements, !elements.isEmpty else { return }
    self.round(elements, into: nil)
    let received = 0..<round.addedCount
    decode(incoming.extracting(received), into: terms.extracting(received))
    round.add(terms, to: buffer, of: ranks.rank)
  }

  /// Rounds elements of the buffer, which keeps the rounded ones; copies them in two bytes each.
  private func round(_ elements: Range<Int>, into target: UnsafeMutablePointer<UInt16>?) {
    guard !elements.isEmpty else { return }
    let rest = residual?.extracting(elements).baseAddress
    ck_round_to_bfloat16(
      target, buffer.extracting(elements).baseAddress!, rest, elements.count)
  }

  private func decode(
    _ source: UnsafeMutableBufferPointer<UInt16>, into target: UnsafeMutableBufferPointer<Float>
  ) {
    ck_convert(ck_f32, target.baseAddress!, ck_bf16, source.baseAddress!, source.count)
  }
}
