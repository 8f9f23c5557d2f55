import Foundation

/// The cores that each rank of a run may use, as the launcher has bound them.
public struct CPUBinding: Equatable, Sendable {
  /// The cores that the ranks of one node may use.
  public struct Node: Equatable, Sendable {
    /// The node's host name.
    public let host: String
    /// The cores of each rank, by local rank.
    public let masks: [Affinity]
    /// The cores of the process that started the ranks, which it could give to them.
    public let available: Affinity
    /// How many hardware threads a core has; the kernel, and with it a mask, counts each as a core.
    public let hardwareThreadsPerCore: Int

    /// Creates the binding of a node's ranks.
    public init(
      host: String, masks: [Affinity], available: Affinity, hardwareThreadsPerCore: Int = 1
    ) {
      self.host = host
      self.masks = masks
      self.available = available
      self.hardwareThreadsPerCore = hardwareThreadsPerCore
    }
  }

  /// The nodes, ordered by their lowest ranks.
  public let nodes: [Node]
  /// How many threads this rank should use, so that ranks do not compete for cores.
  public let threads: Int

  /// Creates a binding as one rank sees it.
  public init(nodes: [Node], threads: Int) {
    self.nodes = nodes
    self.threads = threads
  }

  /// Returns a line for each problem of the binding that slows ranks down, with its remedy.
  ///
  /// - Parameters:
  ///   - threads: The threads that each rank uses; nil if each uses as many as its cores allow.
  ///   - launcher: The launcher of the ranks; nil if there was none.
  public func warnings(
    threadsPerRank threads: Int? = nil,
    launcher: LauncherEnvironment.Launcher? = LauncherEnvironment()?.launcher
  ) -> [String] {
    let ranks = nodes.reduce(0) { $0 + $1.masks.count }
    var texts: [String] = []
    var hosts: [String: [String]] = [:]
    for node in nodes {
      for text in node.problems(threads: threads, launcher, ranks: ranks) {
        if hosts[text] == nil { texts.append(text) }
        hosts[text, default: []].append(node.host)
      }
    }
    return texts.map { text in
      let others = hosts[text]!.count - 1
      return "\(hosts[text]![0])\(others > 0 ? " and \(others) more" : ""): \(text)"
    }
  }
}

extension CPUBinding.Node {
  fileprivate func problems(
    threads: Int?, _ launcher: LauncherEnvironment.Launcher?, ranks worldSize: Int
  ) -> [String] {
    let used = Set(masks.flatMap(\.cores))
    let all = used.union(available.cores).count
    // The whole cores that each rank could have, as mpirun counts them.
    let coresPerRank = all / hardwareThreadsPerCore / masks.count
    var remedy =
      "mpirun -np \(worldSize) --map-by slot:PE=\(coresPerRank) --bind-to core lockstep …"
    if coresPerRank == 0 { remedy = "mpirun -np \(worldSize) --bind-to none lockstep …" }
    if launcher == .srun { remedy = "srun --cpu-bind=cores lockstep …" }
    if launcher == .flux { remedy = "flux run -o cpu-affinity=per-task lockstep …" }
    var problems: [String] = []

    // Open MPI binds one or two ranks to a core each by default. Under other launchers a single core
    // is what was asked for.
    let isNarrow =
      launcher == .mpirun && coresPerRank > 1
      && masks.contains { $0.cores.count <= hardwareThreadsPerCore }
    if isNarrow {
      let cores = all / hardwareThreadsPerCore
      let idle = (all - used.count) / hardwareThreadsPerCore
      problems.append(
        "mpirun gives 1 core to a rank and leaves \(idle) of \(cores) idle; for \(coresPerRank) "
          + "cores each: \(remedy)")
    }

    if let (mask, other) = partialOverlap {
      problems.append(
        "ranks share some of their cores, such as \(mask.list) and \(other.list), and slow each "
          + "other down; for cores of their own: \(remedy)")
    }

    // The sets of cores to which ranks are confined: all cores, and those of each mask.
    var groups = [Group(cores: isNarrow ? all : used.count, ranks: masks.count)]
    if !isNarrow {
      let ranksOfMask = Dictionary(grouping: masks, by: \.cores).mapValues(\.count)
      groups += masks.map { Group(cores: $0.cores.count, ranks: ranksOfMask[$0.cores]!) }
    }
    if let group = groups.first(where: { $0.ranks > $0.cores }) {
      problems.append(
        "\(group.ranks) ranks share \(cores(group)) and wait for each other; "
          + (coresPerRank > 0
            ? "for cores of their own: \(remedy)" : "start \(group.cores) or fewer"))
    } else if let threads, let group = groups.first(where: { $0.ranks * threads > $0.cores }) {
      problems.append(
        "threadsPerRank \(threads) makes \(group.ranks * threads) threads on \(cores(group)); set it "
          + "to \(max(1, group.cores / group.ranks)), or leave it unset")
    }
    return problems
  }

  private struct Group {
    let cores: Int
    let ranks: Int
  }

  /// The masks of two ranks that overlap without being equal.
  private var partialOverlap: (Affinity, Affinity)? {
    var maskOfCore: [Int: Affinity] = [:]
    for mask in masks {
      for core in mask.cores {
        if let other = maskOfCore.updateValue(mask, forKey: core), other != mask {
          return (other, mask)
        }
      }
    }
    return nil
  }

  private func cores(_ group: Group) -> String {
    let noun = hardwareThreadsPerCore > 1 ? "hardware thread" : "core"
    return "\(group.cores) \(noun)\(group.cores == 1 ? "" : "s")"
  }
}

extension Communicator {
  /// Finds the cores that the ranks may use.
  ///
  /// Collective: all ranks call it.
  public func findCPUBinding(_ affinity: Affinity = .current) -> CPUBinding {
    let own = [
      ProcessInfo.processInfo.hostName, affinity.list, Affinity.parent.list,
      String(Affinity.hardwareThreadsPerCore),
    ]
    let ranks = allGather(own.joined(separator: "\t")).map { $0.components(separatedBy: "\t") }
    let nodes = topology.nodes.map { ranksOfNode in
      let first = ranks[ranksOfNode[0]]
      return CPUBinding.Node(
        host: first[0],
        masks: ranksOfNode.map { Affinity(list: ranks[$0][1]) ?? Affinity(cores: []) },
        available: Affinity(list: first[2]) ?? Affinity(cores: []),
        hardwareThreadsPerCore: Int(first[3])!)
    }
    return CPUBinding(
      nodes: nodes,
      threads: Affinity.threads(ofRank: node.rank, masks: nodes[topology.nodeIndex].masks))
  }

  /// Returns how many threads this rank should use, from the masks of the ranks of its node.
  ///
  /// Collective: all ranks call it.
  public func threadsPerRank(_ affinity: Affinity = .current) -> Int {
    findCPUBinding(affinity).threads
  }
}
