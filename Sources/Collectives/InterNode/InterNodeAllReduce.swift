/// An algorithm that adds up a buffer over the nodes: a value that one can choose, measure and add.
///
/// An algorithm needs its own file with a static property such as `ring`, and its line in `all`. The
/// self-test runs every algorithm of the list on threads and under MPI.
public struct InterNodeAllReduce: Sendable {
  /// The name.
  public let name: String
  /// Whether sums over a power of two of nodes are ((n0 + n1) + (n2 + n3)) + ..., which fixed slices
  /// need.
  public let addsPairwise: Bool
  /// Whether it waits in `advance()` for the other ranks.
  public let blocks: Bool
  /// What one of `size` ranks does for a buffer of `count` elements; nil for an algorithm that does its
  /// own bookkeeping.
  public let plan: (@Sendable (_ rank: Int, _ size: Int, _ count: Int) -> AllReducePlan)?
  /// Starts to add up the buffers of a communicator's ranks.
  ///
  /// All messages carry the given tag, which no other operation under way has. The result must have
  /// the same bits on all ranks.
  public let start:
    @Sendable (
      _ buffer: UnsafeMutableBufferPointer<Float>, _ ranks: any InterNodeCommunicator, _ tag: Int
    ) -> any PendingReduction

  /// An algorithm that does its own bookkeeping.
  public init(
    name: String, addsPairwise: Bool, blocks: Bool = false,
    start:
      @escaping @Sendable (
        _ buffer: UnsafeMutableBufferPointer<Float>, _ ranks: any InterNodeCommunicator, _ tag: Int
      ) -> any PendingReduction
  ) {
    (self.name, self.addsPairwise, self.blocks) = (name, addsPairwise, blocks)
    plan = nil
    self.start = start
  }

  /// An algorithm that goes in rounds: `plan` returns those of one of `size` ranks for a buffer of
  /// `count` elements.
  public init(
    name: String, addsPairwise: Bool,
    plan: @escaping @Sendable (_ rank: Int, _ size: Int, _ count: Int) -> AllReducePlan
  ) {
    (self.name, self.addsPairwise, blocks) = (name, addsPairwise, false)
    self.plan = plan
    start = { buffer, ranks, tag in
      let plan = plan(ranks.rank, ranks.size, buffer.count)
      return RoundsUnderWay(
        plan.reduceScatter + plan.allGather, on: buffer, among: ranks, tag: tag)
    }
  }

  /// All algorithms.
  ///
  /// The two-level one is there for two nodes on each switch.
  public static let all = [
    recursiveHalvingDoubling, recursiveMultiplying, recursiveDoubling, ring, direct,
    twoLevel(nodesPerSwitch: 2), mpi,
  ]

  /// The algorithms that give the same bits between some nodes, because they add in the same order: any of
  /// them may be taken without changing a run.
  public static func all(withSameBitsFor nodes: Int) -> [InterNodeAllReduce] {
    // a + b is b + a.
    if nodes == 2 { return all.filter { !$0.blocks } }
    if nodes.nonzeroBitCount == 1 { return all.filter(\.addsPairwise) }
    let inGroups = [recursiveMultiplying, recursiveDoubling]
    // One group is a balanced tree over all nodes.
    return groupSizes(of: nodes).count == 1 ? inGroups + [direct] : inGroups
  }

  /// The algorithm that is used unless another one is chosen.
  public static let standard = recursiveHalvingDoubling

  /// The algorithm that is used for bfloat16 messages between some nodes unless another one is chosen.
  ///
  /// The direct exchange rounds each rank's numbers and their sum only once to bfloat16, where others
  /// round partial sums too. With many nodes its messages become small.
  package static func standardForBFloat16(between nodes: Int) -> InterNodeAllReduce {
    nodes <= 16 ? direct : standard
  }
}
