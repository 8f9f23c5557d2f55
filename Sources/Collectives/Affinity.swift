// The processor cores that a rank may use.
import Foundation

/// The processor cores that the operating system lets a process run on.
public struct Affinity: Equatable, Sendable {
  /// The numbers of the cores, in ascending order.
  public let cores: [Int]

  /// Creates a set of cores.
  public init(cores: [Int]) {
    self.cores = Set(cores).sorted()
  }

  /// Creates a set of cores from the kernel's notation, such as `0-3,8`; nil when it is not one.
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

  /// The cores of this process; all of the machine when the system does not tell.
  public static var current: Affinity {
    // The mask of `sched_getaffinity`, which the C library hides from Swift.
    let label = "Cpus_allowed_list:"
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix(label) }
    let list = line?.dropFirst(label.count).trimmingCharacters(in: .whitespaces)
    return list.flatMap(Affinity.init(list:))
      ?? Affinity(cores: Array(0..<ProcessInfo.processInfo.processorCount))
  }

  /// How many threads a rank should use so that the ranks of a machine do not get in each other's
  /// way: its cores, each divided by the number of ranks that may use it, and at least one.
  public static func threads(ofRank rank: Int, masks: [Affinity]) -> Int {
    var ranksOfCore: [Int: Int] = [:]
    for mask in masks {
      for core in mask.cores { ranksOfCore[core, default: 0] += 1 }
    }
    let share = masks[rank].cores.reduce(0.0) { $0 + 1 / Double(ranksOfCore[$1] ?? 1) }
    // Thirds and sevenths do not add up exactly.
    return max(1, Int(share + 1e-6))
  }
}

extension Communicator {
  /// Returns how many threads this rank should use, from the masks of the ranks of its machine.
  ///
  /// Collective: all ranks call it.
  public func threadsPerRank(_ affinity: Affinity = .current) -> Int {
    let own = [nodeLeader] + affinity.cores
    let all = allGather(own.map(String.init).joined(separator: " ")).map { text in
      text.split(separator: " ").compactMap { Int($0) }
    }
    let neighbours = all.filter { $0.first == nodeLeader }
    return Affinity.threads(
      ofRank: localRank, masks: neighbours.map { Affinity(cores: Array($0.dropFirst())) })
  }
}
