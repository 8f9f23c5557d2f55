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
    name: String, addsPairwise: Bool,
    start:
      @escaping @Sendable (
        _ buffer: UnsafeMutableBufferPointer<Float>, _ ranks: any InterNodeCommunicator, _ tag: Int
      ) -> any PendingReduction
  ) {
    self.name = name
    self.addsPairwise = addsPairwise
    self.start = start
  }

  /// An algorithm that goes in rounds: `rounds` returns those of one of `size` ranks for a buffer of
  /// `count` elements.
  public init(
    name: String, addsPairwise: Bool,
    rounds: @escaping @Sendable (_ rank: Int, _ size: Int, _ count: Int) -> [AllReduceRound]
  ) {
    self.init(name: name, addsPairwise: addsPairwise) { buffer, ranks, tag in
      AllReduceInRounds(
        rounds(ranks.rank, ranks.size, buffer.count), on: buffer, among: ranks, tag: tag)
    }
  }

  /// All algorithms.
  public static let all = [recursiveHalvingDoubling, ring]

  /// The algorithm that is used unless another one is chosen.
  public static let standard = recursiveHalvingDoubling
}
