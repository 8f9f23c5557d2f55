extension InterNodeAllReduce {
  /// Recursive multiplying (Ruefenacht, Bull and Booth, 2017): recursive halving and doubling in groups of
  /// as many ranks as the factors of N say.
  ///
  /// Each of N ranks sends and receives 2 (N - 1) / N times the buffer, for any N. With 12 ranks, groups
  /// of 4 neighbours exchange quarters, then 3 ranks that have the same quarter thirds of it: 2 rounds each
  /// way, where a ring takes 11. With a prime number of ranks this is the direct exchange. Sums over a
  /// power of two of ranks are those of a balanced tree.
  public static let recursiveMultiplying = InterNodeAllReduce(
    name: "recursive-multiplying", addsPairwise: true
  ) { rank, size, count in
    AllReducePlan(rank: rank, count: count, groups: groupSizes(of: size))
  }

  /// Numbers whose product is `size`: fours first, which take half the rounds of twos, then primes.
  static func groupSizes(of size: Int) -> [Int] {
    var (sizes, rest) = ([Int](), size)
    func divide(by factor: Int) {
      while rest > 1, rest.isMultiple(of: factor) {
        sizes.append(factor)
        rest /= factor
      }
    }
    divide(by: 4)
    var factor = 2
    while factor * factor <= rest {
      divide(by: factor)
      factor += 1
    }
    divide(by: max(rest, 2))
    return sizes
  }
}

extension AllReducePlan {
  /// Exchanges in groups: first of neighbours, then of counterparts in neighbouring groups, and so on.
  ///
  /// Each rank of a group gets the sum of one part of what the group shares.
  ///
  /// - Parameter groups: The size of a group at each level; their product is the number of ranks.
  init(rank: Int, count: Int, groups: [Int]) {
    var scatter: [AllReduceRound] = []
    var gather: [AllReduceRound] = []
    var own = 0..<count
    /// The distance of neighbours in a group.
    var distance = 1
    for size in groups {
      let number = rank / distance % size
      func part(_ index: Int) -> Range<Int> {
        own.lowerBound + own.count * index / size..<own.lowerBound + own.count * (index + 1) / size
      }
      // Each rank begins with another one, so that no rank receives from all at once.
      let others = (1..<size).map { step in
        let other = (number + step) % size
        return (rank: rank + (other - number) * distance, part: part(other))
      }
      let kept = part(number)
      scatter.append(
        AllReduceRound(
          sends: others.map { .init($0.rank, $0.part) },
          receives: others.map { .init($0.rank, kept) }, adds: true))
      gather.append(
        AllReduceRound(
          sends: others.map { .init($0.rank, kept) },
          receives: others.map { .init($0.rank, $0.part) }))
      own = kept
      distance *= size
    }
    self.init(reduceScatter: scatter, owned: own, allGather: gather.reversed())
  }
}
