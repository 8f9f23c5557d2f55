/// Where a rank stands among the machines of a run.
public struct Placement: Sendable, Equatable {
  /// The number of machines.
  public let nodeCount: Int
  /// The number of this rank's machine, in the order of the machines' lowest ranks.
  public let nodeIndex: Int
  /// The number of this rank among those of its machine.
  public let localRank: Int
  /// The number of ranks on this rank's machine.
  public let localSize: Int
  /// The number of ranks on the machine that has the fewest.
  public let smallestLocalSize: Int
  /// The place of this rank in an order in which the ranks of a machine follow each other.
  ///
  /// The rank itself, unless the launcher has dealt ranks out to the machines in turn.
  public let position: Int

  /// Whether every machine has the same number of ranks.
  public var isEven: Bool {
    smallestLocalSize == localSize && smallestLocalSize * nodeCount == size
  }
  /// The number of ranks.
  public let size: Int
}

extension Communicator {
  /// Finds out where the ranks are.
  ///
  /// Collective: all ranks call it.
  public func findPlacement() -> Placement {
    let leaders = allGather(String(nodeLeader)).compactMap { Int($0) }
    let nodes = Set(leaders).sorted()
    let index = nodes.firstIndex(of: nodeLeader)!
    let sizes = nodes.map { node in leaders.count { $0 == node } }
    return Placement(
      nodeCount: nodes.count, nodeIndex: index, localRank: localRank, localSize: localSize,
      smallestLocalSize: sizes.min()!, position: sizes[..<index].reduce(localRank, +),
      size: worldSize)
  }
}
