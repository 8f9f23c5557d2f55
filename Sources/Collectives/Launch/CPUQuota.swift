import Base
import Foundation

/// A limit on the processor time of a control group, such as that of a container started with `--cpus 2`.
///
/// All processes in the group share it, on whichever cores they run.
public struct CPUQuota: Equatable, Sendable {
  /// The time as a number of cores that compute without pause.
  public let cores: Double
  /// The folder of the control group.
  public let group: String
  /// The same for all processes of this computer that the limit is for, and for no others: containers may
  /// see one group under several names, and several groups under one name.
  let identity: String

  /// Creates a quota.
  package init(cores: Double, group: String, identity: String) {
    (self.cores, self.group, self.identity) = (cores, group, identity)
  }

  /// The quotas of this process: of its control group, and of those around it.
  ///
  /// - Parameters:
  ///   - root: The folder that has `proc` and `sys`; another one in tests.
  package static func current(root: String = "/") -> [CPUQuota] {
    ControlGroups.ofThisProcess(controller: "cpu", root: root).compactMap { group in
      var information = stat()
      guard let cores = cores(of: group), stat(group.folder, &information) == 0 else { return nil }
      return CPUQuota(
        cores: cores, group: group.folder,
        identity: "\(information.st_dev):\(information.st_ino)")
    }
  }

  /// A group's limit; nil if it has none.
  private static func cores(of group: ControlGroups.Group) -> Double? {
    func numbers(_ file: String) -> [Double] {
      (fileText("\(group.folder)/\(file)") ?? "").split { $0 == " " || $0 == "\n" }
        .prefix { Double($0) != nil }.map { Double($0)! }
    }
    // Microseconds of CPU time in each period; "max" and -1 mean no limit.
    let limit =
      group.version == .two
      ? numbers("cpu.max") : numbers("cpu.cfs_quota_us") + numbers("cpu.cfs_period_us")
    guard limit.count == 2, limit[0] > 0, limit[1] > 0 else { return nil }
    return limit[0] / limit[1]
  }

  /// How many cores' time a rank has if the ranks of a node share their quotas evenly; infinite without
  /// quotas.
  static func share(ofRank rank: Int, quotas: [[CPUQuota]]) -> Double {
    guard quotas.indices.contains(rank) else { return .infinity }
    return quotas[rank].map { $0.cores / Double($0.rankCount(in: quotas)) }.min() ?? .infinity
  }

  /// Whether a process may use all cores of its machine, all of the time.
  package static func areAllCores(allowed: Int, of count: Int, quotas: [CPUQuota]) -> Bool {
    allowed == count && quotas.allSatisfy { $0.cores >= Double(count) }
  }

  /// How many ranks share this quota, given those of each rank of the node.
  func rankCount(in quotas: [[CPUQuota]]) -> Int {
    quotas.count { $0.contains { $0.identity == identity } }
  }

  /// The quota in one line, for other ranks.
  var line: String { "\(cores) \(identity) \(group)" }

  /// Reads a quota's line; nil if it is malformed.
  init?(line: Substring) {
    let fields = line.split(separator: " ", maxSplits: 2)
    guard fields.count == 3, let cores = Double(fields[0]) else { return nil }
    self.init(cores: cores, group: String(fields[2]), identity: String(fields[1]))
  }
}

extension CPUQuota: CustomStringConvertible {
  /// Such as `a CPU quota of 2.5 cores (control group /sys/fs/cgroup/job)`.
  public var description: String {
    let number = cores.rounded(.down) == cores ? "\(Int(cores))" : String(format: "%.4g", cores)
    return "a CPU quota of \(number) core\(cores == 1 ? "" : "s") (control group \(group))"
  }
}
