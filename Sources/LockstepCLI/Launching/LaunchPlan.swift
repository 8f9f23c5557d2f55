import Base
import Foundation

/// How one attempt starts its ranks: how many on which host, and the launcher's words.
package struct LaunchPlan: Equatable, Sendable {
  /// The program that starts ranks.
  package enum Launcher: String, Sendable, CaseIterable {
    /// That of Open MPI.
    case mpirun
    /// That of MPICH and of the libraries made from it.
    case hydra = "mpiexec.hydra"
    /// That of Slurm.
    case srun
  }

  /// What is the same for all attempts.
  package struct Options: Equatable, Sendable {
    /// The program that starts ranks.
    package var launcher = Launcher.mpirun
    /// Whether the hosts were named: otherwise all ranks run on this one.
    package var hasHosts = false
    /// The cores, and threads, of each rank.
    package var cores = 1
    /// Whether each rank is bound to its cores.
    package var binds = true
    /// Whether there may be more ranks than cores.
    package var oversubscribes = false
    /// The command that the launcher calls in place of ssh.
    package var agent: String?
    /// The folder of an Open MPI that the other hosts do not find by themselves.
    package var prefix: String?
    /// Variables of the environment that ranks on other hosts get too.
    package var forwarded: [String] = []

    /// The defaults.
    package init() {}
  }

  /// The hosts that get ranks.
  package let hosts: [LaunchHost]
  /// The hosts that do not, because they failed or are not needed.
  package let unused: [String]
  let options: Options

  /// The number of ranks.
  package var ranks: Int { hosts.reduce(0) { $0 + $1.slots } }

  /// Places ranks on hosts, host by host; nil if not even one rank is possible.
  ///
  /// Where the run cannot use all of that, it gets the most ranks that it can, on as many hosts as
  /// possible.
  ///
  /// - Parameters:
  ///   - hosts: The hosts that are left.
  ///   - failed: The hosts that are left out.
  ///   - limit: The most ranks; nil is all slots.
  ///   - options: What is the same for all attempts.
  ///   - allows: Whether the run can use numbers of ranks, one for each host.
  package init?(
    hosts: [LaunchHost], failed: [String] = [], limit: Int?, _ options: Options,
    allows: ([Int]) -> Bool = { _ in true }
  ) {
    let slots = hosts.map(\.slots)
    let full = min(limit ?? .max, slots.reduce(0, +))
    var best: [Int] = []
    // Host by host, with fewer and fewer ranks.
    for ranks in stride(from: full, to: 0, by: -1) {
      let counts = LaunchPlan.filled(slots, ranks)
      if allows(counts.filter { $0 > 0 }) {
        best = counts
        break
      }
    }
    // The same number on each of some hosts.
    for each in stride(from: slots.max() ?? 0, to: 0, by: -1) {
      let fitting = slots.indices.filter { slots[$0] >= each }
      for count in stride(from: min(fitting.count, full / each), to: 0, by: -1) {
        guard each * count > best.reduce(0, +) else { break }
        guard allows([Int](repeating: each, count: count)) else { continue }
        let used = Set(fitting.prefix(count))
        best = slots.indices.map { used.contains($0) ? each : 0 }
      }
    }
    guard best.contains(where: { $0 > 0 }) else { return nil }
    self.options = options
    self.hosts = zip(hosts, best).filter { $1 > 0 }.map { LaunchHost($0.name, slots: $1) }
    unused = failed + zip(hosts, best).filter { $1 == 0 }.map(\.0.name)
  }

  private static func filled(_ slots: [Int], _ ranks: Int) -> [Int] {
    var left = ranks
    return slots.map { slots in
      let count = min(slots, left)
      left -= count
      return count
    }
  }

  /// The host on which a rank runs.
  package func host(ofRank rank: Int) -> String? {
    var first = 0
    return hosts.first { host in
      first += host.slots
      return rank < first
    }?.name
  }

  /// The first rank on a host.
  package func firstRank(onHost name: String) -> Int? {
    guard let index = hosts.firstIndex(where: { $0.name == name }) else { return nil }
    return hosts[..<index].reduce(0) { $0 + $1.slots }
  }

  /// Where the ranks run, in words.
  package var description: String {
    let names = hosts.map(\.name)
    guard options.hasHosts else { return "\(count(ranks, "rank")) on this host" }
    let shown = names.prefix(4).joined(separator: ", ")
    let rest = names.count > 4 ? " and \(grouped(names.count - 4)) more" : ""
    return "\(count(ranks, "rank")) on \(count(names.count, "host")) (\(shown)\(rest))"
  }

  /// The words that start a program on all ranks.
  ///
  /// - Parameters:
  ///   - program: The program's words.
  ///   - attempt: What the ranks are told about their attempt; nil is nothing.
  package func command(_ program: [String], attempt: LaunchAttempt? = nil) -> [String] {
    let variables =
      ["OPENBLAS_NUM_THREADS=\(options.cores)"]
      + (attempt.map { ["\(LaunchAttempt.variable)=\($0.text)"] } ?? [])
    switch options.launcher {
    case .mpirun: return mpirunWords + forwarding(variables) + program
    // These two pass their whole environment on; `env` sets it.
    case .hydra: return ["env"] + variables + hydraWords + program
    case .srun: return ["env"] + variables + srunWords + program
    }
  }

  private var mpirunWords: [String] {
    var words = ["mpirun", "-np", "\(ranks)"]
    if options.hasHosts {
      words += ["--host", hosts.map { "\($0.name):\($0.slots)" }.joined(separator: ",")]
    }
    words += options.binds ? ["--map-by", "slot:PE=\(options.cores)", "--bind-to", "core"] : []
    words += options.binds ? [] : ["--map-by", "slot", "--bind-to", "none"]
    if options.oversubscribes { words.append("--oversubscribe") }
    if let agent = options.agent { words += ["--mca", "plm_rsh_agent", agent] }
    if options.hasHosts {
      words += options.prefix.map { ["--prefix", $0] } ?? []
      // A node without power closes no connection; by default mpirun would miss it after eight minutes.
      words += [("time", 5), ("intvl", 2), ("probes", 3)].flatMap {
        ["--mca", "oob_tcp_keepalive_\($0)", "\($1)"]
      }
    }
    return words
  }

  private var hydraWords: [String] {
    var words = [Launcher.hydra.rawValue, "-n", "\(ranks)"]
    if options.hasHosts {
      words += ["-hosts", hosts.map { "\($0.name):\($0.slots)" }.joined(separator: ",")]
    }
    words += ["-bind-to", options.binds ? "core:\(options.cores)" : "none"]
    // As for ssh, Hydra would give it options before the host.
    if let agent = options.agent { words += ["-launcher", "rsh", "-launcher-exec", agent] }
    return words
  }

  /// The folder that the other hosts need to be told to find Open MPI, as they do not load modules; nil where
  /// they find it as this host does.
  ///
  /// - Parameter mpirun: The path of mpirun.
  package static func prefix(ofMPI mpirun: String) -> String? {
    let folder = (mpirun as NSString).deletingLastPathComponent
    let prefix = (folder as NSString).deletingLastPathComponent
    // Without its daemon beside it, it is no mpirun of Open MPI but a script, say.
    guard !folder.hasPrefix("/usr/"), folder != "/bin",
      FileManager.default.isExecutableFile(atPath: folder + "/orted")
    else { return nil }
    return prefix
  }

  private func forwarding(_ variables: [String]) -> [String] {
    (variables + options.forwarded).flatMap { ["-x", $0] }
  }

  private var srunWords: [String] {
    let each = Set(hosts.map(\.slots))
    return ["srun", "--mpi=pmix", "--kill-on-bad-exit=1"]
      + ["--nodes=\(hosts.count)", "--ntasks=\(ranks)"]
      + (each.count == 1 ? ["--ntasks-per-node=\(each.first!)"] : [])
      + (unused.isEmpty ? [] : ["--exclude=\(unused.joined(separator: ","))"])
      + ["--cpus-per-task=\(options.cores)", "--cpu-bind=\(options.binds ? "cores" : "none")"]
  }
}
