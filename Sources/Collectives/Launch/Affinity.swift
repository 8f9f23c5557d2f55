import Base
import Foundation

/// The processor cores on which the operating system lets a process run.
///
/// The kernel counts each hardware thread of a core as a core of its own, and so do its lists;
/// `countingCoresOnce()` does not.
public struct Affinity: Equatable, Sendable {
  /// The numbers of the cores, in ascending order.
  public let cores: [Int]

  /// Creates a set of cores.
  public init(cores: [Int]) {
    self.cores = Set(cores).sorted()
  }

  /// Creates a set of cores from the kernel's notation, such as `0-3,8`; nil if it is malformed.
  public init?(list: String) {
    var cores: [Int] = []
    for part in list.split(separator: ",", omittingEmptySubsequences: false) {
      let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
      guard ends.count <= 2, let first = ends[0], let last = ends[ends.count - 1], first <= last
      else { return nil }
      cores += first...last
    }
    self.init(cores: cores)
  }

  /// The cores of this process; all of the node if the system does not tell.
  public static var current: Affinity { Affinity(ofProcess: "self") }

  /// The cores of the process that started this one; all of the node if the system does not tell.
  static var parent: Affinity { Affinity(ofProcess: String(getppid())) }

  private init(ofProcess process: String) {
    // The mask of `sched_getaffinity`, which is a macro of the C library that Swift cannot call.
    let label = "Cpus_allowed_list:"
    let status = fileText("/proc/\(process)/status") ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix(label) }
    let list = line?.dropFirst(label.count).trimmingCharacters(in: .whitespaces)
    self =
      list.flatMap(Affinity.init(list:))
      ?? Affinity(cores: Array(0..<ProcessInfo.processInfo.processorCount))
  }

  /// The cores in the kernel's notation, such as `0-3,8`.
  public var list: String {
    var runs: [ClosedRange<Int>] = []
    for core in cores {
      if let last = runs.last, last.upperBound == core - 1 {
        runs[runs.count - 1] = last.lowerBound...core
      } else {
        runs.append(core...core)
      }
    }
    return runs.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
      .joined(separator: ",")
  }

  /// The same with each core of this computer once, by the number of its first hardware thread.
  ///
  /// Two hardware threads of one core share its arithmetic units: a second thread of computation hardly
  /// makes it faster.
  ///
  /// - Parameters:
  ///   - root: The folder that has `sys`; another one in tests.
  package func countingCoresOnce(root: String = "") -> Affinity {
    Affinity(
      cores: cores.map { core in
        let list = fileText(
          "\(root)/sys/devices/system/cpu/cpu\(core)/topology/thread_siblings_list")
        let siblings = list.flatMap {
          Affinity(list: $0.trimmingCharacters(in: .whitespacesAndNewlines))
        }
        return siblings?.cores.first ?? core
      })
  }

  /// How many threads a rank should use so that the ranks of a node do not compete for cores: each of
  /// its cores counts as one over the number of ranks that may use it, its share of CPU quotas limits the
  /// sum, and the result is at least one.
  public static func threads(
    ofRank rank: Int, masks: [Affinity], quotas: [[CPUQuota]] = []
  ) -> Int {
    var ranksOfCore: [Int: Int] = [:]
    for mask in masks {
      for core in mask.cores { ranksOfCore[core, default: 0] += 1 }
    }
    let cores = masks[rank].cores.reduce(0.0) { $0 + 1 / Double(ranksOfCore[$1] ?? 1) }
    // Thirds and sevenths do not add up exactly.
    return max(1, Int(min(cores, CPUQuota.share(ofRank: rank, quotas: quotas)) + 1e-6))
  }
}
