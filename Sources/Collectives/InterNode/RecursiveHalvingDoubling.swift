extension InterNodeAllReduce {
  /// Recursive halving and doubling (Rabenseifner, 2004).
  ///
  /// With a power of two of ranks, neighbours exchange and add halves first, then pairs of
  /// neighbours quarters, and so on, until each rank has the sum of its part (reduce-scatter); then
  /// the parts travel back the same way (all-gather). Every element is added up on one rank, so all
  /// ranks get the same bits, and always as ((r0 + r1) + (r2 + r3)) + ... Each of N ranks sends and
  /// receives 2 (N - 1) / N times the buffer, in 2 log2(N) rounds.
  ///
  /// With another number, the ranks beyond the largest power of two first send their buffer to one
  /// below, and receive the sum from it at the end.
  ///
  /// Open MPI's own `MPI_Iallreduce` sends several times as much when it works in place.
  public static let recursiveHalvingDoubling = InterNodeAllReduce(
    name: "recursive-halving-doubling", addsPairwise: true
  ) { rank, size, count in
    let powerOfTwo = 1 << (Int.bitWidth - 1 - size.leadingZeroBitCount)
    let all = 0..<count
    if rank >= powerOfTwo {
      let partner = rank - powerOfTwo
      return AllReducePlan(
        reduceScatter: [AllReduceRound(sends: [.init(partner, all)])], owned: count..<count,
        allGather: [AllReduceRound(receives: [.init(partner, all)])])
    }
    var halving: [AllReduceRound] = []
    var doubling: [AllReduceRound] = []
    var own = all
    var distance = 1
    while distance < powerOfTwo {
      let middle = own.lowerBound + own.count / 2
      let (lower, upper) = (own.lowerBound..<middle, middle..<own.upperBound)
      let (kept, given) = rank & distance == 0 ? (lower, upper) : (upper, lower)
      let peer = rank ^ distance
      halving.append(
        AllReduceRound(sends: [.init(peer, given)], receives: [.init(peer, kept)], adds: true))
      doubling.append(AllReduceRound(sends: [.init(peer, kept)], receives: [.init(peer, given)]))
      own = kept
      distance *= 2
    }
    var plan = AllReducePlan(reduceScatter: halving, owned: own, allGather: doubling.reversed())
    if rank + powerOfTwo < size {
      let partner = AllReduceRound.Transfer(rank + powerOfTwo, all)
      plan.reduceScatter.insert(AllReduceRound(receives: [partner], adds: true), at: 0)
      plan.allGather.append(AllReduceRound(sends: [partner]))
    }
    return plan
  }
}
