extension InterNodeAllReduce {
  /// The two-level all-reduce, for nodes that share a switch with a fast network, and reach others by
  /// slower links.
  ///
  /// The nodes of a switch, which are consecutive, add up among themselves, so that each has the sums of a
  /// part; nodes that have the same part all-reduce it between the switches; then the nodes of a switch
  /// exchange their parts. Only 1 / `nodesPerSwitch` of the buffer travels between the switches for each
  /// node.
  ///
  /// - Parameter nodesPerSwitch: How many nodes share a switch. If the nodes of a run are no multiple of
  ///   it, all count as nodes of one switch.
  public static func twoLevel(nodesPerSwitch: Int) -> InterNodeAllReduce {
    precondition(nodesPerSwitch > 0, "InterNodeAllReduce: a switch with \(nodesPerSwitch) nodes")
    return InterNodeAllReduce(name: "two-level", addsPairwise: true) { rank, size, count in
      let inner = size.isMultiple(of: nodesPerSwitch) ? nodesPerSwitch : size
      return AllReducePlan(
        rank: rank, count: count, groups: groupSizes(of: inner) + groupSizes(of: size / inner))
    }
  }
}
