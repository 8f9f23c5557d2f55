extension InterNodeAllReduce {
  /// The direct exchange: each rank sends every other rank its part of the buffer at once, adds up what
  /// it receives, and sends the sums to all.
  ///
  /// Each of N ranks sends and receives 2 (N - 1) / N times the buffer, for any N, in two rounds, but in
  /// 2 (N - 1) messages, which are small if N is large. Sums over N ranks are those of a balanced tree.
  public static let direct = InterNodeAllReduce(name: "direct", addsPairwise: true) {
    rank, size, count in
    func part(_ index: Int) -> Range<Int> {
      count * index / size..<count * (index + 1) / size
    }
    // Each rank begins with another one, so that no rank receives from all at once.
    let others = (1..<max(size, 1)).map { (rank + $0) % size }
    return AllReducePlan(
      reduceScatter: [
        AllReduceRound(
          sends: others.map { .init($0, part($0)) },
          receives: others.map { .init($0, part(rank)) }, adds: true)
      ],
      owned: part(rank),
      allGather: [
        AllReduceRound(
          sends: others.map { .init($0, part(rank)) },
          receives: others.map { .init($0, part($0)) })
      ])
  }
}
