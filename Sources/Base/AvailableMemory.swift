import Foundation

/// The memory that the system would still give to the processes of this computer.
package struct AvailableMemory: Equatable, Sendable {
  /// The bytes that are available.
  package let byteCount: Int
  /// What limits them: the system, or a control group.
  package let limit: String

  /// An amount of memory.
  package init(byteCount: Int, limit: String) {
    (self.byteCount, self.limit) = (byteCount, limit)
  }

  /// The smallest of what the system and the control groups of this process (of a container or a job)
  /// leave; nil if the system does not tell.
  ///
  /// Memory of cached files counts as available, and so does free swap space: only what can certainly
  /// not be had is missing.
  ///
  /// - Parameters:
  ///   - root: The folder that has `proc` and `sys`; another one in tests.
  package static func current(root: String = "/") -> AvailableMemory? {
    let root = root.hasSuffix("/") ? root : root + "/"
    guard let meminfo = fileText(root + "proc/meminfo"),
      let available = value("MemAvailable:", in: meminfo)?.multiplied(by: 1024)
    else { return nil }
    let swap = value("SwapFree:", in: meminfo)?.multiplied(by: 1024) ?? 0
    var limits = [AvailableMemory(byteCount: available, limit: "the system")]
    limits += ControlGroups.ofThisProcess(controller: "memory", root: root).compactMap {
      left(in: $0.folder, $0.version == .two ? version2 : version1)
    }
    let smallest = limits.min { $0.byteCount < $1.byteCount }!
    return AvailableMemory(
      byteCount: smallest.byteCount.adding(swap) ?? .max, limit: smallest.limit)
  }

  /// The names of a control group's files.
  private typealias Names = (limit: String, usage: String, caches: [String])
  private static let version2: Names = (
    "memory.max", "memory.current", ["inactive_file", "active_file"]
  )
  private static let version1: Names = (
    "memory.limit_in_bytes", "memory.usage_in_bytes", ["total_inactive_file", "total_active_file"]
  )

  /// What a control group leaves; nil if it has no limit.
  private static func left(in folder: String, _ names: Names) -> AvailableMemory? {
    guard let limit = number(folder, names.limit), let usage = number(folder, names.usage) else {
      return nil
    }
    let statistics = fileText("\(folder)/memory.stat") ?? ""
    let cache = names.caches.reduce(0) { $0.adding(value($1, in: statistics) ?? 0) ?? .max }
    // Of two numbers that are not negative, the difference does not overflow.
    let left = max(0, limit - usage).adding(cache) ?? .max
    return AvailableMemory(byteCount: min(left, limit), limit: "the control group \(folder)")
  }

  /// The number in a file of one line; nil for "max".
  private static func number(_ folder: String, _ name: String) -> Int? {
    fileText("\(folder)/\(name)").flatMap {
      Int($0.trimmingCharacters(in: .whitespacesAndNewlines))
    }.flatMap { $0 >= 0 ? $0 : nil }
  }

  /// The number that follows a name at the start of a line.
  private static func value(_ name: String, in text: String) -> Int? {
    for line in text.split(separator: "\n") {
      let words = line.split(separator: " ", omittingEmptySubsequences: true)
      if words.count >= 2, words[0] == name { return Int(words[1]) }
    }
    return nil
  }
}

/// The bytes of memory that this process has in use; nil if the system does not tell.
package func residentByteCount() -> Int? {
  guard let fields = fileText("/proc/self/statm")?.split(separator: " "), fields.count > 1,
    let pages = Int(fields[1])
  else { return nil }
  return pages * sysconf(Int32(_SC_PAGESIZE))
}
