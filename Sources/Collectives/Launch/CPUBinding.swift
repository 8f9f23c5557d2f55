import Foundation

/// The cores that each rank of a run may use, as the launcher has bound them, and the CPU quotas of their
/// control groups.
///
/// A core counts once, whether it has one hardware thread or two, and goes by the number of its first one.
public struct CPUBinding: Equatable, Sendable {
  /// The cores that the ranks of one node may use.
  public struct Node: Equatable, Sendable {
    /// The node's host name.
    public let host: String
    /// The cores of each rank, by local rank.
    public let masks: [Affinity]
    /// The cores of the process that started the ranks, which it could give to them.
    public let available: Affinity
    /// The CPU quotas of each rank, by local rank; empty if none has any.
    public let quotas: [[CPUQuota]]

    /// Creates the binding of a node's ranks.
    public init(
      host: String, masks: [Affinity], available: Affinity, quotas: [[CPUQuota]] = []
    ) {
      self.host = host
      self.masks = masks
      self.available = available
      self.quotas = quotas
    }

    /// The quota that leaves the ranks of this node the least time each; nil if there is none.
    public var tightestQuota: CPUQuota? {
      quotas.joined().min {
        $0.cores / Double($0.rankCount(in: quotas)) < $1.cores / Double($1.rankCount(in: quotas))
      }
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
    // What the ranks could use at a time.
    let shares = masks.indices.map { CPUQuota.share(ofRank: $0, quotas: quotas) }
    let time = shares.reduce(1e-6, +)
    let all = min(used.union(available.cores).count, time < 1e6 ? Int(time) : .max)
    // The whole cores that each rank could have, as mpirun counts them.
    let coresPerRank = all / masks.count
    let remedy = remedy(launcher, ranks: worldSize, coresPerRank: coresPerRank)
    var problems: [String] = []

    // Open MPI binds one or two ranks to a core each by default. Under other launchers a single core
    // is what was asked for.
    let isNarrow =
      launcher == .mpirun && coresPerRank > 1 && masks.contains { $0.cores.count <= 1 }
    if isNarrow {
      problems.append(
        "mpirun gives 1 core to a rank and leaves \(max(0, all - used.count)) of \(all) idle; for \(coresPerRank) "
          + "cores each: \(remedy)")
    }

    if let (mask, other) = partialOverlap {
      problems.append(
        "ranks share some of their cores, such as \(mask.list) and \(other.list), and slow each "
          + "other down; for cores of their own: \(remedy)")
    }

    if let problem = quotaProblem(threads: threads) { return problems + [problem] }

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

  /// The command that gives each rank cores of its own.
  private func remedy(
    _ launcher: LauncherEnvironment.Launcher?, ranks: Int, coresPerRank: Int
  ) -> String {
    switch launcher {
    case .srun: "srun --cpu-bind=cores lockstep …"
    case .flux: "flux run -o cpu-affinity=per-task lockstep …"
    case .mpiexec where coresPerRank > 0:
      "mpiexec -n \(ranks) -bind-to core:\(coresPerRank) lockstep …"
    case .mpiexec: "mpiexec -n \(ranks) -bind-to none lockstep …"
    default:
      coresPerRank > 0
        ? "mpirun -np \(ranks) --map-by slot:PE=\(coresPerRank) --bind-to core lockstep …"
        : "mpirun -np \(ranks) --bind-to none lockstep …"
    }
  }

  /// What a CPU quota is too small for.
  private func quotaProblem(threads: Int?) -> String? {
    guard let quota = tightestQuota else { return nil }
    let ranks = quota.rankCount(in: quotas)
    let whole = Int(quota.cores + 1e-6)
    let noun = "\(ranks) rank\(ranks == 1 ? "" : "s")"
    if whole < ranks {
      return "\(quota) for \(noun): all stand still in turn; "
        + (whole > 0 ? "start \(whole) or fewer, or raise the quota" : "raise the quota")
    }
    guard let threads, ranks * threads > whole else { return nil }
    return "threadsPerRank \(threads) makes \(ranks * threads) threads with \(quota); set it to "
      + "\(whole / ranks), or leave it unset"
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
    "\(group.cores) core\(group.cores == 1 ? "" : "s")"
  }
}

extension Communicator {
  /// Finds the cores that the ranks may use, and how much of their time.
  ///
  /// Collective: all ranks call it.
  public func findCPUBinding() -> CPUBinding {
    findCPUBinding(Affinity.current.countingCoresOnce(), quotas: CPUQuota.current())
  }

  /// The same, given the cores and the quotas of this rank.
  package func findCPUBinding(_ cores: Affinity, quotas: [CPUQuota] = []) -> CPUBinding {
    let own =
      [ProcessInfo.processInfo.hostName, cores.list, Affinity.parent.countingCoresOnce().list]
      + quotas.map(\.line)
    let ranks = allGather(own.joined(separator: "\t")).map { $0.components(separatedBy: "\t") }
    let nodes = topology.nodes.map { ranksOfNode in
      let first = ranks[ranksOfNode[0]]
      return CPUBinding.Node(
        host: first[0],
        masks: ranksOfNode.map { Affinity(list: ranks[$0][1]) ?? Affinity(cores: []) },
        available: Affinity(list: first[2]) ?? Affinity(cores: []),
        quotas: ranksOfNode.map { ranks[$0][3...].compactMap { CPUQuota(line: $0[...]) } })
    }
    let local = nodes[topology.nodeIndex]
    return CPUBinding(
      nodes: nodes,
      threads: Affinity.threads(ofRank: node.rank, masks: local.masks, quotas: local.quotas))
  }

  /// Returns how many threads this rank should use, from the cores and the CPU quotas of the ranks of its
  /// node.
  ///
  /// Collective: all ranks call it.
  public func threadsPerRank() -> Int { findCPUBinding().threads }
}
