/// One round of an all-reduce: this rank sends some elements and receives others at the same time.
public struct AllReduceRound: Sendable, Equatable {
  /// Elements of the buffer that go to another rank, or come from it.
  public struct Transfer: Sendable, Equatable {
    /// The other rank.
    public var peer: Int
    /// The elements, the same on both ranks; nothing is sent for an empty range.
    public var elements: Range<Int>

    /// Creates a transfer.
    public init(_ peer: Int, _ elements: Range<Int>) {
      (self.peer, self.elements) = (peer, elements)
    }
  }

  /// What this rank sends.
  public var sends: Transfer?
  /// What this rank receives.
  public var receives: Transfer?
  /// Whether received elements are added to those of the buffer, instead of replacing them.
  public var adds: Bool

  /// Creates a round; what is sent and what is received must not overlap unless `adds` is set.
  public init(sends: Transfer? = nil, receives: Transfer? = nil, adds: Bool = false) {
    (self.sends, self.receives, self.adds) = (sends, receives, adds)
  }
}

/// An all-reduce that goes through its rounds one after the other.
final class AllReduceInRounds: PendingReduction {
  private let rounds: [AllReduceRound]
  private let buffer: UnsafeMutableBufferPointer<Float>
  private let ranks: any InterNodeCommunicator
  private let tag: Int
  /// Where elements arrive that are to be added.
  private let incoming: UnsafeMutableBufferPointer<Float>
  private var current = -1
  private var received: (any PendingMessage)?
  private var sent: (any PendingMessage)?

  init(
    _ rounds: [AllReduceRound], on buffer: UnsafeMutableBufferPointer<Float>,
    among ranks: any InterNodeCommunicator, tag: Int
  ) {
    self.rounds = rounds
    self.buffer = buffer
    self.ranks = ranks
    self.tag = tag
    incoming = .allocate(
      capacity: rounds.map { $0.adds ? $0.receives?.elements.count ?? 0 : 0 }.max() ?? 0)
    startNextRound()
  }

  deinit { incoming.deallocate() }

  func advance() -> Bool {
    while current < rounds.count {
      guard received?.test() != false else { return false }
      received = nil
      guard sent?.test() != false else { return false }
      sent = nil
      let round = rounds[current]
      if round.adds, let elements = round.receives?.elements {
        // a + b has the bits of b + a, so it does not matter which of two ranks adds.
        let own = buffer.extracting(elements)
        for i in own.indices { own[i] += incoming[i] }
      }
      startNextRound()
    }
    return true
  }

  private func startNextRound() {
    current += 1
    guard current < rounds.count else { return }
    let round = rounds[current]
    if let transfer = round.receives, !transfer.elements.isEmpty {
      let target =
        round.adds
        ? incoming.extracting(..<transfer.elements.count) : buffer.extracting(transfer.elements)
      received = ranks.startReceive(
        UnsafeMutableRawBufferPointer(target), from: transfer.peer, tag: tag)
    }
    if let transfer = round.sends, !transfer.elements.isEmpty {
      sent = ranks.startSend(
        UnsafeRawBufferPointer(buffer.extracting(transfer.elements)), to: transfer.peer, tag: tag)
    }
  }
}
