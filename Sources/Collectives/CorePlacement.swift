// Which cores the launcher has given to the ranks of a run, and what is wrong with that.
import Foundation

/// The cores that the ranks of a run may use.
public struct CorePlacement: Equatable, Sendable {
  /// The cores that the ranks of one machine may use.
  public struct Machine: Equatable, Sendable {
    /// The machine's name.
    public let host: String
    /// The cores of each rank, in the order of ranks.
    public let masks: [Affinity]
    /// The cores that the process which started the ranks may use, and could give to them.
    public let available: Affinity
    /// How many hardware threads a core has; the kernel, and with it a mask, counts each as a core.
    public let hardwareThreadsPerCore: Int

    /// Creates the cores of a machine from what its ranks know.
    public init(
      host: String, masks: [Affinity], available: Affinity, hardwareThreadsPerCore: Int = 1
    ) {
      self.host = host
      self.masks = masks
      self.available = available
      self.hardwareThreadsPerCore = hardwareThreadsPerCore
    }
  }

  /// The machines, in the order of their lowest ranks.
  public let machines: [Machine]
  /// How many threads this rank should use, so that ranks do not get in each other's way.
  public let threads: Int

  /// Creates the placement of a rank among the cores of all machines.
  public init(machines: [Machine], threads: Int) {
    self.machines = machines
    self.threads = threads
  }

  /// Says what about the cores slows the ranks down, in a line for each problem, with its remedy.
  ///
  /// - Parameters:
  ///   - threads: The threads that each rank uses; nil for those that fit its cores.
  ///   - launcher: Who started the ranks, nil when nobody did.
  public func warnings(
    threadsPerRank threads: Int? = nil,
    launcher: LauncherEnvironment.Launcher? = LauncherEnvironment()?.launcher
  ) -> [String] {
    let ranks = machines.reduce(0) { $0 + $1.masks.count }
    var texts: [String] = []
    var hosts: [String: [String]] = [:]
    for machine in machines {
      for text in machine.problems(threads: threads, launcher, ranks: ranks) {
        if hosts[text] == nil { texts.append(text) }
        hosts[text, default: []].append(machine.host)
      }
    }
    return texts.map { text in
      let others = hosts[text]!.count - 1
      return "\(hosts[text]![0])\(others > 0 ? " and \(others) more" : ""): \(text)"
    }
  }
}

extension CorePlacement.Machine {
  fileprivate func problems(
    threads: Int?, _ launcher: LauncherEnvironment.Launcher?, ranks worldSize: Int
  ) -> [String] {
    let used = Set(masks.flatMap(\.cores))
    let all = used.union(available.cores).count
    // What there is for each rank, in whole cores, as mpirun counts them.
    let share = all / hardwareThreadsPerCore / masks.count
    var remedy = "mpirun -np \(worldSize) --map-by slot:PE=\(share) --bind-to core lockstep …"
    if share == 0 { remedy = "mpirun -np \(worldSize) --bind-to none lockstep …" }
    if launcher == .srun { remedy = "srun --cpu-bind=cores lockstep …" }
    var problems: [String] = []

    // Open MPI does this to one or two ranks, unless it is told otherwise. Under other launchers
    // a single core is what was asked for.
    let isNarrow =
      launcher == .mpirun && share > 1
      && masks.contains { $0.cores.count <= hardwareThreadsPerCore }
    if isNarrow {
      let cores = all / hardwareThreadsPerCore
      let idle = (all - used.count) / hardwareThreadsPerCore
      problems.append(
        "mpirun gives 1 core to a rank and leaves \(idle) of \(cores) idle; for \(share) cores each: "
          + remedy)
    }

    if let (mask, other) = partialOverlap {
      problems.append(
        "ranks share some of their cores, such as \(mask.list) and \(other.list), and disturb each "
          + "other; for cores of their own: \(remedy)")
    }

    // The cores to which ranks are confined: all of them, and those of the same mask.
    var rooms = [Room(cores: isNarrow ? all : used.count, ranks: masks.count)]
    if !isNarrow {
      let ranksOfMask = Dictionary(grouping: masks, by: \.cores).mapValues(\.count)
      rooms += masks.map { Room(cores: $0.cores.count, ranks: ranksOfMask[$0.cores]!) }
    }
    if let room = rooms.first(where: { $0.ranks > $0.cores }) {
      problems.append(
        "\(room.ranks) ranks share \(cores(room)) and wait for each other; "
          + (share > 0 ? "for cores of their own: \(remedy)" : "start \(room.cores) or fewer"))
    } else if let threads, let room = rooms.first(where: { $0.ranks * threads > $0.cores }) {
      problems.append(
        "distributed.threadsPerRank asks for \(room.ranks * threads) threads on \(cores(room)); "
          + "set it to \(max(1, room.cores / room.ranks)), or to 0 for what fits")
    }
    return problems
  }

  private struct Room {
    let cores: Int
    let ranks: Int
  }

  /// The cores of two ranks that are neither the same nor apart.
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

  private func cores(_ room: Room) -> String {
    let noun = hardwareThreadsPerCore > 1 ? "hardware thread" : "core"
    return "\(room.cores) \(noun)\(room.cores == 1 ? "" : "s")"
  }
}

extension Communicator {
  /// Finds out which cores the ranks may use.
  ///
  /// Collective: all ranks call it.
  public func findCorePlacement(_ affinity: Affinity = .current) -> CorePlacement {
    let own = [
      String(nodeLeader), ProcessInfo.processInfo.hostName, affinity.list, Affinity.parent.list,
      String(Affinity.hardwareThreadsPerCore),
    ]
    let ranks = allGather(own.joined(separator: "\t")).map { $0.components(separatedBy: "\t") }
    let machines = Dictionary(grouping: ranks) { Int($0[0])! }.mapValues { ranks in
      CorePlacement.Machine(
        host: ranks[0][1], masks: ranks.map { Affinity(list: $0[2]) ?? Affinity(cores: []) },
        available: Affinity(list: ranks[0][3]) ?? Affinity(cores: []),
        hardwareThreadsPerCore: Int(ranks[0][4])!)
    }
    return CorePlacement(
      machines: machines.sorted { $0.key < $1.key }.map(\.value),
      threads: Affinity.threads(ofRank: localRank, masks: machines[nodeLeader]!.masks))
  }

  /// Returns how many threads this rank should use, from the masks of the ranks of its machine.
  ///
  /// Collective: all ranks call it.
  public func threadsPerRank(_ affinity: Affinity = .current) -> Int {
    findCorePlacement(affinity).threads
  }
}
