extension InterNodeAllReduce {
  /// Recursive halving and doubling (Rabenseifner, 2004).
  ///
  /// With a power of two of ranks, neighbours exchange and add halves first, then pairs of
  /// neighbours quarters, and so on, until each rank has the sum of its part (reduce-scatter); then
  /// the parts travel back the same way (all-gather). Every element is added up on one rank, so all
  /// ranks get the same bits, and always as ((r0 + r1) + (r2 + r3)) + ... Each of N ranks sends and
  /// receives 2 (N - 1) / N times the buffer, in 2 log2(N) rounds.
  ///
  /// With another number, each rank beyond the largest power of two sends every rank below the part that
  /// is its own in the end, and receives the sums from all of them. The other ranks exchange among
  /// themselves meanwhile, and add these parts last.
  ///
  /// Open MPI's own `MPI_Iallreduce` sends several times as much when it works in place.
  public static let recursiveHalvingDoubling = InterNodeAllReduce(
    name: "recursive-halving-doubling", addsPairwise: true
  ) { rank, size, count in
    let powerOfTwo = 1 << (Int.bitWidth - 1 - size.leadingZeroBitCount)
    /// The halves that a rank keeps, and those that it gives away, from the first round to the last.
    func halves(_ rank: Int) -> [(kept: Range<Int>, given: Range<Int>)] {
      var own = 0..<count
      return (0..<powerOfTwo.trailingZeroBitCount).map { round in
        let middle = own.lowerBound + own.count / 2
        let (lower, upper) = (own.lowerBound..<middle, middle..<own.upperBound)
        let (kept, given) = rank >> round & 1 == 0 ? (lower, upper) : (upper, lower)
        own = kept
        return (kept, given)
      }
    }
    if rank >= powerOfTwo {
      let parts = (0..<powerOfTwo).map { step in
        // Each rank begins with another one, so that no rank receives from all at once.
        let peer = (rank + step) % powerOfTwo
        return AllReduceRound.Transfer(peer, halves(peer).last!.kept)
      }
      return AllReducePlan(
        reduceScatter: [AllReduceRound(sends: parts)], owned: count..<count,
        allGather: [AllReduceRound(receives: parts)])
    }
    var halving: [AllReduceRound] = []
    var doubling: [AllReduceRound] = []
    let halves = halves(rank)
    for (round, half) in halves.enumerated() {
      let peer = rank ^ 1 << round
      halving.append(
        AllReduceRound(
          sends: [.init(peer, half.given)], receives: [.init(peer, half.kept)], adds: true))
      doubling.append(
        AllReduceRound(sends: [.init(peer, half.kept)], receives: [.init(peer, half.given)]))
    }
    let own = halves.last?.kept ?? 0..<count
    for other in powerOfTwo..<max(size, powerOfTwo) {
      halving[halving.count - 1].receives.append(.init(other, own))
      doubling[doubling.count - 1].sends.append(.init(other, own))
    }
    return AllReducePlan(reduceScatter: halving, owned: own, allGather: doubling.reversed())
  }
}
