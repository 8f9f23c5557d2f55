extension InterNodeAllReduce {
  /// Recursive doubling: the groups of recursive multiplying, whose ranks send each other the whole buffer.
  ///
  /// For small buffers, where the number of rounds counts: half as many as with recursive halving and
  /// doubling. Each of N ranks, a power of two, sends and receives up to 2 log2(N) times the buffer. Sums
  /// over a power of two of ranks are those of a balanced tree.
  public static let recursiveDoubling = InterNodeAllReduce(
    name: "recursive-doubling", addsPairwise: true
  ) { buffer, ranks, tag in
    var distance = 1
    let rounds = groupSizes(of: ranks.size).map { size in
      let number = ranks.rank / distance % size
      let peers = (1..<size).map { step in
        ranks.rank + ((number + step) % size - number) * distance
      }
      distance *= size
      let transfers = peers.map { AllReduceRound.Transfer($0, buffer.indices) }
      return AllReduceRound(sends: transfers, receives: transfers, adds: true)
    }
    return RoundsUnderWay(rounds, on: buffer, among: ranks, tag: tag)
  }
}
