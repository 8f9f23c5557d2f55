extension InterNodeAllReduce {
  /// The ring (Patarasuk and Yuan, 2009).
  ///
  /// The buffer is cut into as many parts as there are ranks. Each rank sends a part to the next
  /// rank, which adds its own and sends it on; after N - 1 rounds each rank has the sum of one part,
  /// and the sums go round the same way. Each of N ranks sends and receives 2 (N - 1) / N times the
  /// buffer, for any N, in 2 (N - 1) rounds.
  public static let ring = InterNodeAllReduce(name: "ring", addsPairwise: false) {
    rank, size, count in
    /// The elements of a part, counted round the ring.
    func part(_ index: Int) -> Range<Int> {
      let index = (index + 2 * size) % size
      return count * index / size..<count * (index + 1) / size
    }
    let (next, previous) = ((rank + 1) % size, (rank + size - 1) % size)
    func rounds(firstSent first: Int, adds: Bool) -> [AllReduceRound] {
      (0..<size - 1).map { round in
        AllReduceRound(
          sends: [.init(next, part(first - round))],
          receives: [.init(previous, part(first - round - 1))], adds: adds)
      }
    }
    return AllReducePlan(
      reduceScatter: rounds(firstSent: rank, adds: true), owned: part(rank + 1),
      allGather: rounds(firstSent: rank + 1, adds: false))
  }
}
