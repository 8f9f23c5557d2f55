/// One round of an algorithm: this rank sends some elements and receives others at the same time.
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
  public var sends: [Transfer]
  /// What this rank receives.
  public var receives: [Transfer]
  /// Whether received elements are added to those of the buffer, instead of replacing them.
  ///
  /// All transfers then have the same elements. They and this rank's own are added in the order of the
  /// ranks, in pairs: ((a + b) + (c + d)) + ...
  public var adds: Bool

  /// Creates a round; what is sent and what is received must not overlap unless `adds` is set.
  public init(sends: [Transfer] = [], receives: [Transfer] = [], adds: Bool = false) {
    (self.sends, self.receives, self.adds) = (sends, receives, adds)
  }
}

/// What one rank does in an all-reduce: rounds after which it has the sums of its own part of the
/// buffer, and rounds that bring it the sums of all other parts.
public struct AllReducePlan: Sendable, Equatable {
  /// The rounds after which this rank has the sums of `owned`.
  public var reduceScatter: [AllReduceRound]
  /// The elements whose sums this rank then has; the parts of all ranks make up the buffer.
  public var owned: Range<Int>
  /// The rounds after which it has all sums.
  public var allGather: [AllReduceRound]

  /// Creates a plan.
  public init(
    reduceScatter: [AllReduceRound], owned: Range<Int>, allGather: [AllReduceRound]
  ) {
    (self.reduceScatter, self.owned, self.allGather) = (reduceScatter, owned, allGather)
  }
}
