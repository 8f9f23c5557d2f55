/// Which ranks run on which node, and where one of them stands.
public struct Topology: Sendable, Equatable {
  /// The ranks of each node, in ascending order; nodes are ordered by their lowest rank.
  public let nodes: [[Int]]
  /// The rank that this is about.
  public let rank: Int
  /// The number of this rank's node.
  public let nodeIndex: Int
  /// The number of this rank among the ranks of its node.
  public let localRank: Int

  /// Creates a topology from a number for the node of each rank: ranks with equal numbers run on the
  /// same node.
  public init(rank: Int, nodeOfRank: [Int]) {
    self.rank = rank
    let ranksOfNode = Dictionary(grouping: nodeOfRank.indices) { nodeOfRank[$0] }
    nodes = ranksOfNode.values.sorted { $0[0] < $1[0] }
    nodeIndex = nodes.firstIndex { $0.contains(rank) }!
    localRank = nodes[nodeIndex].firstIndex(of: rank)!
  }

  /// The number of nodes.
  public var nodeCount: Int { nodes.count }
  /// The number of ranks on this rank's node.
  public var localSize: Int { nodes[nodeIndex].count }
  /// The number of ranks on the node that has the fewest.
  public var smallestLocalSize: Int { nodes.map(\.count).min()! }
  /// Whether every node has the same number of ranks.
  public var isEven: Bool { nodes.allSatisfy { $0.count == nodes[0].count } }
  /// The position of this rank in an order in which the ranks of a node follow each other.
  ///
  /// It is the rank itself, unless the launcher has dealt out ranks to the nodes in turn.
  public var position: Int { nodes[..<nodeIndex].reduce(localRank) { $0 + $1.count } }
}
